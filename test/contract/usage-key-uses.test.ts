/** When a key was last used: one statement a batch at most, told once it is committed, seen by its organisation alone. */
import test, {type ExecutionContext} from 'ava';
import {createPool, transactionOn} from '../../events/database.ts';
import {createMetrics} from '../../events/metrics.ts';
import {uuidv7} from '../../events/uuid.ts';
import {aggregate} from '../../functions/usage/aggregate.ts';
import {createKeyUses} from '../../functions/usage/key-uses.ts';
import type {UsageRecord} from '../../functions/usage/record.ts';
import {createPostgresStore} from '../../functions/usage/store-postgres.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {makeUsageEvent, otherOrg, someOrg} from '../helpers/usage-events.ts';

const start = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  const pool = createPool({
    databaseUrl: database.url('system'),
    name: 'usage',
    connectTimeoutMs: 60_000,
  });
  t.teardown(() => pool.end());
  const uses = async () => {
    const {rows} = await database
      .pool('superuser')
      .query<{key: string; at: Date}>(
        'select key_id as key, last_used_at as at from key_uses order by key_id',
      );
    return rows.map(({key, at}) => [key, at.toISOString()]);
  };
  return {database, pool, uses};
};

const recordOf = (key: string, at: string, org = someOrg) => ({key, org, at}) as UsageRecord;

test('a batch of the log tells of its keys, and the organisation of another sees nothing of it', async t => {
  const {database, pool, uses} = await start(t);
  const handle = aggregate({store: createPostgresStore(pool), metrics: createMetrics()});
  const events = [makeUsageEvent('finished'), makeUsageEvent('finished')];
  await handle(events);
  await handle(events);
  const event = events.at(-1);
  const {key, startedAt} = (event as (typeof events)[number]).data as {
    key: string;
    startedAt: string;
  };
  t.deepEqual(await uses(), [[key, startedAt]]);
  const seenBy = async (org: string) => {
    const client = await database.pool('tenant').connect();
    await client.query('begin');
    await client.query("select set_config('sluice.org', $1, true)", [org]);
    const {rowCount} = await client.query('select from key_uses');
    await client.query('rollback');
    client.release();
    return rowCount;
  };
  t.deepEqual([await seenBy(someOrg), await seenBy(otherOrg)], [1, 0]);
});

test('what is not a minute newer is not written, what is older never', async t => {
  const {pool, uses} = await start(t);
  const [one, two] = [uuidv7(), uuidv7()].toSorted() as [string, string];
  let statements = 0;
  const begin = createKeyUses();
  const note = (records: readonly UsageRecord[], using = begin) =>
    transactionOn(pool)(async client => {
      const counting = {
        query: (...parts: unknown[]) => {
          statements += 1;
          return (client.query as (...all: unknown[]) => unknown).apply(client, parts);
        },
      };
      const told = using(counting as never);
      await told.note(records);
      return told;
    }).then(told => told.committed());
  const at = (seconds: number) => new Date(Date.UTC(2026, 10, 21, 10, 0, seconds)).toISOString();
  await note([recordOf(one, at(5)), recordOf(one, at(10)), recordOf(two, at(7))]);
  t.is(statements, 1);
  t.deepEqual(await uses(), [
    [one, at(10)],
    [two, at(7)],
  ]);
  await note([recordOf(one, at(69)), recordOf(two, at(1))]);
  t.is(statements, 1);
  await note([recordOf(one, at(70)), recordOf(two, at(20))]);
  t.is(statements, 2);
  t.deepEqual(await uses(), [
    [one, at(70)],
    [two, at(7)],
  ]);
  // Another process, which remembers nothing.
  await note([recordOf(one, at(30)), recordOf(two, at(67))], createKeyUses());
  t.deepEqual(await uses(), [
    [one, at(70)],
    [two, at(67)],
  ]);
});

test('a transaction that failed has told nothing, so the next one does', async t => {
  const {pool, uses} = await start(t);
  const begin = createKeyUses();
  const key = uuidv7();
  const record = recordOf(key, '2026-11-21T10:00:00.000Z');
  await t.throwsAsync(
    transactionOn(pool)(async client => {
      await begin(client).note([record]);
      throw new Error('the batch failed');
    }),
  );
  t.deepEqual(await uses(), []);
  await transactionOn(pool)(client => begin(client).note([record]));
  t.deepEqual(await uses(), [[key, record.at]]);
});

test('two batches with the same keys in another order do not wait for each other in a circle', async t => {
  const {pool, uses} = await start(t);
  const keys = Array.from({length: 50}, () => uuidv7());
  const records = keys.map(key => recordOf(key, '2026-11-21T10:00:00.000Z'));
  await Promise.all(
    [records, records.toReversed(), records, records.toReversed()].map(batch =>
      transactionOn(pool)(client => createKeyUses()(client).note(batch)),
    ),
  );
  t.is((await uses()).length, 50);
});
