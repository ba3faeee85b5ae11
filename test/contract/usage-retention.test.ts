import test, {type ExecutionContext} from 'ava';
import {createPool} from '../../events/database.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createBroom, monthsKept, retainUsageIn} from '../../functions/usage/broom.ts';
import {rollUp} from '../../functions/usage/rollup.ts';
import {createPostgresStore} from '../../functions/usage/store-postgres.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {makeRecord, someOrg} from '../helpers/usage-events.ts';

/** The 15th of a month so many months ago. */
const middleOf = (monthsAgo: number) => {
  const now = new Date();
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - monthsAgo, 15, 12);
};
const monthsBack = [0, 1, 12, 13, 14, 15, 20];

const setUp = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  const pool = createPool({databaseUrl: database.url('system'), name: 'usage'});
  t.teardown(() => pool.end());
  const root = database.pool('superuser');
  const store = createPostgresStore(pool);
  const write = async (at: number) => {
    const record = {
      ...makeRecord('finished'),
      request: uuidv7(at),
      month: `${new Date(at).toISOString().slice(0, 7)}-01`,
      at: new Date(at).toISOString(),
    };
    await store.transaction([record.month], async transaction => {
      await transaction.insert([record]);
      await transaction.addRollups('hour', rollUp([record], [], 'hour'));
      await transaction.addRollups('day', rollUp([record], [], 'day'));
    });
    await root.query(
      `insert into ledger (month, request, entry, org_id, project_id, key_id, model, model_id, environment, price_version, at,
         input_tokens, output_tokens, cost_nanos, outcome, charges)
       values ($1, $2, 'result', $3, $3, $3, 'm', $3, 'production', 1, $4, 1, 1, 1, 'completed', '[]')`,
      [record.month, record.request, someOrg, record.at],
    );
  };
  const agesIn = async (table: string, column: string) => {
    const {rows} = await root.query<{at: string}>(
      `select ${column}::timestamptz as at from ${table}`,
    );
    const months = monthsBack.map(months => new Date(middleOf(months)).toISOString().slice(0, 7));
    return rows
      .map(({at}) => monthsBack[months.indexOf(new Date(at).toISOString().slice(0, 7))])
      .sort((a, b) => Number(a) - Number(b));
  };
  return {pool, root, store, write, agesIn};
};

test('records and hours of 13 months are kept, older ones dropped by the month; days and the ledger stay', async t => {
  const {pool, root, write, agesIn} = await setUp(t);
  for (const months of monthsBack) {
    await write(middleOf(months));
  }
  const retain = retainUsageIn(pool);
  // Records and hours of the months 14 (when it is over for 13 months: always), 15 and 20.
  t.is(await retain(), 6);
  t.deepEqual(await agesIn('usage_records', 'at'), [0, 1, 12, 13]);
  t.deepEqual(await agesIn('usage_hourly', 'hour'), [0, 1, 12, 13]);
  t.deepEqual(await agesIn('usage_daily', 'day'), monthsBack);
  t.deepEqual(await agesIn('ledger', 'at'), monthsBack);
  t.is(await retain(), 0);
  const {rows} = await root.query(
    `select count(*)::int as count from pg_inherits where inhparent = 'usage_records'::regclass`,
  );
  t.is(rows[0].count, 4);
  for (const months of [0, -1, null]) {
    await t.throwsAsync(pool.query('select retain_usage($1)', [months]), {
      message: /at least a month/,
    });
  }
});

test('what comes late for a dropped month is kept until the next drop, also by a process that knew the month', async t => {
  const {pool, write, agesIn} = await setUp(t);
  await write(middleOf(15));
  t.is(await retainUsageIn(pool)(), 2);
  await t.throwsAsync(write(middleOf(15)), {code: '23514'});
  await write(middleOf(15));
  t.deepEqual(await agesIn('usage_records', 'at'), [15]);
});

test('a partition that is in use is left for the next time, and the others are dropped', async t => {
  const {pool, root, write, agesIn} = await setUp(t);
  await write(middleOf(15));
  await write(middleOf(20));
  const reader = await root.connect();
  await reader.query('begin');
  await reader.query('select * from usage_hourly');
  t.is(await retainUsageIn(pool)(), 2);
  await reader.query('rollback');
  reader.release();
  t.is(await retainUsageIn(pool)(), 2);
  t.deepEqual(await agesIn('usage_hourly', 'hour'), []);
});

test('the broom sweeps once a day, and its failure is only told', async t => {
  let clock = 0;
  let swept = 0;
  const told: string[] = [];
  const sweep = createBroom({
    retain: async () => {
      swept += 1;
      if (swept === 2) {
        throw new Error('the database is away');
      }
      return swept === 1 ? 3 : 0;
    },
    now: () => clock,
    onDropped: partitions => told.push(`${partitions} dropped`),
    onError: error => told.push(error.message),
  });
  for (const hours of [0, 1, 23, 24, 25, 47, 48]) {
    clock = hours * 3_600_000;
    await sweep();
  }
  t.is(swept, 3);
  t.deepEqual(told, ['3 dropped', 'the database is away']);
  t.is(monthsKept, 13);
});
