import test, {type ExecutionContext} from 'ava';
import {createPool} from '../../events/database.ts';
import {uuidv7} from '../../events/uuid.ts';
import {type Dimension, parseQuery} from '../../functions/usage/query.ts';
import {foldRecords, isFinal, type UsageRecord} from '../../functions/usage/record.ts';
import {rollUp} from '../../functions/usage/rollup.ts';
import type {UsageStore} from '../../functions/usage/store.ts';
import {createMemoryStore} from '../../functions/usage/store-memory.ts';
import {createPostgresStore} from '../../functions/usage/store-postgres.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {makeRecord, otherOrg, someOrg} from '../helpers/usage-events.ts';

const hour = Math.floor(Date.now() / 3_600_000 - 2) * 3_600_000;

const makers = {
  memory: async () => createMemoryStore(),
  postgres: async (t: ExecutionContext) => {
    const database = await createTestDatabase(t);
    const pool = createPool({databaseUrl: database.url('system'), name: 'usage'});
    t.teardown(() => pool.end());
    return createPostgresStore(pool);
  },
};

/** What the shell does with a batch, without events. */
const write = (store: UsageStore, records: readonly UsageRecord[]) => {
  const folded = foldRecords(records);
  return store.transaction([...new Set(folded.map(({month}) => month))], async transaction => {
    const added = await transaction.insert(folded);
    const replaced = await transaction.replaceUnsettled(
      folded.filter(record => isFinal(record) && !added.includes(record)),
    );
    await transaction.addRollups('hour', rollUp(added, replaced, 'hour'));
    await transaction.addRollups('day', rollUp(added, replaced, 'day'));
    return {added, replaced};
  });
};

const ask = (store: UsageStore, parameters: Record<string, string> = {}, limit = 100) => {
  const from = new Date(hour - 40 * 86_400_000).toISOString();
  return store.query(parseQuery({org: someOrg, from, ...parameters}, Date.now()).query, limit);
};

const contract = (
  title: string,
  body: (t: ExecutionContext, store: UsageStore) => Promise<void>,
) => {
  for (const [name, make] of Object.entries(makers)) {
    test(`${name}: ${title}`, async t => body(t, await make(t)));
  }
};

contract('an unsettled record is replaced once, a final one never', async (t, store) => {
  const request = uuidv7(hour);
  const unsettled = makeRecord('unsettled', {at: hour, request});
  const corrected = makeRecord('corrected', {at: hour, request});
  t.is((await write(store, [unsettled])).added.length, 1);
  t.deepEqual(await store.record(someOrg, request), unsettled);
  t.deepEqual(await write(store, [corrected]), {
    added: [],
    replaced: [{before: unsettled, after: corrected}],
  });
  for (const late of [
    unsettled,
    corrected,
    makeRecord('finished', {at: hour, request, costNanos: 1}),
  ]) {
    t.deepEqual(await write(store, [late]), {added: [], replaced: []});
  }
  t.deepEqual(await store.record(someOrg, request), corrected);
  t.like((await ask(store))[0], {
    sums: {requests: 1n, failed: 0n, estimated: 0n, costNanos: 47_450n, outputTokens: 57n},
  });
});

contract('a record comes back with every field, the empty ones too', async (t, store) => {
  const full = makeRecord('finished', {
    at: hour,
    label: 'a "label", é',
    cachedInputTokens: 5,
    status: 502,
    outcome: 'upstream_error',
  });
  const bare = makeRecord('unsettled', {at: hour, endpoint: ''});
  await write(store, [full, bare]);
  t.deepEqual(await store.record(someOrg, full.request), full);
  t.deepEqual(await store.record(someOrg, bare.request), bare);
  t.is(await store.record(someOrg, uuidv7(hour)), undefined);
});

contract('nobody sees the records and sums of another organisation', async (t, store) => {
  const mine = makeRecord('finished', {at: hour});
  const theirs = makeRecord('finished', {at: hour, orgid: otherOrg});
  await write(store, [mine, theirs]);
  t.is(await store.record(someOrg, theirs.request), undefined);
  t.deepEqual(
    (await ask(store, {groupBy: 'org'})).map(({dimensions, sums}) => [
      dimensions.org,
      sums.requests,
    ]),
    [[someOrg, 1n]],
  );
  t.deepEqual(
    (await ask(store, {org: otherOrg, groupBy: 'org'})).map(({dimensions}) => dimensions.org),
    [otherOrg],
  );
});

contract(
  'rows are grouped by what is asked, by hour, by day or in total, and no more than the limit',
  async (t, store) => {
    const records = [
      makeRecord('finished', {at: hour}),
      makeRecord('finished', {at: hour + 60_000, model: 'b'}),
      makeRecord('finished', {at: hour + 3_600_000, model: 'b', environment: 'staging'}),
      makeRecord('finished', {at: hour - 26 * 86_400_000, model: 'b'}),
    ];
    await write(store, records);
    const rows = async (parameters: Record<string, string>, limit?: number) =>
      (await ask(store, parameters, limit)).map(({start, dimensions, sums}) => [
        start ?? 'total',
        ...Object.values(dimensions),
        Number(sums.requests),
      ]);
    const iso = (ms: number) => new Date(ms).toISOString();
    const day = (ms: number) => iso(ms).slice(0, 10);

    t.deepEqual(await rows({}), [['total', 4]]);
    t.deepEqual(await rows({groupBy: 'model'}), [
      ['total', 'b', 3],
      ['total', 'llama-3.1-8b', 1],
    ]);
    t.deepEqual(await rows({model: 'b', environment: 'prod'}), [['total', 2]]);
    t.deepEqual(await rows({granularity: 'hour'}), [
      [iso(hour - 26 * 86_400_000), 1],
      [iso(hour), 2],
      [iso(hour + 3_600_000), 1],
    ]);
    t.deepEqual(await rows({granularity: 'hour', groupBy: 'model'}, 2), [
      [iso(hour - 26 * 86_400_000), 'b', 1],
      [iso(hour), 'b', 1],
    ]);
    t.deepEqual(await rows({from: iso(hour), to: iso(hour + 3_600_000)}), [['total', 2]]);
    t.deepEqual(await rows({model: 'none of these'}), []);

    const months = async (to: string) =>
      rows({granularity: 'month', from: day(hour - 60 * 86_400_000), to});
    const byDays = await months(day(hour + 2 * 86_400_000));
    t.is(byDays.at(-1)?.[0], iso(hour + 3_600_000).slice(0, 7));
    t.is(
      byDays.reduce((sum, [, requests]) => sum + Number(requests), 0),
      4,
    );
    t.deepEqual(await months(iso(hour + 2 * 3_600_000)), byDays, 'by hours as by days');

    // From the daily rollup where both bounds are days, else from the hourly one: the same answer.
    const whole = {
      from: day(hour - 30 * 86_400_000),
      to: day(hour + 3 * 86_400_000),
      granularity: 'day',
      groupBy: 'org' satisfies Dimension,
    };
    t.deepEqual(
      await rows({
        ...whole,
        to: iso(hour + 3 * 86_400_000 + (hour % 86_400_000 === 0 ? 3_600_000 : 0)),
      }),
      await rows(whole),
    );
    t.is((await rows(whole))[0]?.[0], day(hour - 26 * 86_400_000));
  },
);

contract('a transaction that throws leaves nothing', async (t, store) => {
  const record = makeRecord('finished', {at: hour});
  await t.throwsAsync(
    store.transaction([record.month], async transaction => {
      await transaction.insert([record]);
      await transaction.addRollups('hour', rollUp([record], [], 'hour'));
      throw new Error('half way');
    }),
    {message: 'half way'},
  );
  t.is(await store.record(someOrg, record.request), undefined);
  t.deepEqual(await ask(store), []);
});

contract(
  'batches that overlap and run at once neither deadlock nor count twice',
  async (t, store) => {
    const records = Array.from({length: 60}, (_, index) =>
      makeRecord(index % 3 === 0 ? 'unsettled' : 'finished', {
        at: hour + (index % 7) * 1000,
        model: `m${index % 5}`,
        endpoint: `http://e${index % 4}`,
      }),
    );
    const corrected = records.map(record => ({...record, outcome: 'completed', costNanos: 47_450}));
    const shuffled = (seed: number, from: readonly UsageRecord[]) =>
      from.filter((_, index) => (index * 7 + seed) % 3 !== 0).reverse();
    await Promise.all(
      Array.from({length: 12}, (_, seed) =>
        write(store, shuffled(seed, seed % 2 === 0 ? records : corrected)),
      ),
    );
    await write(store, [...records, ...corrected]);
    const [total] = await ask(store);
    t.like(total?.sums, {requests: 60n, failed: 0n, costNanos: 60n * 47_450n});
    const byDay = await ask(store, {
      from: '2020-01-01',
      to: new Date(hour + 2 * 86_400_000).toISOString().slice(0, 10),
      granularity: 'day',
    });
    t.is(
      byDay.reduce((sum, {sums}) => sum + sums.requests, 0n),
      60n,
    );
  },
);
