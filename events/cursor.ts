/**
Cursor: where in a list a page ends, as a text that is only to be given back.

In: what the list is ordered by, of the last row shown. Out: `next`; and from `after` the same again, or `bad_request`. It names a place
in the order and not a row, so that a row that is gone meanwhile neither loses nor repeats another. It is no secret and no leave: what
is seen behind it is what the caller may see.
*/
import {SluiceError} from './errors.ts';

export const writeCursor = (parts: readonly string[]): string =>
  Buffer.from(JSON.stringify(parts)).toString('base64url');

/** One pattern a part. */
export const readCursor = (text: string, patterns: readonly RegExp[]): string[] => {
  const parts = parse(Buffer.from(text, 'base64url').toString('utf8'));
  const isOurs =
    Array.isArray(parts) &&
    parts.length === patterns.length &&
    patterns.every(
      (pattern, index) => typeof parts[index] === 'string' && pattern.test(parts[index]),
    );
  if (!isOurs) {
    throw new SluiceError('bad_request', 'after: expected next of the page before', {
      parameter: 'after',
    });
  }
  return parts;
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** An instant to the microsecond, as PostgreSQL keeps it and a Date does not. */
export const microsOf = (column: string) =>
  `(extract(epoch from ${column}) * 1000000)::bigint::text`;
export const instantOfMicros = (parameter: string) =>
  `(timestamptz 'epoch' + ${parameter}::bigint * interval '1 microsecond')`;

export const cursorPatterns = {
  micros: /^\d{1,16}$/,
  id: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
} as const;
