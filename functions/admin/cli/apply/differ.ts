/**
Differ: what of a wish is not so yet.

In: the fields that are wished for, the thing as it is. Out: by field what it is and what it would be. What the wish does not name stays
as it is. Amounts are compared as numbers are: 500 is 500.00.
*/
import type {Change} from '../shell/dry-run.ts';

export type Fields = Readonly<Record<string, unknown>>;

const amountPattern = /^-?\d+(\.\d+)?$/;

const plain = (value: unknown): unknown => {
  if (value === null || value === undefined) {
    return null;
  }
  if (typeof value === 'number' || (typeof value === 'string' && amountPattern.test(value))) {
    const text = String(value);
    return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
  }
  if (value instanceof Date) {
    return value.toISOString();
  }
  if (Array.isArray(value)) {
    return value.map(plain);
  }
  return typeof value === 'object'
    ? Object.fromEntries(
        Object.entries(value)
          .sort(([one], [other]) => one.localeCompare(other))
          .map(([name, item]) => [name, plain(item)]),
      )
    : value;
};

export const isSame = (one: unknown, other: unknown) =>
  JSON.stringify(plain(one)) === JSON.stringify(plain(other));

export const differ = (wished: Fields, now: Fields): Record<string, Change> =>
  Object.fromEntries(
    Object.entries(wished)
      .filter(([name, after]) => !isSame(after, now[name]))
      .map(([name, after]) => [name, {before: now[name] ?? null, after}]),
  );
