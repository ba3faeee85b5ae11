/**
Query: what may be asked of the rollups.

In: the parameters of a URL. Out: a query within bounds, or `bad_request` with the name of the parameter that is wrong.
Rollups count whole hours, so `from` is brought back and `to` forward to the hour; the answer says what was taken.
*/
import {environment as readEnvironment} from '../../events/config.ts';
import {SluiceError} from '../../events/errors.ts';
import {isUuid, monthOf} from '../../events/uuid.ts';
import type {Sums} from './rollup.ts';

export const dimensions = ['org', 'project', 'key', 'model', 'endpoint', 'environment'] as const;
export const granularities = ['hour', 'day', 'month', 'total'] as const;

export type Dimension = (typeof dimensions)[number];
export type Granularity = (typeof granularities)[number];

export type Query = Readonly<{
  /** Absent: the operator asks about all of them. */
  org: string | undefined;
  filters: Readonly<Partial<Record<Exclude<Dimension, 'org' | 'endpoint'>, string>>>;
  /** Instants on the hour: from ≤ start < to. */
  from: string;
  to: string;
  groupBy: readonly Dimension[];
  granularity: Granularity;
}>;

/** What is exported; always of one organisation. */
export type ExportQuery = Readonly<{
  org: string;
  filters: Query['filters'];
  /** Instants: from ≤ at < to. On the hour for hours, at midnight UTC for days. */
  from: string;
  to: string;
  granularity: 'record' | 'hour' | 'day';
}>;

/** `start` is absent for a total. */
export type Row = Readonly<{
  start?: string;
  dimensions: Readonly<Partial<Record<Dimension, string>>>;
  sums: Sums;
}>;

export type Parameters = Readonly<Record<string, unknown>>;
export type Format = 'json' | 'csv';

const names = [
  'org',
  'project',
  'key',
  'model',
  'environment',
  'from',
  'to',
  'groupBy',
  'granularity',
  'format',
];
const hourMs = 3_600_000;
const instantPattern = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/;

const refuse = (parameter: string, expected: string): never => {
  throw new SluiceError('bad_request', `${parameter}: expected ${expected}`, {parameter});
};

export const parseQuery = (
  parameters: Parameters,
  nowMs: number,
): {query: Query; format: Format} => {
  refuseUnknown(parameters, names);
  const {from, to} = rangeOf(parameters, nowMs);
  const query: Query = {
    org: uuidOf(parameters, 'org'),
    filters: filtersOf(parameters),
    from: new Date(Math.floor(from / hourMs) * hourMs).toISOString(),
    to: new Date(Math.ceil(to / hourMs) * hourMs).toISOString(),
    groupBy: groupByOf(parameters),
    granularity: oneOf(parameters, 'granularity', granularities) ?? 'total',
  };
  return {query, format: oneOf(parameters, 'format', ['json', 'csv']) ?? 'json'};
};

const exportNames = names.filter(name => name !== 'groupBy');
const unitMs = {record: 1, hour: hourMs, day: 24 * hourMs} as const;

export const parseExport = (
  parameters: Parameters,
  nowMs: number,
): {query: ExportQuery; format: 'csv' | 'json'} => {
  refuseUnknown(parameters, exportNames);
  const granularity = oneOf(parameters, 'granularity', ['record', 'hour', 'day']) ?? 'record';
  const {from, to} = rangeOf(parameters, nowMs);
  const unit = unitMs[granularity];
  return {
    query: {
      org: uuidOf(parameters, 'org') ?? refuse('org', 'the id of an organisation'),
      filters: filtersOf(parameters),
      from: new Date(Math.floor(from / unit) * unit).toISOString(),
      to: new Date(Math.ceil(to / unit) * unit).toISOString(),
      granularity,
    },
    format: oneOf(parameters, 'format', ['csv', 'json']) ?? 'csv',
  };
};

export const parseRecordQuery = (parameters: Parameters): {org: string; request: string} => {
  refuseUnknown(parameters, ['org', 'request']);
  const org = uuidOf(parameters, 'org') ?? refuse('org', 'the id of an organisation');
  const request = uuidOf(parameters, 'request') ?? refuse('request', 'the id of a request');
  return monthOf(request) === undefined
    ? refuse('request', 'an id as x-request-id shows it (UUIDv7)')
    : {org, request};
};

/** The current month unless said. */
const rangeOf = (parameters: Parameters, nowMs: number) => {
  const from =
    instantOf(parameters, 'from') ?? Date.parse(`${new Date(nowMs).toISOString().slice(0, 7)}-01`);
  const to = instantOf(parameters, 'to') ?? nowMs;
  return from > to ? refuse('from', 'an instant that is not after to') : {from, to};
};

const refuseUnknown = (parameters: Parameters, known: readonly string[]) => {
  for (const name of Object.keys(parameters)) {
    if (!known.includes(name)) {
      refuse(name.slice(0, 64), `one of the parameters ${known.join(', ')}`);
    }
  }
};

const textOf = (parameters: Parameters, name: string): string | undefined => {
  const value = parameters[name];
  if (value === undefined) {
    return undefined;
  }
  return typeof value === 'string' && value !== '' && value.length <= 2048 && !value.includes('\0')
    ? value
    : refuse(name, 'one text of 1 to 2048 characters');
};

const uuidOf = (parameters: Parameters, name: string) => {
  const value = textOf(parameters, name);
  return value === undefined || isUuid(value) ? value : refuse(name, 'an id, a UUID in lower case');
};

const oneOf = <Value extends string>(
  parameters: Parameters,
  name: string,
  values: readonly Value[],
) => {
  const value = textOf(parameters, name);
  return value === undefined || values.includes(value as Value)
    ? (value as Value | undefined)
    : refuse(name, `one of ${values.join(', ')}`);
};

/** A date is its first instant, UTC. */
const instantOf = (parameters: Parameters, name: string): number | undefined => {
  const value = textOf(parameters, name);
  if (value === undefined) {
    return undefined;
  }
  const ms = instantPattern.test(value) ? Date.parse(value) : Number.NaN;
  return ms >= 0 && ms < Date.UTC(3000, 0)
    ? ms
    : refuse(name, 'a date or an RFC 3339 instant, such as 2026-11-01 or 2026-11-21T10:00:00Z');
};

const filtersOf = (parameters: Parameters): Query['filters'] => {
  const filters = {
    project: uuidOf(parameters, 'project'),
    key: uuidOf(parameters, 'key'),
    model: textOf(parameters, 'model'),
    environment: environmentOf(parameters),
  };
  return Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== undefined));
};

const environmentOf = (parameters: Parameters) => {
  const value = textOf(parameters, 'environment');
  try {
    return value === undefined ? undefined : readEnvironment(value);
  } catch {
    return refuse('environment', 'one of development, staging, production');
  }
};

const groupByOf = (parameters: Parameters): Dimension[] => {
  const wanted =
    textOf(parameters, 'groupBy')
      ?.split(',')
      .map(name => name.trim()) ?? [];
  if (wanted.some(name => !dimensions.includes(name as Dimension))) {
    refuse('groupBy', `some of ${dimensions.join(',')}`);
  }
  return dimensions.filter(name => wanted.includes(name));
};
