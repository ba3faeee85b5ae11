/**
Spans: what a model server did between two looks at it.

In: snapshots of its counters in the order of their time. Out: spans from the first look of each hour to the first of the next, and
to the last look; how much the counters rose in each, and whether they were reset. After a reset a counter begins at zero,
so what it shows is what rose since; what was counted between the last look and the reset nobody knows.
*/
import type {Counters} from './parse-counters.ts';

export type Snapshot = Counters & Readonly<{atMs: number}>;
export type Span = Readonly<{
  fromMs: number;
  toMs: number;
  promptTokens: bigint;
  generationTokens: bigint;
  reset: boolean;
}>;

const hourMs = 3_600_000;
const hourOf = (ms: number) => Math.floor(ms / hourMs);

const wasReset = (before: Snapshot, after: Snapshot) =>
  after.instance !== before.instance ||
  after.promptTokens < before.promptTokens ||
  after.generationTokens < before.generationTokens;

const spanOf = (looks: readonly Snapshot[]): Span => {
  let span: Span = {
    fromMs: looks[0]?.atMs as number,
    toMs: looks.at(-1)?.atMs as number,
    promptTokens: 0n,
    generationTokens: 0n,
    reset: false,
  };
  for (const [index, after] of looks.entries()) {
    const before = looks[index - 1];
    if (before) {
      const reset = wasReset(before, after);
      const {promptTokens, generationTokens} = reset
        ? {promptTokens: 0n, generationTokens: 0n}
        : before;
      span = {
        ...span,
        promptTokens: span.promptTokens + after.promptTokens - promptTokens,
        generationTokens: span.generationTokens + after.generationTokens - generationTokens,
        reset: span.reset || reset,
      };
    }
  }
  return span;
};

export const toSpans = (snapshots: readonly Snapshot[]): Span[] => {
  const spans: Span[] = [];
  let looks: Snapshot[] = [];
  for (const snapshot of snapshots) {
    const first = looks[0];
    looks.push(snapshot);
    if (first && hourOf(first.atMs) !== hourOf(snapshot.atMs)) {
      spans.push(spanOf(looks));
      looks = [snapshot];
    }
  }
  if (looks.length > 1) {
    spans.push(spanOf(looks));
  }
  return spans;
};
