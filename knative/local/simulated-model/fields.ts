/**
Fields: reads single fields of a request body, with the checks that vLLM makes at its door.

In: a parsed JSON object and a name. Out: the value, or the fallback when it is absent or null, or a RequestError.
*/
import {badRequest} from './errors.ts';

export type Body = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is Body =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

type Bounds<Fallback> = Readonly<{minimum: number; maximum: number; fallback: Fallback}>;

export const integerField = <Fallback extends number | undefined>(
  body: Body,
  name: string,
  {minimum, maximum, fallback}: Bounds<Fallback>,
) => {
  const value = body[name] ?? undefined;
  if (value === undefined) return fallback;
  if (Number.isSafeInteger(value) && (value as number) >= minimum && (value as number) <= maximum) {
    return value as number;
  }
  throw badRequest(`${name} must be an integer from ${minimum} to ${maximum}.`, name);
};

export const booleanField = (body: Body, name: string) => {
  const value = body[name] ?? false;
  if (typeof value === 'boolean') return value;
  throw badRequest(`${name} must be true or false.`, name);
};

/** A string or a list of strings, as a list. */
export const stringsField = (body: Body, name: string): readonly string[] => {
  const value = body[name] ?? [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.every(item => typeof item === 'string')) return list;
  throw badRequest(`${name} must be a string or a list of strings.`, name);
};
