/**
Rollup: the sums of usage records an hour or a day, UTC.

In: records that are new, and pairs of an unsettled record and what replaced it. Out: what each row of a rollup changes by,
in the order of their keys: every writer takes the rows' locks in that order, so no two wait for each other.
A request counts as failed unless it completed or its client went away.
*/
import type {UsageRecord} from './record.ts';

export type Unit = 'hour' | 'day';

export type RollupKey = Readonly<{
  /** An instant of the hour, or a date, both UTC: `2026-11-21T10:00:00.000Z`, `2026-11-21`. */
  start: string;
  org: string;
  project: string;
  key: string;
  model: string;
  environment: string;
  endpoint: string;
}>;

/** Signed: a replaced record takes its part out again. */
export type Sums = Readonly<{
  requests: bigint;
  failed: bigint;
  estimated: bigint;
  inputTokens: bigint;
  cachedInputTokens: bigint;
  outputTokens: bigint;
  costNanos: bigint;
  latencyMs: bigint;
}>;

export type Rollup = RollupKey & Sums;
export type Replacement = Readonly<{before: UsageRecord; after: UsageRecord}>;

export const startOf = (at: string, unit: Unit) =>
  unit === 'hour' ? `${at.slice(0, 13)}:00:00.000Z` : at.slice(0, 10);

export const rollUp = (
  added: readonly UsageRecord[],
  replaced: readonly Replacement[],
  unit: Unit,
): Rollup[] => {
  const byKey = new Map<string, Rollup>();
  const add = (record: UsageRecord, sign: 1n | -1n) => {
    const key = keyOf(record, unit);
    const text = JSON.stringify(Object.values(key));
    byKey.set(text, {...key, ...addSums(byKey.get(text) ?? nothing, sumsOf(record), sign)});
  };
  for (const record of added) {
    add(record, 1n);
  }
  for (const {before, after} of replaced) {
    add(before, -1n);
    add(after, 1n);
  }
  return [...byKey.entries()]
    .filter(([, rollup]) => sumNames.some(name => rollup[name] !== 0n))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, rollup]) => rollup);
};

const keyOf = (
  {at, org, project, key, model, environment, endpoint}: UsageRecord,
  unit: Unit,
): RollupKey => ({
  org,
  start: startOf(at, unit),
  project,
  key,
  model,
  environment,
  endpoint,
});

const sumsOf = (record: UsageRecord): Sums => ({
  requests: 1n,
  failed: record.outcome === 'completed' || record.outcome === 'client_aborted' ? 0n : 1n,
  estimated: record.estimated ? 1n : 0n,
  inputTokens: BigInt(record.inputTokens),
  cachedInputTokens: BigInt(record.cachedInputTokens),
  outputTokens: BigInt(record.outputTokens),
  costNanos: BigInt(record.costNanos),
  latencyMs: BigInt(record.latencyMs ?? 0),
});

export const nothing: Sums = {
  requests: 0n,
  failed: 0n,
  estimated: 0n,
  inputTokens: 0n,
  cachedInputTokens: 0n,
  outputTokens: 0n,
  costNanos: 0n,
  latencyMs: 0n,
};

export const sumNames = Object.keys(nothing) as (keyof Sums)[];

export const addSums = (a: Sums, b: Sums, sign: 1n | -1n = 1n): Sums =>
  Object.fromEntries(sumNames.map(name => [name, a[name] + sign * b[name]])) as Sums;
