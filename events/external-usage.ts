/**
External usage: what another router says of a request that it served.

In: an event `usage.recorded` as it came. Out: usage under an id of ours, or why it can never be counted.

The debit and the usage function each read these events for themselves; both read them here, so both come to the same. The id
is a digest of organisation, source and the router's own id, within the month of the request: however often and in whatever
order a record comes, it meets one key of the ledger and one of the records.
*/
import {hash} from 'node:crypto';
import type {Event} from './event.ts';
import type {EventData} from './types.ts';
import {isUuid} from './uuid.ts';

export const recordedType = 'dev.sluice.usage.recorded.v1';
type Recorded = EventData[typeof recordedType];

export type ExternalUsage = Readonly<
  Required<
    Pick<
      Recorded,
      | 'model'
      | 'environment'
      | 'inputTokens'
      | 'cachedInputTokens'
      | 'outputTokens'
      | 'outcome'
      | 'operation'
      | 'streamed'
    >
  > &
    Pick<Recorded, 'status' | 'latencyMs' | 'timeToFirstTokenMs' | 'label' | 'project' | 'key'> & {
      org: string;
      /** Ours, a UUIDv7 of the month's first instant. */
      request: string;
      month: string;
      /** The router. */
      source: string;
      /** ISO 8601, UTC, milliseconds. */
      at: string;
      traceparent?: string;
    }
>;

type Check = readonly [expected: string, holds: (value: unknown) => boolean];

const text = (min: number, max: number): Check => [
  `a text of ${min} to ${max} characters`,
  value =>
    typeof value === 'string' &&
    value.length >= min &&
    (value.length <= max || [...value].length <= max) &&
    !value.includes('\0') &&
    value.isWellFormed(),
];
const whole = (min: number, max: number): Check => [
  `a whole number from ${min} to ${max}`,
  value => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
];
const oneOf = (...values: string[]): Check => [
  `one of ${values.join(', ')}`,
  value => values.includes(value as string),
];
const uuid: Check = ['a UUID', isUuid];
const instantPattern = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
const instant: Check = [
  'an RFC 3339 instant',
  value => typeof value === 'string' && instantPattern.test(value) && Date.parse(value) >= 0,
];
/** Their product with any price, and the sum of a month of them, are still numbers that a row can keep. */
const tokens = whole(0, 1_000_000_000_000);
/** A column of 4 bytes. */
const milliseconds = whole(0, 2_147_483_647);

const required: Readonly<Record<string, Check>> = {
  request: text(1, 200),
  at: instant,
  model: text(1, 200),
  environment: oneOf('development', 'staging', 'production'),
  inputTokens: tokens,
  outputTokens: tokens,
  outcome: oneOf('completed', 'upstream_error', 'client_aborted', 'deadline_exceeded'),
};
const optional: Readonly<Record<string, Check>> = {
  project: uuid,
  key: uuid,
  cachedInputTokens: tokens,
  operation: oneOf('chat.completions', 'completions', 'embeddings', 'responses', 'messages'),
  streamed: ['true or false', value => typeof value === 'boolean'],
  status: whole(100, 599),
  latencyMs: milliseconds,
  timeToFirstTokenMs: milliseconds,
  label: text(0, 200),
};

const complaintOf = (data: unknown): string | undefined => {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    return 'data: expected an object';
  }
  const missing = Object.keys(required).find(name => !Object.hasOwn(data, name));
  if (missing !== undefined) {
    return `data.${missing}: expected ${required[missing]?.[0]}, got nothing`;
  }
  for (const [name, value] of Object.entries(data)) {
    const check =
      (Object.hasOwn(required, name) && required[name]) ||
      (Object.hasOwn(optional, name) && optional[name]);
    if (!check) {
      return `data has a field that is not known: ${name.slice(0, 64)}`;
    }
    if (!check[1](value)) {
      return `data.${name}: expected ${check[0]}`;
    }
  }
  return undefined;
};

const dayMs = 86_400_000;
const monthsKept = 13;
const sourceLengthMax = 500;

/** Pure. `nowMs` bounds the instant: what is older than the records are kept, or of tomorrow, was made by a broken clock. */
export const readExternalUsage = (event: Event, nowMs: number): ExternalUsage | string => {
  const complaint = complaintOf(event.data);
  if (complaint !== undefined) {
    return complaint;
  }
  const {orgid: org, source} = event;
  if (!isUuid(org)) {
    return 'orgid: expected the id of an organisation';
  }
  if (source.length > sourceLengthMax) {
    return `source: expected at most ${sourceLengthMax} characters`;
  }
  const {request, at, cachedInputTokens = 0, ...data} = event.data as Recorded;
  if (cachedInputTokens > data.inputTokens) {
    return 'data.cachedInputTokens: expected no more than inputTokens';
  }
  const ms = Date.parse(at);
  if (ms < oldest(nowMs) || ms > nowMs + dayMs) {
    return `data.at: expected an instant of the last ${monthsKept} months, at most a day ahead`;
  }
  const {traceparent} = event;
  return {
    operation: 'chat.completions',
    streamed: false,
    ...data,
    cachedInputTokens,
    org,
    source,
    request: requestOf(org, source, request, ms),
    month: `${new Date(ms).toISOString().slice(0, 7)}-01`,
    at: new Date(ms).toISOString(),
    ...(text(1, 128)[1](traceparent) ? {traceparent: traceparent as string} : {}),
  };
};

const oldest = (nowMs: number) => {
  const now = new Date(nowMs);
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - monthsKept, now.getUTCDate() + 1);
};

/** Its time is the month's first instant: a router that repeats a record with another instant of the month repeats it. */
const requestOf = (org: string, source: string, request: string, ms: number): string => {
  const day = new Date(ms);
  const time = Date.UTC(day.getUTCFullYear(), day.getUTCMonth()).toString(16).padStart(12, '0');
  const digest = hash('sha256', JSON.stringify([org, source, request]));
  const variant = (8 + (Number.parseInt(digest[3] as string, 16) & 3)).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${digest.slice(0, 3)}-${variant}${digest.slice(4, 7)}-${digest.slice(7, 19)}`;
};
