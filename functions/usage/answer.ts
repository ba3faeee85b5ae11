/**
Answer: rows of a query as JSON or CSV. Money is a decimal text in USD; tokens and counts are numbers.
*/
import {formatUsd} from '../../events/money.ts';
import {csvLine} from './csv.ts';
import type {Query, Row} from './query.ts';
import type {UsageRecord} from './record.ts';

const figures = [
  'requests',
  'failed',
  'inputTokens',
  'cachedInputTokens',
  'outputTokens',
  'cost',
  'estimated',
] as const;

const toItem = ({start, dimensions, sums}: Row): Record<string, string | number> => ({
  ...(start === undefined ? {} : {start}),
  ...dimensions,
  requests: Number(sums.requests),
  failed: Number(sums.failed),
  inputTokens: Number(sums.inputTokens),
  cachedInputTokens: Number(sums.cachedInputTokens),
  outputTokens: Number(sums.outputTokens),
  cost: formatUsd(sums.costNanos),
  /** Requests whose tokens no model server reported. */
  estimated: Number(sums.estimated),
});

export const toJsonAnswer = (
  {from, to, granularity}: Query,
  rows: readonly Row[],
  truncated: boolean,
) => ({
  from,
  to,
  granularity,
  data: rows.map(toItem),
  ...(truncated ? {truncated} : {}),
});

/** The columns depend on the query only, so an empty answer still has its header. */
export const toCsv = ({groupBy, granularity}: Query, rows: readonly Row[]): string => {
  const columns = [...(granularity === 'total' ? [] : ['start']), ...groupBy, ...figures];
  const lines = rows.map(toItem).map(item => csvLine(columns.map(name => item[name])));
  return [csvLine(columns), ...lines].join('');
};

/** The record of one request as the API shows it. */
export const toRecordAnswer = ({month: _month, org, at, costNanos, ...record}: UsageRecord) => ({
  ...record,
  org,
  startedAt: at,
  cost: formatUsd(BigInt(costNanos)),
});
