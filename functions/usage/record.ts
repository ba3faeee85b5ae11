/**
Record: what the usage function keeps of one settled request.

In: an event of the log. Out: a usage record; or that the event is none of ours; or why its data can never be one.
The accounting instant is the intent's (`startedAt`); the month is that of the request's id, so that the same request
always meets the same partition. A record is final unless its outcome is `unsettled`: that one a late result replaces.
*/
import type {Event} from '../../events/event.ts';
import {requestNanosMax} from '../../events/limits.ts';
import {isUuid, monthOf} from '../../events/uuid.ts';

export type UsageRecord = Readonly<{
  /** The first day of the month, UTC, as `2026-11-01`. */
  month: string;
  request: string;
  org: string;
  project: string;
  key: string;
  model: string;
  modelId: string;
  environment: string;
  /** Empty when no endpoint was reached. */
  endpoint: string;
  operation: string;
  streamed: boolean;
  /** ISO 8601, UTC, milliseconds. */
  at: string;
  finishedAt: string;
  outcome: string;
  status: number | null;
  inputTokens: number;
  cachedInputTokens: number;
  outputTokens: number;
  costNanos: number;
  estimated: boolean;
  latencyMs: number | null;
  timeToFirstTokenMs: number | null;
  /** Endpoints that it was sent to, one after the other, where it was more than one. */
  tries: number | null;
  label: string | null;
  traceparent: string | null;
}>;

export type Reading = Readonly<{record: UsageRecord} | {refused: string} | 'ignored'>;

type Check = readonly [expected: string, holds: (value: unknown, nowMs: number) => boolean];
type Fields = Record<string, unknown>;

const dayMs = 86_400_000;
/** Partitions are made for 26 months back and two ahead; a little less here, so that the database never refuses a batch. */
const pastMs = 25 * 30 * dayMs;
const futureMs = 30 * dayMs;
const instantPattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

const text = (lengthMax: number, lengthMin = 0): Check => [
  `a text of ${lengthMin} to ${lengthMax} characters without NUL`,
  value =>
    typeof value === 'string' &&
    value.length >= lengthMin &&
    value.length <= lengthMax &&
    !value.includes('\0') &&
    value.isWellFormed(),
];
const uuid: Check = ['a UUID', isUuid];
const flag: Check = ['true or false', value => typeof value === 'boolean'];
const whole = (max: number): Check => [
  `a whole number from 0 to ${max}`,
  value => Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max,
];
const instant: Check = [
  'an RFC 3339 instant of the last two years',
  (value, nowMs) => {
    const ms =
      typeof value === 'string' && instantPattern.test(value) ? Date.parse(value) : Number.NaN;
    return ms > nowMs - pastMs && ms < nowMs + futureMs;
  },
];
const word: Check = [
  'a word',
  value => typeof value === 'string' && /^[a-z][a-z._-]{0,63}$/.test(value),
];
const absentOr = ([expected, holds]: Check): Check => [
  `${expected}, or nothing`,
  (value, nowMs) => value === undefined || value === null || holds(value, nowMs),
];

const tokens = whole(Number.MAX_SAFE_INTEGER / 1024);
/** Columns of 4 bytes. */
const milliseconds = whole(2_147_483_647);

const common: Record<string, Check> = {
  request: uuid,
  orgid: uuid,
  project: uuid,
  key: uuid,
  model: text(200, 1),
  modelId: uuid,
  environment: word,
  endpoint: text(2048),
  operation: word,
  streamed: flag,
  startedAt: instant,
  inputTokens: tokens,
  cachedInputTokens: tokens,
  outputTokens: tokens,
  costNanos: whole(requestNanosMax),
  estimated: flag,
  label: absentOr(text(200)),
};
const result: Record<string, Check> = {
  ...common,
  finishedAt: instant,
  outcome: ['a word other than unsettled', value => value !== 'unsettled' && word[1](value, 0)],
  status: absentOr(whole(599)),
  latencyMs: milliseconds,
  timeToFirstTokenMs: absentOr(milliseconds),
  tries: absentOr(whole(100)),
};
const unsettled: Record<string, Check> = {...common, settledAt: instant};

const checksByType: Readonly<Record<string, Record<string, Check>>> = {
  'dev.sluice.inference.finished.v1': result,
  'dev.sluice.inference.corrected.v1': result,
  'dev.sluice.inference.unsettled.v1': unsettled,
};

/** Pure. `nowMs` bounds the instants: one far from now would need a partition that is not to be made. */
export const readRecord = (event: Event, nowMs: number): Reading => {
  const checks = Object.hasOwn(checksByType, event.type) ? checksByType[event.type] : undefined;
  if (!checks) {
    return 'ignored';
  }
  if (typeof event.data !== 'object' || event.data === null) {
    return {refused: 'data: expected an object'};
  }
  const data = event.data as Fields;
  for (const [name, [expected, holds]] of Object.entries(checks)) {
    if (!holds(data[name], nowMs)) {
      return {refused: `data.${name}: expected ${expected}`};
    }
  }
  const month = monthOf(data.request as string);
  if (month === undefined || !instant[1](`${month}T00:00:00Z`, nowMs)) {
    return {refused: 'data.request: expected a UUIDv7 of the last two years'};
  }
  if (event.orgid !== undefined && event.orgid !== data.orgid) {
    return {refused: 'data.orgid: expected the organisation of the envelope'};
  }
  return {record: toRecord(event, data, month)};
};

const toRecord = (event: Event, data: Fields, month: string): UsageRecord => {
  // Every field was checked above.
  const iso = (value: unknown) => new Date(value as string).toISOString();
  return {
    month,
    request: data.request as string,
    org: data.orgid as string,
    project: data.project as string,
    key: data.key as string,
    model: data.model as string,
    modelId: data.modelId as string,
    environment: data.environment as string,
    endpoint: data.endpoint as string,
    operation: data.operation as string,
    streamed: data.streamed as boolean,
    at: iso(data.startedAt),
    finishedAt: iso(data.finishedAt ?? data.settledAt),
    outcome: (data.outcome as string | undefined) ?? 'unsettled',
    status: (data.status as number | undefined) ?? null,
    inputTokens: data.inputTokens as number,
    cachedInputTokens: data.cachedInputTokens as number,
    outputTokens: data.outputTokens as number,
    costNanos: data.costNanos as number,
    estimated: data.estimated as boolean,
    latencyMs: (data.latencyMs as number | undefined) ?? null,
    timeToFirstTokenMs: (data.timeToFirstTokenMs as number | undefined) ?? null,
    tries: (data.tries as number | undefined) ?? null,
    label: (data.label as string | undefined) ?? null,
    traceparent: text(64)[1](event.traceparent, 0) ? (event.traceparent as string) : null,
  };
};

export const isFinal = (record: UsageRecord) => record.outcome !== 'unsettled';

/** One record a request, in the order of month and request: the first final one, else the first. */
export const foldRecords = (records: readonly UsageRecord[]): UsageRecord[] => {
  const byRequest = new Map<string, UsageRecord>();
  for (const record of records) {
    const before = byRequest.get(record.request);
    if (!before || (isFinal(record) && !isFinal(before))) {
      byRequest.set(record.request, record);
    }
  }
  return [...byRequest.values()].sort(
    (a, b) => compare(a.month, b.month) || compare(a.request, b.request),
  );
};

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
