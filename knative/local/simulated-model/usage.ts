/**
Usage: what of usage an answer says, true or as a fault wants it.

In: token counts. Out: the counts to report, or none; as `,"usage":{…}` in the form of a chat, to be put into an object that is
being written, or nothing.
*/
import type {Faults} from './faults.ts';

export type Counts = Readonly<{prompt: number; completion: number; cached: number}>;

export type UsageWriter = (promptTokens: number, completionTokens: number | null) => string;

/** Undefined: nothing is reported. */
export type UsageCounter = (
  promptTokens: number,
  completionTokens: number | null,
) => Counts | undefined;

/** Far above what any context length allows, and still a safe integer. */
const lie = 1_000_000_000;

/**
`cachedShare` is the part of a prompt, 0 to 1, that is said to have come from the prefix cache. `completionTokens` is null where
nothing is generated.
*/
export const usageCounter = (faults: Faults, cachedShare: number): UsageCounter => {
  const lying = faults.has('lying-usage') ? lie : faults.has('negative-usage') ? -5 : undefined;
  const silent = faults.has('no-usage');
  return function countUsage(promptTokens, completionTokens) {
    if (silent) return undefined;
    return {
      prompt: lying ?? promptTokens,
      completion: completionTokens === null ? 0 : (lying ?? completionTokens),
      cached: Math.floor(promptTokens * cachedShare),
    };
  };
};

/** At a share of 0 the details are null, as from a vLLM without `--enable-prompt-tokens-details`. */
export const usageWriter = (count: UsageCounter, cachedShare: number): UsageWriter =>
  function writeUsage(promptTokens, completionTokens) {
    const counts = count(promptTokens, completionTokens);
    if (counts === undefined) return '';
    const {prompt, completion, cached} = counts;
    const details = cachedShare > 0 ? `{"cached_tokens":${cached}}` : 'null';
    return (
      `,"usage":{"prompt_tokens":${prompt},"total_tokens":${prompt + completion},` +
      `"completion_tokens":${completion},"prompt_tokens_details":${details}}`
    );
  };
