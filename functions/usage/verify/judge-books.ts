/**
Judge books: whether ledger, usage records, their sums and the windows agree.

In: two sides that should be the same. Out: a finding, or nothing. Pure; amounts are bigint and never rounded.
Ledger and records are written by two functions that do not wait for each other, so what is younger than the grace is only late.
Within one side (records and their sums, ledger and windows) one transaction writes both: there nothing is ever late.
*/
import {formatUsd} from '../../../events/money.ts';
import type {Finding} from './finding.ts';

export type Amounts = Readonly<{
  inputTokens: bigint;
  cachedInputTokens: bigint;
  outputTokens: bigint;
  costNanos: bigint;
}>;

export type Side = Amounts &
  Readonly<{
    org: string;
    model: string;
    /** The hour in which the request began, ISO 8601. */
    hour: string;
    /** When this side came to know how it ended. */
    atMs: number;
  }>;
export type Pair = Readonly<{request: string; ledger?: Side; record?: Side}>;

const nothing: Amounts = {inputTokens: 0n, cachedInputTokens: 0n, outputTokens: 0n, costNanos: 0n};
const names = ['inputTokens', 'cachedInputTokens', 'outputTokens', 'costNanos'] as const;

const tokensOf = ({inputTokens, cachedInputTokens, outputTokens}: Amounts) =>
  `${inputTokens} in (${cachedInputTokens} cached), ${outputTokens} out`;
const textOf = (amounts: Amounts) => `${tokensOf(amounts)}, ${formatUsd(amounts.costNanos)} USD`;

/** Ledger less records; null where they agree. */
export const difference = (ledger: Amounts = nothing, record: Amounts = nothing) => {
  const found = Object.fromEntries(
    names.map(name => [name, ledger[name] - record[name]]),
  ) as Amounts;
  return names.some(name => found[name] !== 0n) ? found : null;
};

export const judgePair = (
  {request, ledger, record}: Pair,
  {nowMs, graceMs}: {nowMs: number; graceMs: number},
): Finding | 'late' | undefined => {
  const known = ledger ?? record;
  if (!known) {
    return undefined;
  }
  const isSame =
    ledger &&
    record &&
    ledger.org === record.org &&
    ledger.model === record.model &&
    difference(ledger, record) === null;
  if (isSame) {
    return undefined;
  }
  if (Math.max(ledger?.atMs ?? 0, record?.atMs ?? 0) > nowMs - graceMs) {
    return 'late';
  }
  const kind = !record ? 'record-missing' : !ledger ? 'ledger-missing' : 'different';
  const misplaced: Record<string, string> =
    ledger && record && (ledger.org !== record.org || ledger.model !== record.model)
      ? {ledgerOf: `${ledger.org} ${ledger.model}`, recordOf: `${record.org} ${record.model}`}
      : {};
  return {
    check: 'requests',
    kind,
    broken: true,
    subject: request,
    org: known.org,
    model: known.model,
    from: known.hour,
    values: {
      ledger: ledger ? textOf(ledger) : 'nothing',
      record: record ? textOf(record) : 'nothing',
      ...misplaced,
    },
  };
};

export type Sum = Amounts & Readonly<{requests: bigint}>;
/** The records of an organisation, model and hour or day, and what the rollup has for them. */
export type SumPair = Readonly<{
  unit: 'hour' | 'day';
  org: string;
  model: string;
  from: string;
  records: Sum;
  rollup: Sum;
}>;

export const judgeSum = ({
  unit,
  org,
  model,
  from,
  records,
  rollup,
}: SumPair): Finding | undefined =>
  records.requests === rollup.requests && difference(records, rollup) === null
    ? undefined
    : {
        check: 'sums',
        kind: unit === 'hour' ? 'hourly-sum-differs' : 'daily-sum-differs',
        broken: true,
        subject: `${org} ${model} ${from}`,
        org,
        model,
        from,
        values: {
          [unit === 'hour' ? 'records' : 'hours']:
            `${records.requests} requests, ${textOf(records)}`,
          rollup: `${rollup.requests} requests, ${textOf(rollup)}`,
        },
      };

export type WindowSums = Readonly<{
  window: string;
  /** Absent: the ledger charged a window that is not there. */
  row?: Readonly<{org: string; budget: string; spent: bigint; leased: bigint; overage: bigint}>;
  /** By the ledger. */
  charged: bigint;
  /** By its leases: granted less settled less returned. */
  held: bigint;
  /** The ledger has every month in which the window was charged. */
  whole: boolean;
}>;

export const judgeWindow = ({window, row, charged, held, whole}: WindowSums): Finding[] => {
  const about = {check: 'windows', subject: window, ...(row ? {org: row.org} : {})} as const;
  if (!row) {
    const values = {ledger: String(charged), window: 'nothing'};
    return [{...about, kind: 'window-missing', broken: true, values}];
  }
  const findings: Finding[] = [];
  const total = row.spent + row.overage;
  if (total !== charged) {
    // Months beyond the retention took their charges with them: then less in the ledger proves nothing.
    const isForgotten = !whole && charged < total;
    findings.push({
      ...about,
      kind: isForgotten ? 'window-older-than-ledger' : 'window-differs',
      broken: !isForgotten,
      values: {
        budget: row.budget,
        ledger: String(charged),
        window: `${row.spent} spent + ${row.overage} overage`,
      },
    });
  }
  if (row.leased !== held) {
    findings.push({
      ...about,
      kind: 'leases-differ',
      broken: true,
      values: {budget: row.budget, leases: String(held), window: `${row.leased} leased`},
    });
  }
  return findings;
};

/** A lease whose open holds are not those of the requests that are not settled; without organisation and window: not there. */
export const judgeLease = ({
  lease,
  org,
  window,
  open,
  holds,
}: Readonly<{
  lease: string;
  org?: string;
  window?: string;
  open: bigint;
  holds: bigint;
}>): Finding => ({
  check: 'windows',
  kind: 'open-holds-differ',
  broken: true,
  subject: lease,
  ...(org === undefined ? {} : {org}),
  values: {...(window === undefined ? {} : {window}), lease: String(open), requests: String(holds)},
});
