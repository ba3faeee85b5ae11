/**
Export: an organisation's records, hours or days, as many as there are, in constant memory.

In: a query, a store that gives a page after an item. Out: chunks of text, one a page, made when they are asked for. A page is a
transaction of its own: a client that reads slowly keeps no cursor, no lock and no old snapshot open. What is written behind
the place that an export has reached is in the next one.
*/
import {formatUsd} from '../../events/money.ts';
import {csvLine} from './csv.ts';
import type {ExportQuery} from './query.ts';
import type {UsageRecord} from './record.ts';
import type {Rollup} from './rollup.ts';
import type {ExportItem, UsageStore} from './store.ts';

type Line = Readonly<Record<string, string | number | boolean | null>>;
type Columns<Item> = Readonly<Record<string, (item: Item) => Line[string]>>;

const recordColumns: Columns<UsageRecord> = {
  request: item => item.request,
  startedAt: item => item.at,
  finishedAt: item => item.finishedAt,
  org: item => item.org,
  project: item => item.project,
  key: item => item.key,
  model: item => item.model,
  environment: item => item.environment,
  endpoint: item => item.endpoint,
  operation: item => item.operation,
  streamed: item => item.streamed,
  outcome: item => item.outcome,
  status: item => item.status,
  inputTokens: item => item.inputTokens,
  cachedInputTokens: item => item.cachedInputTokens,
  outputTokens: item => item.outputTokens,
  cost: item => formatUsd(BigInt(item.costNanos)),
  estimated: item => item.estimated,
  latencyMs: item => item.latencyMs,
  timeToFirstTokenMs: item => item.timeToFirstTokenMs,
  label: item => item.label,
};

const rollupColumns: Columns<Rollup> = {
  start: item => item.start,
  org: item => item.org,
  project: item => item.project,
  key: item => item.key,
  model: item => item.model,
  environment: item => item.environment,
  endpoint: item => item.endpoint,
  requests: item => Number(item.requests),
  failed: item => Number(item.failed),
  inputTokens: item => Number(item.inputTokens),
  cachedInputTokens: item => Number(item.cachedInputTokens),
  outputTokens: item => Number(item.outputTokens),
  cost: item => formatUsd(item.costNanos),
  estimated: item => Number(item.estimated),
  latencyMs: item => Number(item.latencyMs),
};

const columnsOf = ({granularity}: ExportQuery) =>
  Object.entries(granularity === 'record' ? recordColumns : rollupColumns) as [
    string,
    (item: ExportItem) => Line[string],
  ][];

/** The first chunk is there even when nothing is: a CSV has its header. */
export async function* exportChunks({
  store,
  query,
  format,
  signal,
  pageRows = 1_000,
}: {
  store: Pick<UsageStore, 'page'>;
  query: ExportQuery;
  format: 'csv' | 'json';
  /** The client has gone: the page that is being read is given up, and no other begun. */
  signal?: AbortSignal;
  pageRows?: number;
}): AsyncGenerator<string, void> {
  const columns = columnsOf(query);
  const textOf = (item: ExportItem) =>
    format === 'csv'
      ? csvLine(columns.map(([, value]) => value(item)))
      : `${JSON.stringify(Object.fromEntries(columns.map(([name, value]) => [name, value(item)])))}\n`;
  let head = format === 'csv' ? csvLine(columns.map(([name]) => name)) : '';
  for (let after: ExportItem | undefined; ; ) {
    const items = await store.page(query, {after, limit: pageRows, signal});
    yield head + items.map(textOf).join('');
    head = '';
    after = items.at(-1);
    if (items.length < pageRows) {
      return;
    }
  }
}
