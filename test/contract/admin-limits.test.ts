import assert from 'node:assert/strict';
import test from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {startBudgetOwner} from '../helpers/budget-owner.ts';
import {eventually} from '../helpers/eventually.ts';

test('a changed limit is in the window at once: raised, lowered under what is used, to nought, and raised again', async t => {
  const {budget, change, grant, window, deliver, eventsOf, show} = await startBudgetOwner(t);
  const id = await budget();
  const held = await grant(id, 600);
  await deliver(eventsOf(held, 200));
  t.like(await window(id), {limit: 1_000n, ceiling: 1_000n, spent: 200n, leased: 400n});
  for (const [limit, ceiling, available] of [
    [2_000, 2_000n, '1400'],
    [601, 601n, '1'],
    [599, 600n, '0'],
    [0, 600n, '0'],
    [700, 700n, '100'],
    [0, 600n, '0'],
  ] as const) {
    t.is((await change(id, {limit})).status, 200);
    t.like(await window(id), {limit: BigInt(limit), ceiling, spent: 200n, leased: 400n});
    t.like(await show(id), {limit: String(limit), available});
  }
});

test('under a lowered limit each return and each debit lowers the ceiling towards it, and nothing is granted above it', async t => {
  const {budget, change, grant, giveBack, window, deliver, eventsOf} = await startBudgetOwner(t);
  const id = await budget();
  const [one, two] = [uuidv7(), uuidv7()];
  const first = await grant(id, 500, one);
  const second = await grant(id, 300, two);
  await change(id, {limit: 250});
  t.like(await window(id), {limit: 250n, ceiling: 800n});
  t.like(await grant(id, 10), {granted: null, available: 0});
  await deliver(eventsOf(first, 100));
  t.like(await window(id), {ceiling: 800n, spent: 100n, leased: 700n});
  await giveBack(one, first, 400);
  t.like(await window(id), {ceiling: 400n, spent: 100n, leased: 300n});
  await giveBack(two, second, 300);
  t.like(await window(id), {ceiling: 250n, spent: 100n, leased: 0n});
  t.like(await grant(id, 200), {granted: 150, available: 0});
});

test('a changed limit is also in the next window, which a gateway has opened ahead of time', async t => {
  const {budget, change, grant, rowsOf, root} = await startBudgetOwner(t);
  const id = await budget({period: 'day'});
  await grant(id, 10);
  await root.query(
    `insert into windows (org_id, budget_id, starts_at, ends_at, "limit", ceiling)
     select org_id, budget_id, ends_at, ends_at + interval '1 day', 1000, 1000 from windows where budget_id = $1`,
    [id],
  );
  await root.query(
    `insert into windows (org_id, budget_id, starts_at, ends_at, "limit", ceiling)
     select org_id, budget_id, min(starts_at) - interval '1 day', min(starts_at), 1000, 1000
     from windows where budget_id = $1 group by 1, 2`,
    [id],
  );
  await change(id, {limit: 70});
  const rows = await rowsOf<{limit: bigint}>(
    'select "limit" from windows where budget_id = $1 order by starts_at',
    id,
  );
  t.deepEqual(
    rows.map(({limit}) => limit),
    [1_000n, 70n, 70n],
  );
});

test('a window that opens while its limit is changed has the new one', async t => {
  const {budget, grant, window, root, database} = await startBudgetOwner(t);
  const id = await budget();
  const other = await database.pool('tenant').connect();
  await other.query('begin');
  await other.query(`select set_config('sluice.org', (select org_of('budget', $1))::text, true)`, [
    id,
  ]);
  await other.query('update budgets set "limit" = 70 where id = $1', [id]);
  const asked = grant(id, 100);
  await eventually(async () => {
    const {rowCount} = await root.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like 'select lease_work%'`,
    );
    assert.equal(rowCount, 1);
  });
  await other.query('commit');
  other.release();
  t.like(await asked, {granted: 70, available: 0});
  t.like(await window(id), {limit: 70n, ceiling: 70n, leased: 70n});
});

test('gateways are told of each change of a budget once, and of what changes nothing not at all', async t => {
  const {budget, change, topUp, grant, changesOf} = await startBudgetOwner(t);
  const id = await budget();
  await grant(id, 10);
  const step = async (body: object, told: number, work = change) => {
    const before = await changesOf(id);
    t.true((await work(id, body)).status < 300);
    t.is((await changesOf(id)) - before, told, JSON.stringify(body));
  };
  await step({limit: 2_000}, 1);
  await step({limit: 2_000}, 0);
  await step({paused: false}, 0);
  await step({paused: true}, 1);
  await step({paused: true}, 0);
  await step({paused: true, limit: 2_000, thresholds: [100, 80, 50]}, 0);
  await step({limit: 3_000, paused: false, thresholds: [10]}, 1);
  await step({amount: 5, id: 'a'}, 1, topUp);
  await step({amount: 5, id: 'a'}, 0, topUp);
});

test('thresholds are changed, sorted; none at all is none', async t => {
  const {budget, change, show} = await startBudgetOwner(t);
  const id = await budget();
  t.like((await change(id, {thresholds: [90, 5, 40]})).body, {thresholds: [5, 40, 90]});
  t.like(await show(id), {thresholds: [5, 40, 90], limit: '1000'});
  t.like((await change(id, {thresholds: []})).body, {thresholds: []});
});

test('a lowered limit announces what it puts the window over, once; raised and topped up it announces nothing again', async t => {
  const {budget, change, topUp, grant, deliver, eventsOf, sentOf, root, window} =
    await startBudgetOwner(t);
  const id = await budget();
  const held = await grant(id, 1_000);
  await deliver(eventsOf(held, 400));
  t.deepEqual(await sentOf(id), []);
  const {id: place} = await window(id);
  await change(id, {limit: 500});
  t.deepEqual(await sentOf(id), [`${place}/50`, `${place}/80`]);
  await change(id, {limit: 400});
  const all = [`${place}/50`, `${place}/80`, `${place}/100`, `${place}/exhausted`];
  t.deepEqual(await sentOf(id), all);
  // What was relayed is no row any more, so only the window remembers what was said.
  await root.query('delete from outbox');
  await change(id, {limit: 10_000});
  await topUp(id, {amount: 90_000, id: 'a'});
  await deliver(eventsOf(held, 300));
  await change(id, {limit: 0});
  await change(id, {limit: 800});
  t.deepEqual(await sentOf(id), [`${place}/top-up/a`]);
});

test('a new threshold below what is charged is announced at once, where none above it was', async t => {
  const {budget, change, grant, deliver, eventsOf, sentOf, window} = await startBudgetOwner(t);
  const id = await budget({thresholds: [90]});
  const held = await grant(id, 1_000);
  await deliver(eventsOf(held, 600));
  await change(id, {thresholds: [20, 60, 61, 90]});
  const {id: place} = await window(id);
  t.deepEqual(await sentOf(id), [`${place}/20`, `${place}/60`]);
  await change(id, {thresholds: [30, 60, 90]});
  t.is((await sentOf(id)).length, 2);
});

test('a change that the database breaks off in a circle of locks is made again, and once', async t => {
  const {budget, change, topUp, root, window, changesOf} = await startBudgetOwner(t);
  const id = await budget();
  for (const [work, body, limit] of [
    [change, {limit: 70}, 70n],
    [topUp, {amount: 5, id: 'a'}, 75n],
  ] as const) {
    const before = await changesOf(id);
    const other = await root.connect();
    try {
      await other.query('begin');
      await other.query(`set local deadlock_timeout = '10min'`);
      await other.query('select from revision for update');
      const answer = work(id, body);
      await eventually(async () => {
        const {rowCount} = await root.query(
          `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and application_name = 'sluice-admin'`,
        );
        assert.equal(rowCount, 1);
      });
      await other.query('select from budgets where id = $1 for update', [id]);
      await other.query('commit');
      const {status, text} = await answer;
      t.true(status < 300, text);
    } finally {
      await other.query('rollback');
      other.release();
    }
    t.is((await changesOf(id)) - before, 1);
    if (work === topUp) {
      t.like(await window(id), {limit, topped_up: 5n});
    }
  }
});

test('limits, pauses, top-ups, grants, returns and debits at once: every call is done and every sum is right', async t => {
  const {budget, change, topUp, work, deliver, eventsOf, rowsOf} = await startBudgetOwner(t);
  const ids = await Promise.all(Array.from({length: 3}, () => budget()));
  const rounds = 25;
  const owners = ids.flatMap((id, place) => [
    async () => {
      for (let round = 0; round < rounds; round += 1) {
        const body =
          round % 5 === 4 ? {paused: round % 10 === 4} : {limit: ((round * 700) % 1_900) + place};
        const {status, text} = await change(id, body);
        t.is(status, 200, text);
      }
    },
    async () => {
      for (let round = 0; round < rounds; round += 1) {
        const {status, text} = await topUp(id, {amount: 7, id: `${place}-${round >> 1}`});
        t.is(status, 201, text);
      }
    },
  ]);
  const gateways = Array.from({length: 4}, (_, seed) => async () => {
    const gateway = uuidv7();
    for (let round = 0; round < rounds; round += 1) {
      const order = (round + seed) % 2 === 0 ? ids : ids.toReversed();
      const {grants} = await work(gateway, {
        grants: order.map(id => ({budget: id, needed: 20, max: 40})),
      });
      const held = grants.filter(({granted}) => (granted ?? 0) >= 20);
      await deliver(held.flatMap(grant => eventsOf(grant, 6, {hold: 10})));
      await work(gateway, {
        returns: held.map(({lease, granted}) => ({
          lease: lease as string,
          total: (granted as number) - 10,
        })),
      });
    }
  });
  await t.notThrowsAsync(Promise.all([...owners, ...gateways].map(run => run())));
  const rows = await rowsOf<Record<string, bigint>>(
    `select w.*, b."limit" as base,
            (select sum(granted - settled - returned)::bigint from leases where window_id = w.id) as held,
            (select sum(amount)::bigint from top_ups where window_id = w.id) as added
     from windows w join budgets b on b.id = w.budget_id where b.id = any($1)`,
    ids,
  );
  t.is(rows.length, 3);
  const most = (one: bigint, other: bigint) => (one > other ? one : other);
  for (const row of rows) {
    const {limit = 0n, base, added, spent = 0n, leased = 0n, ceiling, topped_up, held = -1n} = row;
    t.is(topped_up, 7n * 13n);
    t.is(added, topped_up);
    t.true(limit === (base as bigint) + 7n * 13n, `${limit}`);
    t.true(ceiling === most(limit, spent + leased), `${ceiling}`);
    t.is(leased, held);
    t.true(spent > 0n);
  }
});
