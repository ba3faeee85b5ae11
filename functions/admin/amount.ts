/**
Amount: what a budget counts, as people write it and as the database keeps it.

In: USD as decimal text, or a whole number of tokens. Out: nano-USD or tokens as bigint; and back.
*/
import {SluiceError} from '../../events/errors.ts';
import {formatUsd, parseUsd} from '../../events/money.ts';

export type Unit = 'usd' | 'tokens' | 'gpu_ms';

/** The table's own bound; sums of limits and top-ups stay within 8 bytes. */
const amountMax = 9_000_000_000_000_000_000n;

export const parseAmount = (unit: Unit, value: string | number, parameter: string): bigint => {
  const amount = unit === 'usd' ? parseUsd(value, parameter) : parseWhole(value, parameter);
  if (amount > amountMax) {
    throw new SluiceError(
      'bad_request',
      `${parameter}: expected at most ${formatAmount(unit, amountMax)}`,
      {parameter},
    );
  }
  return amount;
};

const parseWhole = (value: string | number, parameter: string): bigint => {
  const text = String(value);
  if (!/^\d+$/.test(text)) {
    throw new SluiceError('bad_request', `${parameter}: expected a whole number of tokens`, {
      parameter,
    });
  }
  return BigInt(text);
};

export const formatAmount = (unit: Unit, amount: bigint): string =>
  unit === 'usd' ? formatUsd(amount) : String(amount);
