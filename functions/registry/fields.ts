/**
Fields: the values that an operator may say of a model, each checked once for registrations and changes alike.

In: a field of a JSON body and its name. Out: the value, or `bad_request` with the name of the field.
*/
import {SluiceError} from '../../events/errors.ts';

export type Fields = Readonly<Record<string, unknown>>;

const integerMax = 2_147_483_647;
const startSecondsMax = 1_800;
const fallbacksMax = 5;
const maxConcurrencyMax = 100_000;

export const refuse = (parameter: string, expected: string): never => {
  throw new SluiceError('bad_request', `${parameter}: expected ${expected}`, {parameter});
};

export const refuseUnknown = (value: Fields, known: readonly string[], prefix = '') => {
  for (const name of Object.keys(value)) {
    if (!known.includes(name)) {
      refuse(prefix + name.slice(0, 64), `one of the fields ${known.join(', ')}`);
    }
  }
};

export const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const nameOf = (value: unknown, parameter: string): string =>
  typeof value === 'string' &&
  value.length <= 200 &&
  /^[^\s\p{Cc}]([^\p{Cc}]*[^\s\p{Cc}])?$/u.test(value)
    ? value
    : refuse(parameter, 'a name of 1 to 200 characters, without space at its ends');

export const integerOf = (value: unknown, parameter: string, max = integerMax): number =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max
    ? (value as number)
    : refuse(parameter, `a whole number from 1 to ${max}`);

const orNull = (value: unknown, parameter: string, max?: number) =>
  value == null ? null : integerOf(value, parameter, max);

export const startSecondsOf = (value: unknown) => orNull(value, 'startSeconds', startSecondsMax);

export const maxOutputTokensOf = (value: unknown) => orNull(value, 'maxOutputTokens');

export const maxConcurrencyOf = (value: unknown, parameter: string) =>
  orNull(value, parameter, maxConcurrencyMax);

/** One that no model has yet is taken, so that models can be registered in any order; answers tell which those are. */
export const fallbacksOf = (value: unknown, model: string): readonly string[] => {
  if (value == null) {
    return [];
  }
  if (!Array.isArray(value) || value.length > fallbacksMax) {
    return refuse('fallbacks', `a list of at most ${fallbacksMax} names of models`);
  }
  const names = value.map((item, index) => nameOf(item, `fallbacks[${index}]`));
  if (names.includes(model)) {
    return refuse('fallbacks', 'other models than the model itself');
  }
  return new Set(names).size === names.length ? names : refuse('fallbacks', 'each name once');
};

/** The base of the server: `/v1` and slashes at the end are taken off, because clients' base URLs have them and ours do not. */
export const urlOf = (value: unknown, parameter: string): string => {
  const url =
    typeof value === 'string' && value.length <= 2048 && URL.canParse(value)
      ? new URL(value)
      : undefined;
  if (
    !url ||
    !['http:', 'https:'].includes(url.protocol) ||
    url.username ||
    url.password ||
    url.search ||
    url.hash
  ) {
    return refuse(parameter, 'an http or https URL without user, query and fragment');
  }
  return url.origin + url.pathname.replace(/\/+$/, '').replace(/\/v1$/, '').replace(/\/+$/, '');
};
