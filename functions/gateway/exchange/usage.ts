/**
Usage: what a model server reported, believed only as far as it can be.

In: a parsed `usage` object. Out: tokens, or undefined when it is no usage: then they are counted and marked estimated.
*/
import type {Tokens} from '../../budget/cost.ts';

/** More than any model's context times the most answers: a report beyond it is a fault, not usage. */
const tokensMax = 1_000_000_000;

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= tokensMax;

export const readUsage = (value: unknown): Tokens | undefined => {
  if (typeof value !== 'object' || value === null) {
    return undefined;
  }
  const {
    prompt_tokens: input,
    completion_tokens: output,
    prompt_tokens_details: details,
  } = value as Record<string, unknown>;
  const cached = (details as {cached_tokens?: unknown} | null | undefined)?.cached_tokens;
  return tokensOf(input, cached, output);
};

/** Undefined where a count is none. */
export const tokensOf = (input: unknown, cached: unknown, output: unknown): Tokens | undefined => {
  const given = {input, cached: cached ?? 0, output: output ?? 0};
  if (!isCount(given.input) || !isCount(given.cached) || !isCount(given.output)) {
    return undefined;
  }
  return {
    inputTokens: given.input,
    cachedInputTokens: Math.min(given.cached, given.input),
    outputTokens: given.output,
  };
};

/** Without a report: bytes ÷ 4 of the prompt, and what was seen of the answer. */
export const estimate = (promptBytes: number, outputTokens: number): Tokens => ({
  inputTokens: Math.ceil(promptBytes / 4),
  cachedInputTokens: 0,
  outputTokens,
});
