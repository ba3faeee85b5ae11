/**
Money: nano-USD to decimal texts and back, without a float on the way.

In: whole nano-USD as bigint, or a decimal text of USD. Out: the other. Nine decimals are all that a nano-USD has, so a
text with more is refused and never rounded: nobody asked us to change an amount.
*/
import {SluiceError} from './errors.ts';

const nanosPerUsd = 1_000_000_000n;
const decimalPattern = /^(0|[1-9]\d{0,11})(?:\.(\d{1,9}))?$/;

/** At least two decimals, as people write money; zeros behind those are cut. `5000000000n` is `5.00`, `47450n` is `0.00004745`. */
export const formatUsd = (nanos: bigint): string => {
  const magnitude = nanos < 0n ? -nanos : nanos;
  const decimals = String(magnitude % nanosPerUsd)
    .padStart(9, '0')
    .replace(/0{1,7}$/, '');
  return `${nanos < 0n ? '-' : ''}${magnitude / nanosPerUsd}.${decimals}`;
};

/** Throws `bad_request`, with the parameter's name where one is given, for what is not a decimal text of at most 9 decimals. */
export const parseUsd = (text: unknown, parameter?: string): bigint => {
  const found = typeof text === 'string' ? decimalPattern.exec(text) : null;
  if (!found) {
    throw new SluiceError(
      'bad_request',
      `${parameter ?? 'an amount'} is a decimal text in USD with at most 9 decimals, such as "5.00"`,
      {parameter},
    );
  }
  return BigInt(found[1] as string) * nanosPerUsd + BigInt((found[2] ?? '').padEnd(9, '0'));
};
