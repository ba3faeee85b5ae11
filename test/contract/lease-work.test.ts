import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import {createPool} from '../../events/database.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createLeaseWork, type LeaseWork} from '../../functions/budget/leases/lease-work.ts';
import {org} from '../helpers/budget.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';

const ttlMs = 60_000;

const setUp = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  const root = createPool({
    databaseUrl: database.url('superuser'),
    name: 'test',
    connectionsMax: 8,
    connectTimeoutMs: 60_000,
  });
  const pool = createPool({
    databaseUrl: database.url('gateway'),
    name: 'test',
    connectionsMax: 8,
    connectTimeoutMs: 60_000,
  });
  t.teardown(() => Promise.all([root.end(), pool.end()]));
  await root.query(`insert into orgs (id, name) values ($1, 'one')`, [org]);
  const gateway = (id = uuidv7()) => {
    const work = createLeaseWork({client: pool, gateway: id, environment: 'production', ttlMs});
    const ask = (wanted: Partial<LeaseWork>) =>
      work({returns: [], renewals: [], grants: [], ...wanted});
    return {
      id,
      ask,
      async grant(budget: string, slice: number) {
        const {grants} = await ask({grants: [{budget, needed: slice, max: slice}]});
        return grants[0] as (typeof grants)[number];
      },
      renew: async (...renewals: string[]) => (await ask({renewals})).renewals,
      giveBack: (lease: string, total: number) => ask({returns: [{lease, total}]}),
    };
  };
  return {
    root,
    pool,
    gateway,
    async budget({limit = 1_000, period = 'none', timeZone = 'UTC'} = {}) {
      const id = uuidv7();
      await root.query(
        `insert into budgets (id, org_id, unit, "limit", period, time_zone) values ($1, $2, 'usd', $3, $4, $5)`,
        [id, org, limit, period, timeZone],
      );
      return id;
    },
    async window(budget: string) {
      const {rows} = await root.query(
        'select * from windows where budget_id = $1 order by starts_at desc',
        [budget],
      );
      return rows[0];
    },
    async lease(id: string | null) {
      const {rows} = await root.query(
        'select *, expires_at - now() as life from leases where id = $1',
        [id],
      );
      return rows[0];
    },
  };
};

test('the first grant opens the window and a lease in it', async t => {
  const {gateway, budget, window, lease} = await setUp(t);
  const id = await budget();
  const one = gateway();
  const grant = await one.grant(id, 300);
  t.like(grant, {
    budget: id,
    granted: 300,
    limit: 1_000,
    charged: 0,
    available: 700,
    endsInMs: null,
  });
  t.like(await window(id), {
    id: grant.window,
    limit: 1_000n,
    ceiling: 1_000n,
    leased: 300n,
    spent: 0n,
  });
  t.like(await lease(grant.lease), {gateway_id: one.id, state: 'open', granted: 300n, open: 0n});
});

test('a grant to who has an open lease enlarges that lease', async t => {
  const {gateway, budget, window} = await setUp(t);
  const id = await budget();
  const one = gateway();
  const first = await one.grant(id, 300);
  const second = await one.grant(id, 100);
  t.is(second.lease, first.lease);
  t.like(second, {granted: 400, available: 600});
  t.like(await window(id), {leased: 400n});
});

test('a grant is what there is when there is less than was wanted, and nothing when there is nothing', async t => {
  const {gateway, budget, window, root} = await setUp(t);
  const id = await budget({limit: 100});
  t.like(await gateway().grant(id, 60), {granted: 60, available: 40});
  t.like(await gateway().grant(id, 60), {granted: 40, available: 0});
  t.like(await gateway().grant(id, 60), {granted: null, lease: null, available: 0, charged: 0});
  await root.query('update windows set spent = leased, leased = 0');
  await root.query('update leases set settled = granted');
  t.like(await gateway().grant(id, 60), {granted: null, lease: null, available: 0, charged: 100});
  t.like(await window(id), {spent: 100n, leased: 0n});
});

test('overage takes from what is granted', async t => {
  const {gateway, budget, root} = await setUp(t);
  const id = await budget({limit: 100});
  const one = gateway();
  await one.grant(id, 10);
  await root.query('update windows set overage = 70');
  t.like(await one.grant(id, 60), {granted: 30, available: 0, charged: 70});
});

test('a paused budget grants nothing more, and says so', async t => {
  const {gateway, budget, root} = await setUp(t);
  const id = await budget();
  const one = gateway();
  t.like(await one.grant(id, 10), {granted: 10, paused: false});
  await root.query('update budgets set paused_at = now()');
  t.like(await one.grant(id, 10), {granted: 10, available: 0, paused: true});
  t.like(await gateway().grant(id, 10), {granted: null, available: 0, paused: true});
});

test('a renewal lengthens the lives of own open leases only; a lease that is missing from the answer is void', async t => {
  const {gateway, budget, root, lease} = await setUp(t);
  const ids = await Promise.all([budget(), budget(), budget(), budget()]);
  const one = gateway();
  const leases: string[] = [];
  for (const id of ids.slice(0, 3)) {
    leases.push((await one.grant(id, 10)).lease as string);
  }
  const others = (await gateway().grant(ids[3] as string, 10)).lease as string;
  await root.query(`update leases set expires_at = now() + interval '1 second'`);
  await root.query(`update leases set state = 'fencing' where id = $1`, [leases[1]]);
  await one.giveBack(leases[2] as string, 10);
  t.deepEqual(await one.renew(...leases, others), [
    {lease: leases[0], granted: 10, recalled: false},
  ]);
  t.true(
    (await lease(leases[0] as string)).life.seconds > 50 ||
      (await lease(leases[0] as string)).life.minutes === 1,
  );
  t.is((await lease(others)).life.minutes, undefined);
});

test('a return closes its lease and is absolute: repeating it gives back nothing, a larger one the difference', async t => {
  const {gateway, budget, window, lease} = await setUp(t);
  const id = await budget();
  const one = gateway();
  const {lease: name} = await one.grant(id, 300);
  for (const [total, returned] of [
    [200, 200n],
    [200, 200n],
    [50, 200n],
    [260, 260n],
    [301, 260n],
  ] as const) {
    await one.giveBack(name as string, total);
    t.like(await lease(name), {state: 'closed', returned});
    t.like(await window(id), {leased: 300n - returned});
  }
  const next = await one.grant(id, 5);
  t.not(next.lease, name);
});

test('nobody returns what was spent, what is void, or what others hold', async t => {
  const {gateway, budget, root, lease} = await setUp(t);
  const [one, two] = [gateway(), gateway()];
  const {lease: spent} = await one.grant(await budget(), 300);
  await root.query('update leases set settled = 100');
  await root.query('update windows set spent = 100, leased = leased - 100');
  await one.giveBack(spent as string, 201);
  t.like(await lease(spent), {returned: 0n, state: 'open'});
  const {lease: fencing} = await one.grant(await budget(), 300);
  await root.query(`update leases set state = 'fencing' where id = $1`, [fencing]);
  await one.giveBack(fencing as string, 300);
  t.like(await lease(fencing), {returned: 0n, state: 'fencing'});
  const {lease: others} = await two.grant(await budget(), 300);
  await one.giveBack(others as string, 300);
  t.like(await lease(others), {returned: 0n, state: 'open'});
});

test('a lowered limit takes nothing back, and the ceiling sinks with what is returned', async t => {
  const {gateway, budget, window, root} = await setUp(t);
  const id = await budget();
  const [one, two] = [gateway(), gateway()];
  const {lease: name} = await one.grant(id, 600);
  await root.query('update budgets set "limit" = 200');
  t.like(await two.grant(id, 10), {granted: null, limit: 200, available: 0});
  t.like(await window(id), {limit: 200n, ceiling: 600n, leased: 600n});
  await one.giveBack(name as string, 300);
  t.like(await window(id), {ceiling: 300n, leased: 300n});
  await one.giveBack(name as string, 600);
  t.like(await window(id), {ceiling: 200n, leased: 0n});
  await root.query('update budgets set "limit" = 5000');
  t.like(await two.grant(id, 10), {granted: 10, limit: 5_000, available: 4_990});
});

test('a shortage asks the others back and begins the fences that are due, with a marker behind all that is unsent', async t => {
  const {gateway, budget, window, root, lease} = await setUp(t);
  const id = await budget({limit: 100});
  const [dead, idle, fresh, asking] = [gateway(), gateway(), gateway(), gateway()];
  const gone = (await dead.grant(id, 40)).lease as string;
  const asked = (await idle.grant(id, 40)).lease as string;
  const recent = (await fresh.grant(id, 15)).lease as string;
  const elsewhere = (await dead.grant(await budget(), 40)).lease as string;
  await root.query(
    `update leases set expires_at = now() - interval '1 minute' where gateway_id = $1`,
    [dead.id],
  );
  await root.query(`update leases set expires_at = now() - interval '5 seconds' where id = $1`, [
    recent,
  ]);
  t.like(await asking.grant(id, 20), {granted: 5, available: 0});
  t.like(await lease(gone), {state: 'fencing', returned: 0n});
  t.like(await lease(recent), {state: 'open'});
  t.like(await lease(elsewhere), {state: 'open'});
  t.like(await window(id), {leased: 100n});
  t.deepEqual(await idle.renew(asked), [{lease: asked, granted: 40, recalled: true}]);
  const {rows} = await root.query(
    'select destination, org_id, source, event_id, event, barrier from outbox',
  );
  t.is(rows.length, 1);
  t.like(rows[0], {
    destination: 'log:sluice.usage',
    org_id: org,
    source: '/functions/budget',
    event_id: `${gone}/fenced`,
    barrier: true,
  });
  t.like(rows[0].event, {
    specversion: '1.0',
    id: `${gone}/fenced`,
    type: 'dev.sluice.lease.fenced.v1',
    orgid: org,
    partitionkey: org,
    data: {lease: gone, window: (await window(id)).id},
  });
  await asking.grant(id, 20);
  t.is((await root.query('select from outbox')).rowCount, 1);
});

test('a fenced gateway that wakes gets a new lease, not the old one', async t => {
  const {gateway, budget, root} = await setUp(t);
  const id = await budget();
  const one = gateway();
  const before = await one.grant(id, 40);
  await root.query(`update leases set state = 'fencing'`);
  const after = await one.grant(id, 40);
  t.not(after.lease, before.lease);
  t.is(after.granted, 40);
});

test('a window ends with its period, and its leases with it; the next one is opened by the next grant', async t => {
  const {gateway, budget, root, window, lease} = await setUp(t);
  const id = await budget({period: 'day', timeZone: 'Europe/Berlin'});
  const one = gateway();
  const old = await one.grant(id, 1_000);
  t.true((old.endsInMs as number) > 0 && (old.endsInMs as number) <= 25 * 3_600_000);
  await root.query(
    `update windows set starts_at = starts_at - interval '1 day', ends_at = now() + interval '10 seconds'`,
  );
  t.deepEqual(await one.renew(old.lease as string), [
    {lease: old.lease, granted: 1_000, recalled: false},
  ]);
  t.true((await lease(old.lease)).life.seconds <= 10);
  const next = await one.grant(id, 300);
  t.not(next.window, old.window);
  t.not(next.lease, old.lease);
  t.like(next, {granted: 300, available: 700, charged: 0});
  t.like(await window(id), {id: next.window, leased: 300n});
  t.like(await lease(old.lease), {state: 'open', granted: 1_000n});
});

test('the bounds of a window follow its time zone, also where a day has 23 or 25 hours', async t => {
  const {root} = await setUp(t);
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

test('the answer counts the gateways that were seen within one life of a lease', async t => {
  const {gateway, root} = await setUp(t);
  const dead = gateway();
  await dead.ask({});
  t.is((await gateway().ask({})).gateways, 2);
  await root.query(`update gateways set seen_at = now() - interval '61 seconds' where id = $1`, [
    dead.id,
  ]);
  t.is((await gateway().ask({})).gateways, 2);
});

test('many gateways that ask for the same budgets in any order never lease more than the limit, and never wait in a circle', async t => {
  const {gateway, budget, window} = await setUp(t);
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
  const {gateway, budget, root} = await setUp(t);
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
  const {gateway, budget, pool} = await setUp(t);
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

test('a marker that nobody read is sent again, later', async t => {
  const {root, pool, gateway, budget, lease} = await setUp(t);
  const {lease: id} = await gateway().grant(await budget(), 100);
  await root.query(`update leases set expires_at = now() - interval '1 hour'`);
  const begin = async () => {
    const {rows} = await pool.query<{sent: number}>(`select begin_fences(null, '1 s') as sent`);
    return rows[0]?.sent;
  };
  t.is(await begin(), 1);
  await root.query('delete from outbox');
  t.is(await begin(), 0, 'it is on its way');
  await root.query(`update leases set fencing_at = now() - interval '11 minutes'`);
  t.is(await begin(), 1);
  t.like(await lease(id), {state: 'fencing'});
});

test('what waits in the outbox is known to who may not read it', async t => {
  const {root, pool} = await setUp(t);
  const backlog = async () => (await pool.query('select * from outbox_backlog()')).rows[0];
  t.deepEqual(await backlog(), {waiting: 0n, age_ms: 0n});
  await root.query(
    `insert into outbox (destination, source, event_id, event, created_at)
     select 'log:sluice.usage', '/x', n::text, '{}', now() - interval '1 minute' from generate_series(1, 7) n`,
  );
  const found = await backlog();
  t.is(found.waiting, 7n);
  t.true(found.age_ms >= 60_000n);
});

test('old changes, handled events and empty leases are forgotten, money is not', async t => {
  const {root, gateway, budget} = await setUp(t);
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
