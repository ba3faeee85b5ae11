/**
Messages: which events the debit can handle, checked by hand.

In: events as they came. Out: messages whose every field can be computed with and stored, and dead letters for the rest.
As strict as the JSON Schemas, and stricter where a value would break a statement (an id in capitals, a text with NUL, a year
0): one such value would fail its whole batch for ever. By hand because compiling the schemas costs more than a start may.
*/
import {hash} from 'node:crypto';
import {toJson} from '../../events/codec.ts';
import type {Event} from '../../events/event.ts';
import {isUuid, monthOf} from '../../events/uuid.ts';
import type {DeadLetter, Intent, Result} from './store.ts';

type About = Readonly<{event: Event; org: string}>;
type Traced = Readonly<{month: string; traceparent?: string}>;
export type Message = About &
  (
    | (Traced & Readonly<{kind: 'intent'; data: Intent; deadlineMs: number}>)
    | (Traced & Readonly<{kind: 'result'; data: Result}>)
    | Readonly<{kind: 'fence'; lease: string; window: string}>
    | Readonly<{kind: 'due'; beforeMs: number}>
  );

export const readMessages = (
  events: readonly Event[],
): {messages: Message[]; deadLetters: DeadLetter[]} => {
  const messages: Message[] = [];
  const deadLetters: DeadLetter[] = [];
  for (const event of events) {
    const message = read(event);
    if (typeof message === 'string') {
      deadLetters.push(toDeadLetter(event, message));
    } else if (message) {
      messages.push(message);
    }
  }
  return {messages, deadLetters};
};

/** A message, a complaint, or nothing for what concerns others: the debit reads what it wrote to the log itself, too. */
const read = (event: Event): Message | string | undefined => {
  const org = event.orgid;
  switch (event.type) {
    case 'dev.sluice.inference.unsettled.v1':
    case 'dev.sluice.inference.corrected.v1':
      return undefined;
    case 'dev.sluice.inference.started.v1':
    case 'dev.sluice.inference.finished.v1':
      return readInference(event);
    case 'dev.sluice.lease.fenced.v1': {
      const data = event.data as {lease: string; window: string};
      const complaint = fencedShape(data) ?? complainOf(event, `${data.lease}/fenced`);
      return (
        complaint ?? {
          kind: 'fence',
          event,
          org: org as string,
          lease: data.lease,
          window: data.window,
        }
      );
    }
    case 'dev.sluice.settlement.due.v1': {
      const data = event.data as {dueBefore: string};
      const complaint = dueShape(data) ?? (isUuid(org) ? undefined : 'orgid is not a UUID');
      return (
        complaint ?? {kind: 'due', event, org: org as string, beforeMs: Date.parse(data.dueBefore)}
      );
    }
    default:
      return 'not a type that the debit knows';
  }
};

const readInference = (event: Event): Message | string => {
  const started = event.type === 'dev.sluice.inference.started.v1';
  const complaint = (started ? startedShape : finishedShape)(event.data);
  if (complaint !== undefined) {
    return complaint;
  }
  const data = event.data as Intent & Result;
  const month = monthOf(data.request);
  if (month === undefined) {
    return 'request is not a UUIDv7';
  }
  if (data.orgid !== event.orgid) {
    return 'orgid of the event and of its data differ';
  }
  const misnamed = complainOf(event, `${data.request}/${started ? 'started' : 'finished'}`);
  if (misnamed !== undefined) {
    return misnamed;
  }
  const traceparent = isText(event.traceparent, 1, 128) ? event.traceparent : undefined;
  const message = {
    event,
    org: data.orgid,
    data,
    month,
    ...(traceparent === undefined ? {} : {traceparent}),
  };
  return started
    ? {...message, kind: 'intent', deadlineMs: Date.parse(data.deadline)}
    : {...message, kind: 'result'};
};

/** An id that does not follow from the content would let one request be sent under many. */
const complainOf = (event: Event, expectedId: string) => {
  if (!isUuid(event.orgid)) {
    return 'orgid is not a UUID';
  }
  return event.id === expectedId ? undefined : `the id is not ${expectedId}`;
};

type Check = (value: unknown) => boolean;

/** PostgreSQL keeps neither NUL nor lone surrogates. */
const isText = (value: unknown, min: number, max: number): value is string =>
  typeof value === 'string' &&
  value.length >= min &&
  (value.length <= max || [...value].length <= max) &&
  !value.includes('\0') &&
  value.isWellFormed();

const text =
  (min: number, max: number): Check =>
  value =>
    isText(value, min, max);
const whole =
  (min: number, max: number = Number.MAX_SAFE_INTEGER): Check =>
  value =>
    Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
const oneOf =
  (...values: string[]): Check =>
  value =>
    values.includes(value as string);
const boolean: Check = value => typeof value === 'boolean';

const instantPattern = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
const lastInstant = Date.UTC(9999, 11, 31);
const instant: Check = value => {
  const time =
    typeof value === 'string' && instantPattern.test(value) ? Date.parse(value) : Number.NaN;
  return time >= 0 && time < lastInstant;
};

/** A complaint about the first field that is wrong, or nothing. */
const shape = (required: Record<string, Check>, optional: Record<string, Check> = {}) => {
  const names = Object.entries(required);
  const known = new Map(Object.entries({...required, ...optional}));
  return (data: unknown): string | undefined => {
    if (typeof data !== 'object' || data === null || Array.isArray(data)) {
      return 'data is not an object';
    }
    for (const [name] of names) {
      if (!Object.hasOwn(data, name)) {
        return `data has no ${name}`;
      }
    }
    for (const name of Object.keys(data)) {
      const check = known.get(name);
      if (check === undefined) {
        return `data has a field that is not known: ${name.slice(0, 64)}`;
      }
      if (!check((data as Record<string, unknown>)[name])) {
        return `${name} is not what the schema says`;
      }
    }
    return undefined;
  };
};

/** One budget once: two holds on one window could not be told apart. */
const listOf =
  (isItem: (data: unknown) => string | undefined): Check =>
  value =>
    Array.isArray(value) &&
    value.length <= 16 &&
    value.every(item => isItem(item) === undefined) &&
    value.every((item, index) => value.findIndex(other => other.window === item.window) === index);

const hold = {
  budget: isUuid,
  window: isUuid,
  lease: isUuid,
  unit: oneOf('usd', 'tokens', 'gpu_ms'),
  hold: whole(0),
};
const request = {
  request: isUuid,
  orgid: isUuid,
  project: isUuid,
  key: isUuid,
  model: text(1, 200),
  modelId: isUuid,
  environment: oneOf('development', 'staging', 'production'),
  endpoint: text(0, 2048),
  operation: oneOf('chat.completions', 'completions', 'embeddings'),
  streamed: boolean,
  priceVersion: whole(1, 2 ** 31 - 1),
  startedAt: instant,
};
const startedShape = shape(
  {
    ...request,
    deadline: instant,
    promptBytes: whole(0),
    unsettledPolicy: oneOf('prompt', 'hold', 'waive'),
    budgets: listOf(shape(hold)),
  },
  {label: text(0, 200)},
);
const finishedShape = shape(
  {
    ...request,
    finishedAt: instant,
    outcome: oneOf(
      'completed',
      'upstream_error',
      'client_aborted',
      'deadline_exceeded',
      'shutdown',
      'lease_lost',
      'refused_upstream',
    ),
    inputTokens: whole(0),
    cachedInputTokens: whole(0),
    outputTokens: whole(0),
    costNanos: whole(0),
    estimated: boolean,
    latencyMs: whole(0),
    budgets: listOf(shape({...hold, amount: whole(0)})),
  },
  {label: text(0, 200), status: whole(100, 599), timeToFirstTokenMs: whole(0)},
);
const fencedShape = shape({lease: isUuid, window: isUuid});
const dueShape = shape({dueBefore: instant});

const storable = (value: unknown) =>
  String(value).replaceAll('\0', '\ufffd').toWellFormed().slice(0, 1_000);

export const toDeadLetter = (event: Event, reason: string): DeadLetter => {
  const json = toJson(event);
  const digest = hash('sha256', json);
  return {
    // UUIDv8 (RFC 9562, 5.8): of our own making, here a digest.
    id: `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-8${digest.slice(17, 20)}-${digest.slice(20, 32)}`,
    ...(isUuid(event.orgid) ? {org: event.orgid} : {}),
    source: storable(event.source),
    eventId: storable(event.id),
    type: storable(event.type),
    event: json,
    reason: storable(reason),
  };
};
