import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import {org} from '../helpers/budget.ts';
import {eventually} from '../helpers/eventually.ts';
import {type LeaseWorld, memoryWorld, postgresWorld, ttlMs} from '../helpers/lease-worlds.ts';

const both = (title: string, work: (t: ExecutionContext, world: LeaseWorld) => Promise<void>) => {
  test(`${title}, in memory`, async t => work(t, await memoryWorld()));
  test(`${title}, in PostgreSQL`, async t => work(t, await postgresWorld(t)));
};

both('the first grant opens the window and a lease in it', async (t, world) => {
  const id = await world.budget();
  const one = world.gateway();
  const grant = await one.grant(id, 300);
  t.like(grant, {
    budget: id,
    granted: 300,
    limit: 1_000,
    charged: 0,
    remaining: 1_000,
    available: 700,
    slice: 300,
    startsInMs: 0,
    endsInMs: null,
  });
  t.like(await world.window(id), {
    id: grant.window,
    limit: 1_000n,
    ceiling: 1_000n,
    leased: 300n,
    spent: 0n,
  });
  t.like(await world.lease(grant.lease), {
    gateway: one.id,
    state: 'open',
    granted: 300n,
    open: 0n,
  });
});

both('a grant to who has an open lease enlarges that lease', async (t, world) => {
  const id = await world.budget();
  const one = world.gateway();
  const first = await one.grant(id, 300);
  const second = await one.grant(id, 100);
  t.is(second.lease, first.lease);
  t.like(second, {granted: 400, available: 600});
  t.like(await world.window(id), {leased: 400n});
});

both(
  'a slice is a quarter of what is left for each gateway alive, at least what is needed, at most what is said',
  async (t, world) => {
    const id = await world.budget();
    const [one, two] = [world.gateway(), world.gateway()];
    t.like(await one.grant(id, 0, {max: 5_000}), {slice: 250, granted: 250});
    t.like(await two.grant(id, 0, {max: 5_000}), {slice: 125, granted: 125});
    t.like(await two.grant(id, 10, {max: 50}), {slice: 50, granted: 175});
    t.like(await two.grant(id, 80, {max: 50}), {slice: 80, granted: 255});
  },
);

both('a window is granted of once, however often it was named', async (t, world) => {
  const id = await world.budget();
  const one = world.gateway();
  const {grants} = await one.ask({
    grants: [20, 60, 40].map(needed => ({budget: id, needed, max: 10})),
  });
  t.deepEqual(
    grants.map(({granted}) => granted),
    [60],
  );
});

both(
  'a grant is what there is when there is less than was wanted, and nothing when there is nothing',
  async (t, world) => {
    const id = await world.budget({limit: 100});
    const [one, two, three] = [world.gateway(), world.gateway(), world.gateway()];
    const first = await one.grant(id, 60);
    t.like(first, {granted: 60, available: 40});
    const second = await two.grant(id, 60);
    t.like(second, {granted: 40, available: 0});
    t.like(await three.grant(id, 60), {granted: null, lease: null, available: 0, charged: 0});
    await world.debit(first.lease as string, 60);
    await world.debit(second.lease as string, 40);
    t.like(await three.grant(id, 60), {granted: null, lease: null, available: 0, charged: 100});
    t.like(await world.window(id), {spent: 100n, leased: 0n});
  },
);

both(
  'a lease that an answer names lives on from then, also where nothing was left to grant',
  async (t, world) => {
    const id = await world.budget({limit: 100});
    const one = world.gateway();
    const {lease} = await one.grant(id, 100);
    await world.advance(50_000);
    t.like(await one.grant(id, 10), {lease, granted: 100, available: 0});
    t.true((await world.lease(lease)).lifeMs > 55_000);
  },
);

both('overage takes from what is granted', async (t, world) => {
  const id = await world.budget({limit: 100});
  const one = world.gateway();
  await one.grant(id, 10);
  await world.overage(id, 70);
  t.like(await one.grant(id, 60), {granted: 30, available: 0, charged: 70});
});

both('a paused budget grants nothing more, says so, and asks its leases back', async (t, world) => {
  const id = await world.budget();
  const one = world.gateway();
  const first = await one.grant(id, 10);
  t.like(first, {granted: 10, paused: false});
  await world.pause(id);
  t.like(await one.grant(id, 10), {granted: 10, available: 0, paused: true});
  t.like(await world.gateway().grant(id, 10), {granted: null, available: 0, paused: true});
  t.like((await one.renew(first.lease as string))[0], {recalled: true});
});

both(
  'a renewal lengthens the lives of own leases that are open or still hold; one that is missing from the answer is void',
  async (t, world) => {
    const one = world.gateway();
    const leases: string[] = [];
    for (let index = 0; index < 4; index += 1) {
      leases.push((await one.grant(await world.budget(), 10)).lease as string);
    }
    const others = (await world.gateway().grant(await world.budget(), 10)).lease as string;
    await world.advance(59_000);
    await world.beginFence(leases[1] as string);
    await one.giveBack(leases[2] as string, 10);
    await one.giveBack(leases[3] as string, 7);
    const renewed = await one.renew(...leases, others);
    t.deepEqual(
      renewed.toSorted((a, b) => leases.indexOf(a.lease) - leases.indexOf(b.lease)),
      [0, 3].map(index => ({lease: leases[index], granted: 10, recalled: false})),
    );
    t.true((await world.lease(leases[0] as string)).lifeMs > 50_000);
    t.like(await world.lease(leases[3] as string), {state: 'closed'});
    t.true((await world.lease(leases[3] as string)).lifeMs > 50_000);
    t.true((await world.lease(others)).lifeMs <= 1_000);
  },
);

both(
  'a return closes its lease and is absolute: repeating it gives back nothing, a larger one the difference',
  async (t, world) => {
    const id = await world.budget();
    const one = world.gateway();
    const {lease: name} = await one.grant(id, 300);
    for (const [total, returned] of [
      [200, 200n],
      [200, 200n],
      [50, 200n],
      [260, 260n],
      [301, 260n],
    ] as const) {
      await one.giveBack(name as string, total);
      t.like(await world.lease(name), {state: 'closed', returned});
      t.like(await world.window(id), {leased: 300n - returned});
    }
    const next = await one.grant(id, 5);
    t.not(next.lease, name);
  },
);

both('nobody returns what was spent, what is void, or what others hold', async (t, world) => {
  const [one, two] = [world.gateway(), world.gateway()];
  const {lease: spent} = await one.grant(await world.budget(), 300);
  await world.debit(spent as string, 100);
  await one.giveBack(spent as string, 201);
  t.like(await world.lease(spent), {returned: 0n, state: 'open'});
  const {lease: fencing} = await one.grant(await world.budget(), 300);
  await world.beginFence(fencing as string);
  await one.giveBack(fencing as string, 300);
  t.like(await world.lease(fencing), {returned: 0n, state: 'fencing'});
  const {lease: others} = await two.grant(await world.budget(), 300);
  await one.giveBack(others as string, 300);
  t.like(await world.lease(others), {returned: 0n, state: 'open'});
});

both(
  'a lowered limit takes nothing back, and the ceiling sinks with what is returned',
  async (t, world) => {
    const id = await world.budget();
    const [one, two] = [world.gateway(), world.gateway()];
    const {lease: name} = await one.grant(id, 600);
    await world.setLimit(id, 200);
    t.like(await two.grant(id, 10), {granted: null, limit: 200, available: 0});
    t.like(await world.window(id), {limit: 200n, ceiling: 600n, leased: 600n});
    await one.giveBack(name as string, 300);
    t.like(await world.window(id), {ceiling: 300n, leased: 300n});
    await one.giveBack(name as string, 600);
    t.like(await world.window(id), {ceiling: 200n, leased: 0n});
    await world.setLimit(id, 5_000);
    t.like(await two.grant(id, 10), {granted: 10, limit: 5_000, available: 4_990});
  },
);

both(
  'what is topped up is there at once, and stays on top of a changed limit',
  async (t, world) => {
    const id = await world.budget({limit: 100});
    const one = world.gateway();
    t.like(await one.grant(id, 100), {granted: 100, available: 0});
    await world.topUp(id, 50);
    t.like(await one.grant(id, 20), {granted: 120, limit: 150, available: 30});
    await world.setLimit(id, 10);
    t.like(await world.window(id), {limit: 60n, ceiling: 120n});
  },
);

both('a shortage asks the others back and begins the fences that are due', async (t, world) => {
  const id = await world.budget({limit: 100});
  const other = await world.budget();
  const [dead, idle, fresh, asking] = [0, 1, 2, 3].map(() => world.gateway()) as [
    ReturnType<LeaseWorld['gateway']>,
    ReturnType<LeaseWorld['gateway']>,
    ReturnType<LeaseWorld['gateway']>,
    ReturnType<LeaseWorld['gateway']>,
  ];
  const gone = (await dead.grant(id, 40)).lease as string;
  const elsewhere = (await dead.grant(other, 40)).lease as string;
  await world.advance(10_500);
  const recent = (await fresh.grant(id, 15)).lease as string;
  await world.advance(65_000);
  const asked = (await idle.grant(id, 40)).lease as string;
  t.like(await asking.grant(id, 20), {granted: 5, available: 0});
  t.like(await world.lease(gone), {state: 'fencing', returned: 0n});
  t.like(await world.lease(recent), {state: 'open'});
  t.like(await world.lease(elsewhere), {state: 'open'});
  t.like(await world.window(id), {leased: 100n});
  t.deepEqual(await idle.recalled(), [asked]);
  t.deepEqual(await asking.recalled(), []);
  t.deepEqual(await idle.renew(asked), [{lease: asked, granted: 40, recalled: true}]);
  const markers = await world.markers();
  t.is(markers.length, 1);
  t.like(markers[0], {
    specversion: '1.0',
    source: '/functions/budget',
    id: `${gone}/fenced`,
    type: 'dev.sluice.lease.fenced.v1',
    orgid: org,
    partitionkey: org,
    data: {lease: gone, window: (await world.window(id)).id},
  });
  await asking.grant(id, 20);
  t.is((await world.markers()).length, 1);
});

both('a marker that nobody read is sent again, later', async (t, world) => {
  const {lease: id} = await world.gateway().grant(await world.budget(), 100);
  await world.advance(3_600_000);
  t.is(await world.beginFences(1_000), 1);
  await world.relay();
  t.is(await world.beginFences(1_000), 0, 'it is on its way');
  await world.advance(660_000);
  t.is(await world.beginFences(1_000), 1);
  t.is((await world.markers()).length, 1);
  t.like(await world.lease(id), {state: 'fencing'});
});

both('a fenced gateway that wakes gets a new lease, not the old one', async (t, world) => {
  const id = await world.budget();
  const one = world.gateway();
  const before = await one.grant(id, 40);
  await world.beginFence(before.lease as string);
  const after = await one.grant(id, 40);
  t.not(after.lease, before.lease);
  t.is(after.granted, 40);
});

both(
  'a window ends with its period; its leases live on for what is held, and the next grant opens the next one',
  async (t, world) => {
    const id = await world.budget({period: 'day'});
    const one = world.gateway();
    const old = await one.grant(id, 1_000);
    t.true((old.endsInMs as number) > 0 && (old.endsInMs as number) <= 24 * 3_600_000);
    await world.endWindow(id, 10_000);
    t.deepEqual(await one.renew(old.lease as string), [
      {lease: old.lease, granted: 1_000, recalled: false},
    ]);
    t.true(
      (await world.lease(old.lease)).lifeMs > 50_000,
      'who held before the end is covered after it',
    );
    await world.passEnd(10_000);
    const next = await one.grant(id, 300);
    t.not(next.window, old.window);
    t.not(next.lease, old.lease);
    t.like(next, {granted: 300, available: 700, charged: 0});
    t.like(await world.window(id), {id: next.window, leased: 300n});
    t.like(await world.lease(old.lease), {state: 'open', granted: 1_000n});
  },
);

both('the next window can be had before it begins', async (t, world) => {
  const id = await world.budget({period: 'day'});
  const one = world.gateway();
  const now = await one.grant(id, 10);
  const next = await one.grant(id, 20, {after: now.window});
  t.not(next.window, now.window);
  t.like(next, {granted: 20, available: 980});
  t.true(Math.abs(next.startsInMs - (now.endsInMs as number)) <= 5_000);
  t.true((next.endsInMs as number) > next.startsInMs);
  t.like(await one.grant(id, 5), {window: now.window, granted: 15});
});

both(
  'the answer counts the gateways that were seen within one life of a lease',
  async (t, world) => {
    const dead = world.gateway();
    await dead.ask({});
    t.is((await world.gateway().ask({})).gateways, 2);
    await world.advance(ttlMs + 1_000);
    t.is((await world.gateway().ask({})).gateways, 1);
  },
);

test('the bounds of a window follow its time zone, also where a day has 23 or 25 hours', async t => {
  const {root} = await postgresWorld(t);
  const bounds = async (period: string, at: string) => {
    const {rows} = await root.query('select * from window_bounds($1, $2, $3)', [
      period,
      'Europe/Berlin',
      at,
    ]);
    return [rows[0].starts_at.toISOString(), rows[0].ends_at.toISOString()];
  };
  t.deepEqual(await bounds('day', '2026-03-29T12:00:00Z'), [
    '2026-03-28T23:00:00.000Z',
    '2026-03-29T22:00:00.000Z',
  ]);
  t.deepEqual(await bounds('day', '2026-10-25T12:00:00Z'), [
    '2026-10-24T22:00:00.000Z',
    '2026-10-25T23:00:00.000Z',
  ]);
  t.deepEqual(await bounds('week', '2026-11-21T10:00:00Z'), [
    '2026-11-15T23:00:00.000Z',
    '2026-11-22T23:00:00.000Z',
  ]);
  t.deepEqual(await bounds('month', '2026-10-31T23:30:00Z'), [
    '2026-10-31T23:00:00.000Z',
    '2026-11-30T23:00:00.000Z',
  ]);
});

test('many gateways that ask for the same budgets in any order never lease more than the limit, and never wait in a circle', async t => {
  const {gateway, budget, window} = await postgresWorld(t);
  const ids = await Promise.all([budget(), budget(), budget()]);
  const orders = [ids, [...ids].reverse(), [ids[1], ids[2], ids[0]]] as string[][];
  const gateways = Array.from({length: 8}, () => gateway());
  await t.notThrowsAsync(
    Promise.all(
      gateways.map(async ({ask}, index) => {
        for (let round = 0; round < 10; round += 1) {
          const order = orders[(index + round) % 3] as string[];
          const {grants} = await ask({
            grants: order.map(id => ({budget: id, needed: 25, max: 25})),
          });
          const held = grants.filter(grant => grant.lease !== null && round % 3 === 2);
          await ask({
            renewals: grants.flatMap(({lease}) => lease ?? []).reverse(),
            returns: held.map(({lease, granted}) => ({
              lease: lease as string,
              total: granted as number,
            })),
          });
        }
      }),
    ),
  );
  for (const id of ids) {
    const {leased, ceiling} = await window(id);
    t.true(leased <= 1_000n && ceiling === 1_000n);
  }
});

test('a renewal locks the windows of its leases before the leases, as a debit does', async t => {
  const {gateway, budget, root} = await postgresWorld(t);
  const one = gateway();
  const grants = [await one.grant(await budget(), 10), await one.grant(await budget(), 10)];
  const leases = grants.map(({lease}) => lease as string);
  const debit = await root.connect();
  try {
    await debit.query('begin');
    await debit.query('select from windows where id = any($1) order by id for update', [
      grants.map(grant => grant.window),
    ]);
    const renewal = one.renew(...leases);
    await eventually(async () => {
      const {rowCount} = await root.query(
        `select from pg_stat_activity where wait_event_type = 'Lock' and query like 'select lease_work%' and datname = current_database()`,
      );
      assert.equal(rowCount, 1);
    });
    await debit.query('select from leases where id = any($1) order by id for update nowait', [
      leases,
    ]);
    await debit.query('commit');
    t.is((await renewal).length, 2);
  } finally {
    debit.release();
  }
});

test('a gateway works by this function alone: it may change no table and read no window', async t => {
  const {gateway, budget, pool} = await postgresWorld(t);
  await gateway().grant(await budget(), 10);
  for (const sql of [
    'select * from windows',
    'select * from leases',
    'select * from requests',
    'select * from ledger',
    'update windows set leased = 0',
    `update leases set state = 'open'`,
    'update budgets set "limit" = 1',
    'delete from gateways',
    `select * from places_of('[]')`,
    `select open_month('2026-11-01')`,
  ]) {
    await t.throwsAsync(pool.query(sql), {message: /permission denied/}, sql);
  }
  await t.notThrowsAsync(
    pool.query(
      `select begin_fences(null, interval '15 seconds'), begin_settlements(interval '1 minute')`,
    ),
  );
});

test('what waits in the outbox is known to who may not read it', async t => {
  const {root, pool} = await postgresWorld(t);
  const backlog = async () => (await pool.query(`select * from outbox_backlog('log')`)).rows[0];
  t.deepEqual(await backlog(), {waiting: 0n, age_ms: 0n});
  await root.query(
    `insert into outbox (destination, source, event_id, event, created_at)
     select 'log:sluice.usage', '/x', n::text, '{}', now() - interval '1 minute' from generate_series(1, 7) n`,
  );
  await root.query(
    `insert into outbox (destination, source, event_id, event, created_at)
     select 'broker:default', '/y', n::text, '{}', now() - interval '1 hour' from generate_series(1, 9) n`,
  );
  const found = await backlog();
  t.is(found.waiting, 7n);
  t.true(found.age_ms >= 60_000n);
});

test('old changes, handled events and empty leases are forgotten, money is not', async t => {
  const {root, gateway, budget} = await postgresWorld(t);
  const id = await budget();
  const one = gateway();
  const {lease} = await one.grant(id, 100);
  await one.giveBack(lease as string, 100);
  await gateway().grant(id, 50);
  await root.query(
    `insert into inbox (consumer, source, event_id, handled_at) values ('x', '/x', '1', now() - interval '1 year'), ('x', '/x', '2', now())`,
  );
  await root.query(`update leases set expires_at = now() - interval '1 year'`);
  await root.query(`update changes set at = now() - interval '1 year'`);
  await root.query('select forget_old()');
  const count = async (table: string) =>
    Number((await root.query(`select count(*) from ${table}`)).rows[0].count);
  t.is(await count('leases'), 1, 'the one that holds money stays');
  t.is(await count('inbox'), 1);
  t.is(await count('changes'), 0);
  t.is(await count('windows'), 1);
});
