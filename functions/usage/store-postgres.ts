/**
Store in PostgreSQL, as sluice_system. One statement a step and batch, arrays in, whatever the number of events.

Locks are taken in one order by every batch: records by month and request, then hourly rows by key, then daily rows by key.
Queries step down to sluice_tenant, so that row-level security and not our SQL decides what an organisation sees.
*/
import type pg from 'pg';
import {asTenant, transactionOn} from '../../events/database.ts';
import {insertDeadLetters} from '../../events/dead-letters.ts';
import {monthOf} from '../../events/uuid.ts';
import {queryStatement, type RollupRow, toRow} from './query-sql.ts';
import type {UsageRecord} from './record.ts';
import type {Rollup, Unit} from './rollup.ts';
import type {UsageStore, UsageTransaction} from './store.ts';

type Column<Item> = readonly [name: string, type: string, value: (item: Item) => unknown];

const recordColumns: readonly Column<UsageRecord>[] = [
  ['month', 'date', record => record.month],
  ['request', 'uuid', record => record.request],
  ['org_id', 'uuid', record => record.org],
  ['project_id', 'uuid', record => record.project],
  ['key_id', 'uuid', record => record.key],
  ['model', 'text', record => record.model],
  ['model_id', 'uuid', record => record.modelId],
  ['environment', 'text', record => record.environment],
  ['endpoint', 'text', record => record.endpoint],
  ['operation', 'text', record => record.operation],
  ['streamed', 'boolean', record => record.streamed],
  ['at', 'timestamptz', record => record.at],
  ['finished_at', 'timestamptz', record => record.finishedAt],
  ['outcome', 'text', record => record.outcome],
  ['status', 'integer', record => record.status],
  ['input_tokens', 'bigint', record => record.inputTokens],
  ['cached_input_tokens', 'bigint', record => record.cachedInputTokens],
  ['output_tokens', 'bigint', record => record.outputTokens],
  ['cost_nanos', 'bigint', record => record.costNanos],
  ['estimated', 'boolean', record => record.estimated],
  ['latency_ms', 'integer', record => record.latencyMs],
  ['time_to_first_token_ms', 'integer', record => record.timeToFirstTokenMs],
  ['label', 'text', record => record.label],
  ['traceparent', 'text', record => record.traceparent],
];

const rollupKeys: readonly Column<Rollup>[] = [
  ['org_id', 'uuid', rollup => rollup.org],
  ['project_id', 'uuid', rollup => rollup.project],
  ['key_id', 'uuid', rollup => rollup.key],
  ['model', 'text', rollup => rollup.model],
  ['environment', 'text', rollup => rollup.environment],
  ['endpoint', 'text', rollup => rollup.endpoint],
];
const rollupSums: readonly Column<Rollup>[] = [
  ['requests', 'bigint', rollup => String(rollup.requests)],
  ['failed', 'bigint', rollup => String(rollup.failed)],
  ['estimated', 'bigint', rollup => String(rollup.estimated)],
  ['input_tokens', 'bigint', rollup => String(rollup.inputTokens)],
  ['cached_input_tokens', 'bigint', rollup => String(rollup.cachedInputTokens)],
  ['output_tokens', 'bigint', rollup => String(rollup.outputTokens)],
  ['cost_nanos', 'bigint', rollup => String(rollup.costNanos)],
  ['latency_ms', 'bigint', rollup => String(rollup.latencyMs)],
];

const namesOf = <Item>(columns: readonly Column<Item>[]) =>
  columns.map(([name]) => name).join(', ');
/** `unnest($1::date[], $2::uuid[], …)`: one parameter a column, whatever the number of rows. */
const unnest = <Item>(columns: readonly Column<Item>[]) =>
  `unnest(${columns.map(([, type], index) => `$${index + 1}::${type}[]`).join(', ')})`;
const valuesOf = <Item>(columns: readonly Column<Item>[], items: readonly Item[]) =>
  columns.map(([, , value]) => items.map(value));

const insertText = `
  insert into usage_records (${namesOf(recordColumns)}) select * from ${unnest(recordColumns)}
  on conflict do nothing returning request`;

const lockText = `
  select ${namesOf(recordColumns)} from usage_records
  where (month, request) in (select * from unnest($1::date[], $2::uuid[])) and outcome = 'unsettled'
  order by month, request for update`;

const replaceText = `
  update usage_records old
  set ${recordColumns
    .slice(2)
    .map(([name]) => `${name} = new.${name}`)
    .join(', ')}
  from ${unnest(recordColumns)} as new (${namesOf(recordColumns)})
  where old.month = new.month and old.request = new.request`;

const rollupText = (unit: Unit) => {
  const table = unit === 'hour' ? 'usage_hourly' : 'usage_daily';
  const columns = rollupColumns(unit);
  return `
    insert into ${table} (${namesOf(columns)}) select * from ${unnest(columns)}
    on conflict (${namesOf([...columns.slice(0, 1), ...rollupKeys])})
    do update set ${rollupSums.map(([name]) => `${name} = ${table}.${name} + excluded.${name}`).join(', ')}`;
};

const rollupColumns = (unit: Unit): readonly Column<Rollup>[] => [
  [unit, unit === 'hour' ? 'timestamptz' : 'date', rollup => rollup.start],
  ...rollupKeys,
  ...rollupSums,
];

export const createPostgresStore = (pool: pg.Pool): UsageStore => {
  const opened = new Set<string>();
  /** On a connection of its own, before the batch: making a partition locks the whole table until its transaction ends. */
  const openMonths = async (months: readonly string[]) => {
    for (const month of months) {
      if (!opened.has(month)) {
        await pool.query('select open_month($1)', [month]);
        opened.add(month);
      }
    }
  };
  return {
    async transaction(months, work) {
      await openMonths(months);
      return transactionOn(pool)(client => work(createTransaction(client)));
    },
    async query(query, limit) {
      const {text, values} = queryStatement(query, limit);
      const read = async (client: pg.PoolClient) => {
        const {rows} = await client.query<RollupRow>(text, values);
        return rows.map(row => toRow(query, row));
      };
      return query.org === undefined ? transactionOn(pool)(read) : asTenant(pool)(query.org, read);
    },
    record: (org, request) =>
      asTenant(pool)(org, async client => {
        const {rows} = await client.query(
          `select ${namesOf(recordColumns)} from usage_records where month = $1 and request = $2`,
          [monthOf(request), request],
        );
        return rows[0] && toRecord(rows[0]);
      }),
  };
};

const createTransaction = (client: pg.PoolClient): UsageTransaction => ({
  async insert(records) {
    if (records.length === 0) {
      return [];
    }
    const {rows} = await client.query<{request: string}>({
      name: 'usage-insert',
      text: insertText,
      values: valuesOf(recordColumns, records),
    });
    const added = new Set(rows.map(row => row.request));
    return records.filter(record => added.has(record.request));
  },
  async replaceUnsettled(records) {
    if (records.length === 0) {
      return [];
    }
    const {rows} = await client.query({
      name: 'usage-lock',
      text: lockText,
      values: [records.map(record => record.month), records.map(record => record.request)],
    });
    const after = new Map(records.map(record => [record.request, record]));
    const replaced = rows
      .map(toRecord)
      .map(before => ({before, after: after.get(before.request) as UsageRecord}));
    if (replaced.length > 0) {
      await client.query({
        name: 'usage-replace',
        text: replaceText,
        values: valuesOf(
          recordColumns,
          replaced.map(pair => pair.after),
        ),
      });
    }
    return replaced;
  },
  async addRollups(unit, rollups) {
    if (rollups.length > 0) {
      await client.query({
        name: `usage-rollup-${unit}`,
        text: rollupText(unit),
        values: valuesOf(rollupColumns(unit), rollups),
      });
    }
  },
  bury: letters => insertDeadLetters(client, letters),
});

type RecordRow = Record<string, unknown> & {at: Date; finished_at: Date};

const toRecord = (row: RecordRow): UsageRecord => ({
  month: monthOf(row.request as string) as string,
  request: row.request as string,
  org: row.org_id as string,
  project: row.project_id as string,
  key: row.key_id as string,
  model: row.model as string,
  modelId: row.model_id as string,
  environment: row.environment as string,
  endpoint: row.endpoint as string,
  operation: row.operation as string,
  streamed: row.streamed as boolean,
  at: row.at.toISOString(),
  finishedAt: row.finished_at.toISOString(),
  outcome: row.outcome as string,
  status: row.status as number | null,
  inputTokens: Number(row.input_tokens),
  cachedInputTokens: Number(row.cached_input_tokens),
  outputTokens: Number(row.output_tokens),
  costNanos: Number(row.cost_nanos),
  estimated: row.estimated as boolean,
  latencyMs: row.latency_ms as number | null,
  timeToFirstTokenMs: row.time_to_first_token_ms as number | null,
  label: row.label as string | null,
  traceparent: row.traceparent as string | null,
});
