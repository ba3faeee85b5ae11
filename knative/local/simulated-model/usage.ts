/**
Usage: the usage object of an answer, as JSON, true or as a fault wants it.

In: token counts. Out: `,"usage":{…}` to be put into an object that is being written, or nothing.
*/
import type {Faults} from './faults.ts';

export type UsageWriter = (promptTokens: number, completionTokens: number | null) => string;

/** Far above what any context length allows, and still a safe integer. */
const lie = 1_000_000_000;

/**
`cachedShare` is the part of a prompt, 0 to 1, that is said to have come from the prefix cache; at 0 the details are null,
as from a vLLM without `--enable-prompt-tokens-details`. `completionTokens` is null where nothing is generated.
*/
export const usageWriter = (faults: Faults, cachedShare: number): UsageWriter => {
  const lying = faults.has('lying-usage') ? lie : faults.has('negative-usage') ? -5 : undefined;
  const silent = faults.has('no-usage');
  return function writeUsage(promptTokens, completionTokens) {
    if (silent) return '';
    const prompt = lying ?? promptTokens;
    const completion = completionTokens === null ? 0 : (lying ?? completionTokens);
    const details =
      cachedShare > 0 ? `{"cached_tokens":${Math.floor(promptTokens * cachedShare)}}` : 'null';
    return (
      `,"usage":{"prompt_tokens":${prompt},"total_tokens":${prompt + completion},` +
      `"completion_tokens":${completion},"prompt_tokens_details":${details}}`
    );
  };
};
