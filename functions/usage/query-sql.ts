/**
Query SQL: a query as one statement on a rollup. Days are read from the daily rollup where the range is of whole days.

Names of tables and columns come from the lists here, never from the query; values are parameters.
*/
import type {Dimension, Query, Row} from './query.ts';

export type Statement = Readonly<{text: string; values: unknown[]}>;

export const columnOf: Readonly<Record<Dimension, string>> = {
  org: 'org_id',
  project: 'project_id',
  key: 'key_id',
  model: 'model',
  endpoint: 'endpoint',
  environment: 'environment',
};
const sums = [
  'requests',
  'failed',
  'estimated',
  'input_tokens',
  'cached_input_tokens',
  'output_tokens',
  'cost_nanos',
  'latency_ms',
];
const midnight = 'T00:00:00.000Z';

export const queryStatement = (query: Query, limit: number): Statement => {
  const {filters, from, to, granularity} = query;
  const wholeDays = from.endsWith(midnight) && to.endsWith(midnight);
  const table = granularity !== 'hour' && wholeDays ? 'usage_daily' : 'usage_hourly';
  const column = table === 'usage_daily' ? 'day' : 'hour';
  const values: unknown[] = [
    table === 'usage_daily' ? from.slice(0, 10) : from,
    table === 'usage_daily' ? to.slice(0, 10) : to,
  ];
  const conditions = [`${column} >= $1`, `${column} < $2`];
  const equal = {...(query.org === undefined ? {} : {org: query.org}), ...filters};
  for (const [name, value] of Object.entries(equal)) {
    values.push(value);
    conditions.push(`${columnOf[name as Dimension]} = $${values.length}`);
  }
  values.push(limit);
  const start = {
    hour: `to_char(hour at time zone 'UTC', 'YYYY-MM-DD"T"HH24":00:00.000Z"')`,
    day:
      column === 'day'
        ? `to_char(day, 'YYYY-MM-DD')`
        : `to_char(hour at time zone 'UTC', 'YYYY-MM-DD')`,
    month: `to_char(${column === 'day' ? 'day' : "hour at time zone 'UTC'"}, 'YYYY-MM')`,
    total: undefined,
  }[granularity];
  const selected = [
    ...(start ? [`${start} as start`] : []),
    ...query.groupBy.map(name => columnOf[name]),
  ];
  const places = selected.map((_, index) => index + 1).join(', ');
  return {
    // Sums are numeric: a bigint could overflow where its rows did not.
    text: `select ${[...selected, ...sums.map(name => `coalesce(sum(${name}), 0)::text as ${name}`)].join(', ')}
           from ${table} where ${conditions.join(' and ')}
           ${places ? `group by ${places} order by ${places}` : 'having count(*) > 0'} limit $${values.length}`,
    values,
  };
};

export type RollupRow = Record<string, string>;

export const toRow = ({groupBy, granularity}: Query, row: RollupRow): Row => ({
  ...(granularity === 'total' ? {} : {start: row.start}),
  dimensions: Object.fromEntries(groupBy.map(name => [name, row[columnOf[name]]])),
  sums: {
    requests: BigInt(row.requests as string),
    failed: BigInt(row.failed as string),
    estimated: BigInt(row.estimated as string),
    inputTokens: BigInt(row.input_tokens as string),
    cachedInputTokens: BigInt(row.cached_input_tokens as string),
    outputTokens: BigInt(row.output_tokens as string),
    costNanos: BigInt(row.cost_nanos as string),
    latencyMs: BigInt(row.latency_ms as string),
  },
});
