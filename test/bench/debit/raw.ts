/**
Raw: the least that keeps what a settled request leaves: one `INSERT … SELECT FROM unnest` of a batch's rows, on its own.

In: which table, a pool. Out: a handler of batches that checks nothing, knows no request twice and moves no money.
*/
import type pg from 'pg';
import type {Event} from '../../../events/event.ts';
import type {EventData} from '../../../events/types.ts';
import type {FunctionName} from './worker.ts';

type Result = EventData['dev.sluice.inference.finished.v1'];
type Row = Result & {traceparent?: string; month: string};
type Column = readonly [name: string, type: string, value: (row: Row) => unknown, quoted?: true];

const shared: readonly Column[] = [
  ['month', 'date', row => row.month],
  ['request', 'uuid', row => row.request],
  ['org_id', 'uuid', row => row.orgid],
  ['project_id', 'uuid', row => row.project],
  ['key_id', 'uuid', row => row.key],
  ['model', 'text', row => row.model, true],
  ['model_id', 'uuid', row => row.modelId],
  ['environment', 'text', row => row.environment],
  ['at', 'timestamptz', row => row.startedAt],
  ['input_tokens', 'bigint', row => row.inputTokens],
  ['cached_input_tokens', 'bigint', row => row.cachedInputTokens],
  ['output_tokens', 'bigint', row => row.outputTokens],
  ['cost_nanos', 'bigint', row => row.costNanos],
  ['estimated', 'boolean', row => row.estimated],
  ['outcome', 'text', row => row.outcome],
  ['traceparent', 'text', row => row.traceparent ?? 'null'],
];

const columnsOf: Readonly<Record<FunctionName, {table: string; columns: readonly Column[]}>> = {
  budget: {
    table: 'ledger',
    columns: [
      ...shared,
      ['entry', 'text', () => 'result'],
      ['price_version', 'integer', row => row.priceVersion],
      ['charges', 'jsonb', row => JSON.stringify(row.budgets), true],
    ],
  },
  usage: {
    table: 'usage_records',
    columns: [
      ...shared,
      ['endpoint', 'text', row => row.endpoint, true],
      ['operation', 'text', row => row.operation],
      ['streamed', 'boolean', row => row.streamed],
      ['finished_at', 'timestamptz', row => row.finishedAt],
      ['status', 'integer', row => row.status ?? 'null'],
      ['latency_ms', 'integer', row => row.latencyMs],
      ['time_to_first_token_ms', 'integer', row => row.timeToFirstTokenMs ?? 'null'],
    ],
  },
};

const arrayOf = (values: readonly unknown[], quoted = false) =>
  quoted
    ? `{"${values.map(value => String(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"')).join('","')}"}`
    : `{${values.join(',')}}`;

export const rawInsert = (of: FunctionName, pool: pg.Pool) => {
  const {table, columns} = columnsOf[of];
  const names = columns.map(([name]) => name).join(', ');
  const types = columns.map(([, type], index) => `$${index + 1}::${type}[]`).join(', ');
  const text = `insert into ${table} (${names}) select * from unnest(${types})`;
  const month = `${new Date().toISOString().slice(0, 7)}-01`;
  return async function insertBatch(events: readonly Event[]) {
    const rows = events
      .filter(({type}) => type === 'dev.sluice.inference.finished.v1')
      .map(({data, traceparent}) => ({...(data as Result), month, traceparent}) as Row);
    if (rows.length > 0) {
      const values = columns.map(([, , value, quoted]) => arrayOf(rows.map(value), quoted));
      await pool.query({name: 'raw', text, values});
    }
  };
};
