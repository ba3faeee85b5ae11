/**
Waiters: requests that lack something that the store may have, in the order of coming.

In: requests, and how one is decided. Out: what they want of each limit together; each is decided once.
*/
import type {Use} from './limit.ts';
import type {Want} from './question.ts';

export const createWaiters = <Outcome>(
  decideOne: (uses: readonly Use[], nowMs: number, untilMs: number) => Outcome | undefined,
) => {
  type Waiter = Readonly<{
    uses: readonly Use[];
    untilMs: number;
    resolve: (outcome: Outcome) => void;
  }>;
  let waiters: Waiter[] = [];
  return {
    add: (uses: readonly Use[], untilMs: number) =>
      new Promise<Outcome>(resolve => {
        waiters.push({uses, untilMs, resolve});
      }),
    size: () => waiters.length,
    wants(): Map<string, Want> {
      const found = new Map<string, Want>();
      for (const {uses} of waiters) {
        for (const {limit, amount} of uses) {
          const before = found.get(limit.id);
          found.set(limit.id, {
            sum: (before?.sum ?? 0) + amount,
            least: Math.min(before?.least ?? Number.POSITIVE_INFINITY, amount),
          });
        }
      }
      return found;
    },
    decide(nowMs: number) {
      const still: Waiter[] = [];
      for (const waiter of waiters) {
        const outcome = decideOne(waiter.uses, nowMs, waiter.untilMs);
        if (outcome === undefined) {
          still.push(waiter);
        } else {
          waiter.resolve(outcome);
        }
      }
      waiters = still;
    },
  };
};
