/**
Limits: gateways in virtual time that share a store of limits.

In: a clock that the test turns, stores. Out: books whose ticks the test calls.
*/
import type {Limit} from '../../functions/gateway/limits/limit.ts';
import {
  createLimitBook,
  type Entered,
  type LimitBook,
  type Refused,
} from '../../functions/gateway/limits/limit-book.ts';
import type {LimitStore} from '../../functions/gateway/limits/store.ts';

export const limitOf = (unit: Limit['unit'], capacity: number, id = `key:one:${unit}`): Limit => ({
  id,
  scope: 'key',
  unit,
  capacity,
});

/** Ticks come from the test alone: timers of the process are too far away to matter. */
export const virtualBook = (
  store: LimitStore,
  nowMs: () => number,
  gateways: () => number = () => 1,
): LimitBook =>
  createLimitBook({
    exchange: async asks => (await store.exchange(asks, gateways())).answers,
    nowMs,
    tickMs: 1_000_000,
    lookMs: 1_000_000,
  });

export const isEntered = (outcome: Entered | Refused): outcome is Entered => 'end' in outcome;

/** What many requests are told that come at once; the store is asked as often as it takes. */
export const enterAll = async (
  book: LimitBook,
  limits: readonly Limit[],
  {count = 1, tokens = 1}: {count?: number; tokens?: number} = {},
): Promise<(Entered | Refused)[]> => {
  const uses = limits.map(limit => ({limit, amount: limit.unit === 'tokens' ? tokens : 1}));
  const outcomes = Promise.all(Array.from({length: count}, () => book.enter(uses)));
  while (book.state().waiting > 0) {
    await book.tick({looking: false});
  }
  return outcomes;
};

/** The token bucket that nobody can reach over the network: what may be admitted at most, in every span of time. */
export const createIdealBucket = (capacity: number) => {
  let level = capacity;
  let atMs = 0;
  const levelAt = (nowMs: number) =>
    Math.min(level + ((nowMs - atMs) * capacity) / 60_000, capacity);
  return {
    spend(amount: number, nowMs: number) {
      level = levelAt(nowMs) - amount;
      atMs = nowMs;
      return level;
    },
    isFull: (nowMs: number) => levelAt(nowMs) === capacity,
  };
};
