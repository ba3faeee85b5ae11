/**
Stuck: whether a server that took a request and said nothing is busy with others, or generates nothing for anybody.

In: the text of its `/metrics` before and after a second request that said nothing either. Out: whether they say tokens, and whether
those stand still. Load alone never makes a server ill: one that is busy counts on.
*/

/** As vLLM and those that took its names call them; a prompt that is read is work too. */
const tokens = /^[a-z_]+:(?:generation|prompt)_tokens_total(?:\{[^\n]*\})? (\S+)/gm;

const countOf = (metrics: string): number | undefined => {
  const counts = [...metrics.matchAll(tokens)].map(([, value]) => Number(value));
  return counts.length === 0 || counts.some(Number.isNaN)
    ? undefined
    : counts.reduce((sum, count) => sum + count);
};

export const countsTokens = (metrics: string) => countOf(metrics) !== undefined;

/** Another pod of the same Service may have answered the second time: any difference is work. */
export const stands = (before: string, after: string): boolean => {
  const count = countOf(before);
  return count !== undefined && count === countOf(after);
};
