/**
Columns: the tables of usage, column by column: names, types, and how an item becomes a row and a row an item.
*/
import {monthOf} from '../../events/uuid.ts';
import type {UsageRecord} from './record.ts';
import type {Rollup, Unit} from './rollup.ts';

export type Column<Item> = readonly [name: string, type: string, value: (item: Item) => unknown];

export const recordColumns: readonly Column<UsageRecord>[] = [
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
  ['tries', 'integer', record => record.tries],
  ['label', 'text', record => record.label],
  ['traceparent', 'text', record => record.traceparent],
];

export const rollupKeys: readonly Column<Rollup>[] = [
  ['org_id', 'uuid', rollup => rollup.org],
  ['project_id', 'uuid', rollup => rollup.project],
  ['key_id', 'uuid', rollup => rollup.key],
  ['model', 'text', rollup => rollup.model],
  ['environment', 'text', rollup => rollup.environment],
  ['endpoint', 'text', rollup => rollup.endpoint],
];
export const rollupSums: readonly Column<Rollup>[] = [
  ['requests', 'bigint', rollup => String(rollup.requests)],
  ['failed', 'bigint', rollup => String(rollup.failed)],
  ['estimated', 'bigint', rollup => String(rollup.estimated)],
  ['input_tokens', 'bigint', rollup => String(rollup.inputTokens)],
  ['cached_input_tokens', 'bigint', rollup => String(rollup.cachedInputTokens)],
  ['output_tokens', 'bigint', rollup => String(rollup.outputTokens)],
  ['cost_nanos', 'bigint', rollup => String(rollup.costNanos)],
  ['latency_ms', 'bigint', rollup => String(rollup.latencyMs)],
];

export const namesOf = <Item>(columns: readonly Column<Item>[]) =>
  columns.map(([name]) => name).join(', ');
/** `unnest($1::date[], $2::uuid[], …)`: one parameter a column, whatever the number of rows. */
export const unnest = <Item>(columns: readonly Column<Item>[]) =>
  `unnest(${columns.map(([, type], index) => `$${index + 1}::${type}[]`).join(', ')})`;
export const valuesOf = <Item>(columns: readonly Column<Item>[], items: readonly Item[]) =>
  columns.map(([, , value]) => items.map(value));

export const rollupColumns = (unit: Unit): readonly Column<Rollup>[] => [
  [unit, unit === 'hour' ? 'timestamptz' : 'date', rollup => rollup.start],
  ...rollupKeys,
  ...rollupSums,
];

export type RecordRow = Record<string, unknown> & {at: Date; finished_at: Date};

export const toRecord = (row: RecordRow): UsageRecord => ({
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
  tries: row.tries as number | null,
  label: row.label as string | null,
  traceparent: row.traceparent as string | null,
});
