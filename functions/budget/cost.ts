/**
Cost: what tokens cost at a price, and the most that a request can cost.

In: a price (nano-USD a million tokens), tokens. Out: amounts in a budget's unit, safe integers.
Costs round half to even, once; holds round up. Products of tokens and price exceed a safe integer, so they are taken as
numbers only where they provably fit, as bigint otherwise; never as fractions.
*/
import {requestNanosMax} from '../../events/limits.ts';
import type {Price} from '../../events/price.ts';

export type {Price};

export type Unit = 'usd' | 'tokens' | 'gpu_ms';

/** `cachedInputTokens` are among `inputTokens`. */
export type Tokens = Readonly<{
  inputTokens: number;
  cachedInputTokens: number;
  outputTokens: number;
}>;

const million = 1_000_000;

/** Sum of products, a millionth of it, rounded. `pairs` are factor, factor, factor, factor … */
const millionth = (round: 'half-even' | 'up', ...factors: number[]): number => {
  let sum = 0;
  for (let index = 0; index < factors.length; index += 2) {
    sum += (factors[index] as number) * (factors[index + 1] as number);
  }
  return sum <= Number.MAX_SAFE_INTEGER ? roundNumber(round, sum) : roundBigint(round, factors);
};

const roundNumber = (round: 'half-even' | 'up', sum: number): number => {
  const rest = sum % million;
  const whole = (sum - rest) / million;
  if (round === 'up') {
    return rest > 0 ? whole + 1 : whole;
  }
  return rest > million / 2 || (rest === million / 2 && whole % 2 === 1) ? whole + 1 : whole;
};

const roundBigint = (round: 'half-even' | 'up', factors: readonly number[]): number => {
  let sum = 0n;
  for (let index = 0; index < factors.length; index += 2) {
    sum += BigInt(factors[index] as number) * BigInt(factors[index + 1] as number);
  }
  const rest = sum % 1_000_000n;
  const whole = sum / 1_000_000n;
  const up =
    round === 'up' ? rest > 0n : rest > 500_000n || (rest === 500_000n && whole % 2n === 1n);
  const result = up ? whole + 1n : whole;
  // Past a safe integer an amount is no amount any more; the door refuses it before, this only keeps it a number.
  return result > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(result);
};

/** What the tokens cost in a budget's unit; what no request can cost was made up by a model server, and is no amount. */
export const costOf = (unit: Unit, price: Price, tokens: Tokens): number =>
  Math.min(uncappedCost(unit, price, tokens), requestNanosMax);

const uncappedCost = (
  unit: Unit,
  price: Price,
  {inputTokens, cachedInputTokens, outputTokens}: Tokens,
): number => {
  switch (unit) {
    case 'tokens':
      return inputTokens + outputTokens;
    case 'gpu_ms':
      return millionth(
        'half-even',
        inputTokens,
        price.inputGpuMsPerMillion,
        outputTokens,
        price.outputGpuMsPerMillion,
      );
    case 'usd':
      return price.free
        ? 0
        : millionth(
            'half-even',
            inputTokens - cachedInputTokens,
            price.inputPerMillion,
            cachedInputTokens,
            price.cachedInputPerMillion ?? price.inputPerMillion,
            outputTokens,
            price.outputPerMillion,
          );
  }
};

/** The most that a request with at most so many tokens can cost: a cache may miss, so every input token counts as dear. */
export const holdOf = (
  unit: Unit,
  price: Price,
  bounds: Readonly<{inputTokens: number; outputTokens: number}>,
): number => {
  const {inputTokens, outputTokens} = bounds;
  if (unit === 'tokens') {
    return inputTokens + outputTokens;
  }
  if (unit === 'gpu_ms') {
    return millionth(
      'up',
      inputTokens,
      price.inputGpuMsPerMillion,
      outputTokens,
      price.outputGpuMsPerMillion,
    );
  }
  const dearest = Math.max(price.inputPerMillion, price.cachedInputPerMillion ?? 0);
  return price.free
    ? 0
    : millionth('up', inputTokens, dearest, outputTokens, price.outputPerMillion);
};

/** The most output tokens whose hold, on top of the prompt's, an amount covers; negative when it does not cover the prompt. */
export const outputCovered = (
  unit: Unit,
  price: Price,
  inputTokens: number,
  amount: number,
): number => {
  const rest = BigInt(amount) - BigInt(holdOf(unit, price, {inputTokens, outputTokens: 0}));
  const perMillion =
    unit === 'tokens'
      ? million
      : unit === 'usd'
        ? price.outputPerMillion
        : price.outputGpuMsPerMillion;
  if (rest < 0n) {
    return -1;
  }
  if (perMillion === 0 || (unit === 'usd' && price.free)) {
    return Number.MAX_SAFE_INTEGER;
  }
  // The prompt's hold was rounded up by itself, so this can be one token short; never one too many.
  const tokens = (rest * 1_000_000n) / BigInt(perMillion);
  return tokens > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(tokens);
};

/** No single request may hold more than this; amounts beyond are refused at the door. */
export const isAmount = (value: number) =>
  Number.isSafeInteger(value) && value >= 0 && value <= requestNanosMax;
