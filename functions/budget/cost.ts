/**
Cost: the most that a request can cost, and what an amount covers; what tokens did cost is `events/price.ts`.

In: a price (nano-USD a million tokens), bounds of tokens. Out: amounts in a budget's unit, safe integers. Holds round up.
*/
import {requestNanosMax} from '../../events/limits.ts';
import {costOf, millionth, type Price, type Tokens, type Unit} from '../../events/price.ts';

export {costOf, type Price, type Tokens, type Unit};

const million = 1_000_000;

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
