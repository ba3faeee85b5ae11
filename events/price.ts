/**
Price: what the tokens of a model cost, as a process reckons with it.

In: a row of the table `prices`; tokens. Out: nano-USD, and for GPU-ms milliseconds, a million tokens: at most 10^15 each by a
constraint of the table, so a number holds them exactly; amounts in a budget's unit, safe integers. Costs round half to
even, once. Products of tokens and price exceed a safe integer, so they are taken as numbers only where they provably fit,
as bigint otherwise; never as fractions.
*/
import {requestNanosMax} from './limits.ts';

export type Price = Readonly<{
  free: boolean;
  inputPerMillion: number;
  outputPerMillion: number;
  /** Absent: cached tokens cost what others cost. */
  cachedInputPerMillion?: number;
  inputGpuMsPerMillion: number;
  outputGpuMsPerMillion: number;
}>;

export type PriceColumns = {
  free: boolean;
  input_per_million: bigint | string;
  output_per_million: bigint | string;
  cached_input_per_million: bigint | string | null;
  input_gpu_ms_per_million: bigint | string;
  output_gpu_ms_per_million: bigint | string;
};

export const toPrice = (row: PriceColumns): Price => ({
  free: row.free,
  inputPerMillion: Number(row.input_per_million),
  outputPerMillion: Number(row.output_per_million),
  ...(row.cached_input_per_million === null
    ? {}
    : {cachedInputPerMillion: Number(row.cached_input_per_million)}),
  inputGpuMsPerMillion: Number(row.input_gpu_ms_per_million),
  outputGpuMsPerMillion: Number(row.output_gpu_ms_per_million),
});

export type Unit = 'usd' | 'tokens' | 'gpu_ms';

/** `cachedInputTokens` are among `inputTokens`. */
export type Tokens = Readonly<{
  inputTokens: number;
  cachedInputTokens: number;
  outputTokens: number;
}>;

const million = 1_000_000;

/** Sum of products, a millionth of it, rounded. `pairs` are factor, factor, factor, factor … */
export const millionth = (round: 'half-even' | 'up', ...factors: number[]): number => {
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
