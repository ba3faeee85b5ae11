/**
Page in PostgreSQL: what comes after an item of an export, as the tenant, in the order of an index.

In: a query, the last item before the page. Out: items. A page is found by its key and not by counting, so the last costs what the
first does. When whoever asked has gone, PostgreSQL is told to give it up.
*/
import type pg from 'pg';
import {asTenant} from '../../events/database.ts';
import {
  type Column,
  namesOf,
  type RecordRow,
  recordColumns,
  rollupColumns,
  rollupKeys,
  toRecord,
} from './columns.ts';
import type {ExportQuery} from './query.ts';
import {columnOf} from './query-sql.ts';
import type {UsageRecord} from './record.ts';
import type {Rollup} from './rollup.ts';
import type {ExportItem, Page, UsageStore} from './store.ts';

type Row = Record<string, unknown>;
type Values = unknown[];

const dayMs = 86_400_000;
const monthOfInstant = (ms: number) => `${new Date(ms).toISOString().slice(0, 7)}-01`;

/** A request's id is a little older than its instant, so a day more is looked at on both sides. */
const monthsOf = ({from, to}: ExportQuery) => [
  monthOfInstant(Date.parse(from) - dayMs),
  monthOfInstant(Date.parse(to) + dayMs),
];

const shapes = {
  record: {table: 'usage_records', time: 'at', columns: recordColumns, key: ['at', 'request']},
  hour: {
    table: 'usage_hourly',
    time: 'hour',
    columns: rollupColumns('hour'),
    key: ['hour', ...rollupKeys.slice(1).map(([name]) => name)],
  },
  day: {
    table: 'usage_daily',
    time: 'day',
    columns: rollupColumns('day'),
    key: ['day', ...rollupKeys.slice(1).map(([name]) => name)],
  },
} as const;

const pageStatement = (query: ExportQuery, {after, limit}: Page) => {
  const {table, time, columns, key} = shapes[query.granularity];
  const values: Values = [];
  const put = (value: unknown) => `$${values.push(value)}`;
  const instant = (text: string) => (time === 'day' ? text.slice(0, 10) : text);
  const conditions = [
    `org_id = ${put(query.org)}`,
    `${time} >= ${put(instant(query.from))}`,
    `${time} < ${put(instant(query.to))}`,
    ...Object.entries(query.filters).map(
      ([name, value]) => `${columnOf[name as keyof typeof columnOf]} = ${put(value)}`,
    ),
  ];
  if (query.granularity === 'record') {
    const [first, last] = monthsOf(query);
    conditions.push(`month >= ${put(first)}`, `month <= ${put(last)}`);
  }
  if (after) {
    const all = columns as readonly Column<ExportItem>[];
    const places = key.map(name => put(all.find(([column]) => column === name)?.[2](after)));
    conditions.push(`(${key.join(', ')}) > (${places.join(', ')})`);
  }
  return {
    text: `select ${namesOf(columns as readonly Column<never>[])} from ${table}
           where ${conditions.join(' and ')} order by ${key.join(', ')} limit ${put(limit)}`,
    values,
  };
};

export const pageIn = (pool: pg.Pool): UsageStore['page'] =>
  async function readPage(query, page) {
    const {rows} = await asTenant(pool)(query.org, client =>
      givingUp(pool, client, page.signal, () => client.query<Row>(pageStatement(query, page))),
    );
    return rows.map(row =>
      query.granularity === 'record'
        ? (toRecord(row as RecordRow) satisfies UsageRecord)
        : toRollup(row, query.granularity),
    );
  };

/** The connection is not given back before a cancellation that is under way, or that would meet whoever has it next. */
const givingUp = async <Result>(
  pool: pg.Pool,
  client: pg.PoolClient,
  signal: AbortSignal | undefined,
  work: () => Promise<Result>,
): Promise<Result> => {
  signal?.throwIfAborted();
  let cancelling: Promise<unknown> = Promise.resolve();
  const cancel = () => {
    const {processID} = client as unknown as {processID: number};
    cancelling = pool.query('select pg_cancel_backend($1)', [processID]).catch(() => {});
  };
  signal?.addEventListener('abort', cancel, {once: true});
  try {
    return await work();
  } finally {
    signal?.removeEventListener('abort', cancel);
    await cancelling;
  }
};

const toRollup = (row: Row, unit: 'hour' | 'day'): Rollup => ({
  start: unit === 'hour' ? (row.hour as Date).toISOString() : (row.day as string),
  org: row.org_id as string,
  project: row.project_id as string,
  key: row.key_id as string,
  model: row.model as string,
  environment: row.environment as string,
  endpoint: row.endpoint as string,
  requests: row.requests as bigint,
  failed: row.failed as bigint,
  estimated: row.estimated as bigint,
  inputTokens: row.input_tokens as bigint,
  cachedInputTokens: row.cached_input_tokens as bigint,
  outputTokens: row.output_tokens as bigint,
  costNanos: row.cost_nanos as bigint,
  latencyMs: row.latency_ms as bigint,
});
