/**
Explain: everything that is known of one request, as one answer to "why?".

In: the rows about it. Out: what it was, what state it is in, what it held and what it cost, with the arithmetic; or why it was
refused. Nothing here is reckoned anew but the product of tokens and price, which is held against what was charged.
*/
import {formatUsd} from '../../../events/money.ts';
import {costOf, type PriceColumns, toPrice} from '../../../events/price.ts';
import {formatAmount} from '../money/amount.ts';
import {toLedgerView} from '../money/ledger.ts';
import type {LedgerRow, LetterRow, OpenRow, RefusalRow, UsageRow} from './explain-rows.ts';

export type State = 'refused' | 'running' | 'overdue' | 'settled' | 'unreadable';

export type Found = Readonly<{
  request: string;
  org: string;
  open: OpenRow | undefined;
  /** The oldest first. */
  ledger: readonly LedgerRow[];
  usage: UsageRow | undefined;
  refusal: RefusalRow | undefined;
  letters: readonly LetterRow[];
  price: PriceColumns | undefined;
  limits: object;
  now: Date;
}>;

export const isFound = ({open, ledger, usage, refusal, letters}: Omit<Found, 'price' | 'limits'>) =>
  Boolean(open || usage || refusal || ledger.length > 0 || letters.length > 0);

const stateOf = ({open, ledger, usage, refusal, now}: Found): State => {
  if (ledger.length > 0 || usage) {
    return 'settled';
  }
  if (open) {
    return open.deadline > now ? 'running' : 'overdue';
  }
  return refusal ? 'refused' : 'unreadable';
};

export const explain = (found: Found) => {
  const {request, org, open, ledger, usage, refusal, letters, limits} = found;
  const state = stateOf(found);
  const about = usage ?? open?.intent ?? ledger[0] ?? refusal;
  return withoutNull({
    request,
    state,
    summary: summaryOf(found, state),
    org,
    project: about?.project,
    key: about?.key,
    environment: about?.environment,
    model: about?.model,
    endpoint: usage?.endpoint ?? open?.intent.endpoint,
    tries: usage?.tries,
    operation: usage?.operation ?? open?.intent.operation ?? refusal?.operation,
    streamed: usage?.streamed ?? open?.intent.streamed ?? refusal?.streamed,
    label: usage?.label ?? open?.intent.label,
    trace: traceIn(usage?.traceparent ?? ledger[0]?.traceparent) ?? refusal?.trace,
    times: timesOf(found),
    status: refusal?.status ?? usage?.status,
    outcome: usage?.outcome ?? ledger.at(-1)?.outcome,
    promptBytes: open?.intent.promptBytes,
    unsettledPolicy: open?.intent.unsettledPolicy,
    limits,
    holds: open && holdsOf(open),
    cost: costView(found),
    ledger: ledger.map(toLedgerView),
    usageRecorded: usage !== undefined,
    refusal: refusal && refusalView(refusal),
    deadLetters: letters.map(letterView),
  });
};

const summaryOf = ({open, ledger, usage, refusal, letters}: Found, state: State): string => {
  switch (state) {
    case 'refused':
      return `refused with ${refusal?.status} ${refusal?.code} before it was sent to a model server: ${refusal?.reason}`;
    case 'running':
      return `it began and is not settled; its deadline is ${open?.deadline.toISOString()}`;
    case 'overdue':
      return 'its deadline is over and no result came: policy settles it a minute after, when a gateway has asked for that';
    case 'unreadable':
      return `nothing was charged: ${letters.length} of its events are dead letters`;
    case 'settled': {
      const entries = ledger.map(({entry}) => entry).join(', then ');
      const outcome = usage?.outcome ?? ledger.at(-1)?.outcome;
      return ledger.length === 0
        ? `it ended (${outcome}) and its usage is recorded; the debit has not read it yet`
        : `it ended (${outcome}) and was charged by ${entries}${usage ? '' : '; its usage is not recorded yet'}`;
    }
  }
};

const traceIn = (traceparent: string | null | undefined) => traceparent?.slice(3, 35);

const timesOf = ({open, ledger, usage, refusal}: Found) => {
  const started = usage?.at ?? ledger[0]?.at ?? (open && new Date(open.intent.startedAt));
  // Both durations count from the arrival, which was before the start by what admission took.
  const arrived =
    usage && usage.latency_ms !== null
      ? new Date(usage.finished_at.getTime() - usage.latency_ms)
      : refusal && new Date(refusal.at.getTime() - refusal.duration_ms);
  const first = usage?.time_to_first_token_ms;
  return withoutNull({
    arrivedAt: arrived,
    startedAt: started,
    firstTokenAt:
      arrived && first !== null && first !== undefined
        ? new Date(arrived.getTime() + first)
        : undefined,
    finishedAt: usage?.finished_at ?? refusal?.at,
    deadline: open?.deadline,
    settledAt: ledger[0]?.settled_at,
    latencyMs: usage?.latency_ms ?? refusal?.duration_ms,
    timeToFirstTokenMs: first,
  });
};

const holdsOf = ({intent, covered}: OpenRow) =>
  intent.budgets.map(({hold, ...budget}, index) => ({
    ...budget,
    hold: formatAmount(budget.unit, BigInt(hold)),
    covered: covered[index] ?? false,
  }));

/** Tokens by price, of all entries together: a correction is the difference to what was charged before. */
const costView = ({ledger, price: row}: Found) => {
  if (ledger.length === 0) {
    return undefined;
  }
  const sum = (of: (entry: LedgerRow) => bigint) =>
    ledger.reduce((total, entry) => total + of(entry), 0n);
  const tokens = {
    inputTokens: Number(sum(entry => entry.input_tokens)),
    cachedInputTokens: Number(sum(entry => entry.cached_input_tokens)),
    outputTokens: Number(sum(entry => entry.output_tokens)),
  };
  const charged = sum(entry => entry.cost_nanos);
  const price = row && toPrice(row);
  const product = price && BigInt(costOf('usd', price, tokens));
  return withoutNull({
    ...tokens,
    charged: formatUsd(charged),
    estimated: ledger.at(-1)?.estimated ?? false,
    priceVersion: ledger.at(-1)?.price_version,
    price: row && priceView(row),
    arithmetic:
      row && product !== undefined
        ? `${arithmetic(row, tokens)} = ${formatUsd(product)} USD`
        : undefined,
    // An estimate is never more than the hold, and what another router reported has its own price.
    agrees: product === undefined ? undefined : product === charged,
  });
};

const perMillion = (nanos: bigint | string) => formatUsd(BigInt(nanos));

const priceView = (row: PriceColumns) =>
  withoutNull({
    free: row.free,
    inputPerMillion: perMillion(row.input_per_million),
    cachedInputPerMillion:
      row.cached_input_per_million === null ? undefined : perMillion(row.cached_input_per_million),
    outputPerMillion: perMillion(row.output_per_million),
  });

const arithmetic = (
  row: PriceColumns,
  {inputTokens, cachedInputTokens: cached, outputTokens}: Record<string, number>,
): string => {
  if (row.free) {
    return 'free';
  }
  const parts = [
    `${(inputTokens as number) - (cached as number)} input × ${perMillion(row.input_per_million)}`,
    ...(cached
      ? [`${cached} cached × ${perMillion(row.cached_input_per_million ?? row.input_per_million)}`]
      : []),
    `${outputTokens} output × ${perMillion(row.output_per_million)}`,
  ];
  return `(${parts.join(' + ')}) ÷ 1,000,000`;
};

const refusalView = ({code, parameter, reason, retry_after_seconds, gateway}: RefusalRow) =>
  withoutNull({code, parameter, reason, retryAfterSeconds: retry_after_seconds, gateway});

const letterView = (letter: LetterRow) => ({
  id: letter.id,
  state: letter.redriven_at ? 'redriven' : letter.dropped_at ? 'dropped' : 'waiting',
  eventId: letter.event_id,
  subscription: letter.subscription,
  reason: letter.reason,
  proved: letter.proved,
  deadAt: letter.dead_at,
});

const withoutNull = (fields: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== null && value !== undefined),
  );
