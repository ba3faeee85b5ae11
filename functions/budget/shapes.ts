/**
Shapes: the data of the events that the debit takes, checked by hand.

In: data as it came. Out: a complaint about the first field that is wrong, or nothing. As strict as the JSON Schemas, and
stricter where a value would break a statement: an id in capitals, a text with NUL, a year 0. By hand because to compile
the schemas costs more than a start may; a test holds the two against each other.
*/
import {isUuid} from '../../events/uuid.ts';

type Check = (value: unknown) => boolean;

/** PostgreSQL keeps neither NUL nor lone surrogates. */
export const isText = (value: unknown, min: number, max: number): value is string =>
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
  operation: oneOf('chat.completions', 'completions', 'embeddings', 'responses', 'messages'),
  streamed: boolean,
  priceVersion: whole(1, 2 ** 31 - 1),
  startedAt: instant,
};
export const startedShape = shape(
  {
    ...request,
    deadline: instant,
    promptBytes: whole(0),
    unsettledPolicy: oneOf('prompt', 'hold', 'waive'),
    budgets: listOf(shape(hold)),
  },
  {label: text(0, 200)},
);
export const finishedShape = shape(
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
      'suspended',
      'revoked',
    ),
    inputTokens: whole(0),
    cachedInputTokens: whole(0),
    outputTokens: whole(0),
    costNanos: whole(0),
    estimated: boolean,
    latencyMs: whole(0),
    budgets: listOf(shape({...hold, amount: whole(0)})),
  },
  {
    label: text(0, 200),
    status: whole(100, 599),
    timeToFirstTokenMs: whole(0),
    tries: whole(2, 100),
  },
);
export const fencedShape = shape({lease: isUuid, window: isUuid});
export const dueShape = shape({dueBefore: instant});
