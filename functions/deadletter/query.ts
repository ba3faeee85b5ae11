/**
Query: which dead letters are meant.

In: the parameters of a URL, or a JSON body. Out: a filter within bounds, or `bad_request` with the name of what is wrong.
*/
import {cursorPatterns, readCursor} from '../../events/cursor.ts';
import {SluiceError} from '../../events/errors.ts';
import {isUuid} from '../../events/uuid.ts';

export const states = ['waiting', 'redriven', 'dropped'] as const;
export type State = (typeof states)[number];

export type Filter = Readonly<{
  /** Absent: the operator asks about all of them. */
  org?: string | undefined;
  subscription?: string | undefined;
  type?: string | undefined;
  since?: Date | undefined;
}>;
/** `after`: instant in microseconds and id of the letter that the page comes after. */
export type Page = Readonly<{
  state: State | undefined;
  limit: number;
  after: readonly string[] | undefined;
}>;
export type Many = Readonly<{dryRun: boolean; limit: number}>;

type Fields = Readonly<Record<string, unknown>>;

const filterNames = ['org', 'subscription', 'type', 'since'];
const limitMax = 1_000;
const place = [cursorPatterns.micros, cursorPatterns.id];
const instantPattern = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;

const refuse = (parameter: string, expected: string): never => {
  throw new SluiceError('bad_request', `${parameter}: expected ${expected}`, {parameter});
};

export const parseList = (fields: Fields): {filter: Filter; page: Page} => {
  refuseUnknown(fields, [...filterNames, 'state', 'limit', 'after']);
  const {state, limit, after} = fields;
  if (state !== undefined && !states.includes(state as State)) {
    refuse('state', `one of ${states.join(', ')}`);
  }
  if (limit !== undefined && !(typeof limit === 'string' && /^\d{1,4}$/.test(limit))) {
    refuse('limit', `a whole number from 1 to ${limitMax}`);
  }
  return {
    filter: filterOf(fields),
    page: {
      state: state as State | undefined,
      limit: limitOf(limit === undefined ? 100 : Number(limit)),
      after: after === undefined ? after : readCursor(String(after), place),
    },
  };
};

export const parseMany = (fields: Fields): {filter: Filter; many: Many} => {
  refuseUnknown(fields, [...filterNames, 'all', 'dryRun', 'limit']);
  const filter = filterOf(fields);
  const all = flagOf(fields, 'all');
  if (!all && Object.values(filter).every(value => value === undefined)) {
    refuse('all', `true, or one of ${filterNames.join(', ')}`);
  }
  return {
    filter,
    many: {dryRun: flagOf(fields, 'dryRun'), limit: limitOf(fields.limit ?? limitMax)},
  };
};

const refuseUnknown = (fields: Fields, known: readonly string[]) => {
  for (const name of Object.keys(fields)) {
    if (!known.includes(name)) {
      refuse(name.slice(0, 64), `one of ${known.join(', ')}`);
    }
  }
};

const filterOf = (fields: Fields): Filter => ({
  org: idOf(fields),
  subscription: textOf(fields, 'subscription'),
  type: textOf(fields, 'type'),
  since: instantOf(fields),
});

const idOf = ({org}: Fields) =>
  org === undefined || isUuid(org) ? org : refuse('org', 'an id, a UUID in lower case');

const textOf = (fields: Fields, name: string): string | undefined => {
  const value = fields[name];
  const isText =
    typeof value === 'string' && value !== '' && value.length <= 1_000 && !value.includes('\0');
  return value === undefined || isText ? value : refuse(name, 'a text of 1 to 1,000 characters');
};

/** A date is its first instant, UTC. */
const instantOf = ({since}: Fields): Date | undefined => {
  if (since === undefined) {
    return undefined;
  }
  const ms =
    typeof since === 'string' && instantPattern.test(since) ? Date.parse(since) : Number.NaN;
  return ms >= 0 && ms < Date.UTC(3000, 0)
    ? new Date(ms)
    : refuse('since', 'a date or an RFC 3339 instant, such as 2026-11-21T10:00:00Z');
};

const flagOf = (fields: Fields, name: string): boolean => {
  const value = fields[name] ?? false;
  return typeof value === 'boolean' ? value : refuse(name, 'true or false');
};

const limitOf = (limit: unknown): number =>
  Number.isInteger(limit) && (limit as number) >= 1 && (limit as number) <= limitMax
    ? (limit as number)
    : refuse('limit', `a whole number from 1 to ${limitMax}`);
