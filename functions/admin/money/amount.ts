/**
Amount: what a budget counts, as people write it and as the database keeps it.

In: USD as decimal text, or a whole number of tokens or GPU milliseconds. Out: nano-USD, tokens or milliseconds as bigint;
and back.
*/
import {SluiceError} from '../../../events/errors.ts';
import {formatUsd, parseUsd} from '../../../events/money.ts';

export type Unit = 'usd' | 'tokens' | 'gpu_ms';

/** The table's own bound; sums of limits and top-ups stay within 8 bytes. */
const amountMax = 9_000_000_000_000_000_000n;

export const parseAmount = (unit: Unit, value: string | number, parameter: string): bigint => {
  const amount = unit === 'usd' ? parseUsd(value, parameter) : parseWhole(unit, value, parameter);
  if (amount > amountMax) {
    throw new SluiceError(
      'bad_request',
      `${parameter}: expected at most ${formatAmount(unit, amountMax)}`,
      {parameter},
    );
  }
  return amount;
};

const nouns = {tokens: 'tokens', gpu_ms: 'GPU milliseconds'} as const;

const parseWhole = (
  unit: keyof typeof nouns,
  value: string | number,
  parameter: string,
): bigint => {
  const text = String(value);
  if (!/^\d+$/.test(text)) {
    throw new SluiceError(
      'bad_request',
      `${parameter}: expected a whole number of ${nouns[unit]}`,
      {parameter},
    );
  }
  return BigInt(text);
};

export const formatAmount = (unit: Unit, amount: bigint): string =>
  unit === 'usd' ? formatUsd(amount) : String(amount);

/** Limit and top-ups of a window together are over what 8 bytes hold (22003). */
export const refuseOverflow =
  (parameter: string) =>
  (error: unknown): never => {
    if ((error as {code?: unknown}).code === '22003') {
      throw new SluiceError(
        'bad_request',
        `${parameter}: expected less: with what is topped up the limit would be over every bound`,
        {parameter, cause: error},
      );
    }
    throw error;
  };
