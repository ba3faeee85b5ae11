/**
Patience: how long an intent may wait for company before it goes to the log.

In: how long each model took until its answer began, how long the log takes for an append. Out: a quarter of what the model leaves when four
appends are taken off, within bounds. The intent must be durable before the first byte goes to the client, and until then
nobody waits for it: a model that takes 100 ms leaves time for one append of 20 intents where every 2 ms would make ten. What makes
the wait shorter is believed at once, what makes it longer by degrees; who answers earlier than was thought hurries its intent
(`gather.ts`).
*/
export const createPatience = ({
  minMs = 2,
  maxMs = 25,
  modelsMax = 1_000,
}: {
  minMs?: number;
  maxMs?: number;
  modelsMax?: number;
} = {}) => {
  const typicalMs = new Map<string, number>();
  let typicalAppendMs = 0;
  return {
    appended(ms: number) {
      typicalAppendMs += (ms - typicalAppendMs) * (ms > typicalAppendMs ? 0.5 : 0.05);
    },
    /** `ms`: from the request's going out to the head of its answer. */
    observe(model: string, ms: number) {
      const before = typicalMs.get(model);
      if (before === undefined && typicalMs.size >= modelsMax) {
        typicalMs.clear();
      }
      const share = before === undefined ? 1 : ms < before ? 0.5 : 0.05;
      typicalMs.set(model, (before ?? 0) + (ms - (before ?? 0)) * share);
    },
    lingerMs(model: string): number {
      const left = (typicalMs.get(model) ?? 0) - 4 * typicalAppendMs;
      return Math.min(Math.max(left / 4, minMs), maxMs);
    },
  };
};

export type Patience = ReturnType<typeof createPatience>;
