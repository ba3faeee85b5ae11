/**
Store: where the limits of all gateways meet. The port, and its twin in memory, which is also what a process has for itself where
there is no Redis or none that answers.
*/
import {type Answer, type Ask, type Bucket, exchangeOne, newBucket} from './bucket.ts';

export type Exchanged = Readonly<{
  /** In the order of what was asked. */
  answers: readonly Answer[];
  /** How many gateways have asked within their life; at least one. */
  gateways: number;
}>;

export type LimitStore = Readonly<{
  exchange(asks: readonly Ask[], gateways: number): Promise<Exchanged>;
  close(): Promise<void>;
}>;

/** How long the store keeps for a gateway what it holds. */
export type Lives = Readonly<{
  permitMs: number;
  slotMs: number;
  /** A gateway that is not heard of for so long is not counted. */
  gatewayMs: number;
}>;

export const lives: Lives = {permitMs: 2_000, slotMs: 15_000, gatewayMs: 15_000};

/** What several gateways share in one process: each has a store of its own over it. */
export type Memory = Readonly<{
  buckets: Map<string, Bucket>;
  gateways: Map<string, number>;
}>;
export const createMemory = (): Memory => ({buckets: new Map(), gateways: new Map()});

/** Full again, and forgotten. */
const forgetMs = 120_000;
const sweepEvery = 1_000;

export const createMemoryLimits = ({
  memory = createMemory(),
  gateway,
  nowMs = () => performance.now(),
  lives: {permitMs, slotMs, gatewayMs} = lives,
}: {
  memory?: Memory;
  gateway: string;
  nowMs?: () => number;
  lives?: Lives;
}): LimitStore => {
  const {buckets, gateways: seen} = memory;
  let asked = 0;
  const sweep = (now: number) => {
    for (const [id, {atMs, held}] of buckets) {
      if (now - atMs > forgetMs && [...held.values()].every(({untilMs}) => untilMs <= now)) {
        buckets.delete(id);
      }
    }
  };
  return {
    async exchange(asks, gateways) {
      const now = nowMs();
      seen.set(gateway, now + gatewayMs);
      for (const [id, untilMs] of seen) {
        if (untilMs <= now) {
          seen.delete(id);
        }
      }
      asked += asks.length;
      if (asked > sweepEvery) {
        asked = 0;
        sweep(now);
      }
      const answers = asks.map(ask => {
        const bucket = buckets.get(ask.limit) ?? newBucket(ask, now);
        buckets.set(ask.limit, bucket);
        const lifeMs = ask.kind === 'parallel' ? slotMs : permitMs;
        return exchangeOne(bucket, ask, {gateway, gateways, nowMs: now, lifeMs});
      });
      return {answers, gateways: seen.size};
    },
    async close() {},
  };
};
