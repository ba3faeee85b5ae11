/**
Parameters: what a run of `verify` is asked for.

In: a JSON body. Out: a range and what to look at within bounds, or `bad_request` with the name of the parameter that is wrong.
*/
import {SluiceError} from '../../../events/errors.ts';
import {type Check, checks} from './finding.ts';

export type Wanted = Readonly<{
  fromMs: number;
  toMs: number;
  /** What is younger is only late. */
  graceMs: number;
  /** Of each kind of finding. */
  first: number;
  checks: readonly Check[];
}>;
type Fields = Readonly<Record<string, unknown>>;

const dayMs = 86_400_000;
const rangeMsMax = 400 * dayMs;
const names = ['from', 'to', 'graceSeconds', 'first', 'checks'];
const instantPattern = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;

const refuse = (parameter: string, expected: string): never => {
  throw new SluiceError('bad_request', `${parameter}: expected ${expected}`, {parameter});
};

/** The last day, unless said. */
export const parseWanted = (fields: Fields, nowMs: number): Wanted => {
  for (const name of Object.keys(fields)) {
    if (!names.includes(name)) {
      refuse(name.slice(0, 64), `one of ${names.join(', ')}`);
    }
  }
  const toMs = instantOf(fields, 'to') ?? nowMs;
  const fromMs = instantOf(fields, 'from') ?? toMs - dayMs;
  if (fromMs >= toMs || toMs - fromMs > rangeMsMax) {
    refuse('from', 'an instant before `to`, by at most 400 days');
  }
  return {
    fromMs,
    toMs,
    graceMs: 1_000 * wholeOf(fields, 'graceSeconds', {max: 86_400, absent: 60}),
    first: wholeOf(fields, 'first', {max: 1_000, absent: 20}),
    checks: checksOf(fields),
  };
};

/** A date is its first instant, UTC. */
const instantOf = (fields: Fields, name: string): number | undefined => {
  const value = fields[name];
  if (value === undefined) {
    return undefined;
  }
  const ms =
    typeof value === 'string' && instantPattern.test(value) ? Date.parse(value) : Number.NaN;
  return ms >= Date.UTC(2000) && ms < Date.UTC(3000)
    ? ms
    : refuse(name, 'a date or an RFC 3339 instant, such as 2026-11-21T10:00:00Z');
};

const wholeOf = (fields: Fields, name: string, {max, absent}: {max: number; absent: number}) => {
  const value = fields[name] ?? absent;
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max
    ? (value as number)
    : refuse(name, `a whole number from 0 to ${max}`);
};

const checksOf = ({checks: wanted = checks}: Fields): readonly Check[] =>
  Array.isArray(wanted) && wanted.length > 0 && wanted.every(name => checks.includes(name))
    ? checks.filter(name => wanted.includes(name))
    : refuse('checks', `some of ${checks.join(', ')}`);
