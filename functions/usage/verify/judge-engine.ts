/**
Judge engine: whether a model server made what the ledger charged for it, and not much more.

In: a span of its counters, and what was charged for requests that ran in it. Out: a finding, or nothing. Pure.
A request that ran wholly inside of the span was counted in it, so the counters rose by at least its tokens: less is the alarm,
somebody was charged for what no model made. One that only overlaps may have been counted in it, so the counters rose by at
most what all of those were charged, and what is never charged: streams that were cut off, requests whose end is not known,
probes, and half a per cent. More than that is a note, because others may use the same server.
*/
import type {Finding} from './finding.ts';
import type {Span} from './spans.ts';

export type Tokens = Readonly<{input: bigint; output: bigint}>;
export type Charged = Readonly<{
  /** Requests wholly inside whose tokens the server itself had reported. */
  inside: Tokens;
  /** All that ran at some time of the span. */
  overlapping: Tokens;
  /** Those among them that did not run to their end, or whose tokens are an estimate. */
  uncertain: bigint;
}>;

export type Allowance = Readonly<{
  /** What one uncertain request may have cost beyond its charge: its prompt, and what was made before the server noticed. */
  inputTokens: bigint;
  outputTokens: bigint;
  /** A minute, for probes of the endpoint. */
  probeInputTokens: bigint;
  probeOutputTokens: bigint;
}>;

export const allowanceOf = (contextLength: number): Allowance => ({
  inputTokens: BigInt(contextLength),
  outputTokens: 1_024n,
  probeInputTokens: 256n,
  probeOutputTokens: 16n,
});

export type Subject = Readonly<{endpoint: string; model: string}>;

/** Half a per cent, rounded up. */
const slack = (tokens: bigint) => (tokens + 199n) / 200n;

export const boundOf = (
  {fromMs, toMs}: Span,
  {overlapping, uncertain}: Charged,
  allowance: Allowance,
): Tokens => {
  const minutes = BigInt(Math.ceil((toMs - fromMs) / 60_000)) + 1n;
  return {
    input:
      overlapping.input +
      slack(overlapping.input) +
      uncertain * allowance.inputTokens +
      minutes * allowance.probeInputTokens,
    output:
      overlapping.output +
      slack(overlapping.output) +
      uncertain * allowance.outputTokens +
      minutes * allowance.probeOutputTokens,
  };
};

export const judgeEngine = (
  {endpoint, model}: Subject,
  span: Span,
  charged: Charged,
  allowance: Allowance,
): Finding | undefined => {
  const {inside} = charged;
  const bound = boundOf(span, charged, allowance);
  const isBelow = span.promptTokens < inside.input || span.generationTokens < inside.output;
  const isAbove = span.promptTokens > bound.input || span.generationTokens > bound.output;
  if (!isBelow && !isAbove) {
    return undefined;
  }
  const isAlarm = isBelow && !span.reset;
  const kind = isAlarm
    ? 'ledger-above-engine'
    : isAbove
      ? 'engine-above-ledger'
      : 'engine-was-reset';
  return {
    check: 'engines',
    kind,
    broken: isAlarm,
    subject: endpoint,
    model,
    from: new Date(span.fromMs).toISOString(),
    values: {
      to: new Date(span.toMs).toISOString(),
      engine: `${span.promptTokens} in, ${span.generationTokens} out`,
      ledger: `${inside.input} in, ${inside.output} out`,
      bound: `${bound.input} in, ${bound.output} out`,
    },
  };
};
