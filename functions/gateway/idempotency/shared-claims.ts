/**
Shared claims: the claims of all gateways while their store answers, and of this process alone while it does not.

In: the store, a memory of the process's own. Out: where each claim is held. What is weaker while the store is away: a duplicate
that reaches another process runs a second time, and nothing is kept to be replayed. It is said in the log, in `/metrics` and
in `/healthz`. After a failure the store is left alone for a second, so that not every request waits for it.
*/
import type {Logger} from '../../../events/telemetry.ts';
import type {Asked, ClaimStore, Found} from './claim.ts';
import {createMemoryClaims} from './store-memory.ts';

export type Held = Readonly<{
  found: Found;
  /** Ends the claim. `result` is what to replay. */
  finish(result: Buffer | undefined, keepMs: number): Promise<void>;
  release(): Promise<void>;
}>;

export type SharedClaims = Readonly<{
  take(asked: Asked): Promise<Held>;
  isAway(): boolean;
  close(): Promise<void>;
}>;

const attemptsMax = 3;
const pauseMs = 250;

export const createSharedClaims = ({
  store,
  own = createMemoryClaims(),
  storeMs,
  retryMs = 1_000,
  logger,
  nowMs = () => performance.now(),
}: {
  store: ClaimStore;
  own?: ClaimStore;
  storeMs: number;
  retryMs?: number;
  logger: Pick<Logger, 'warn' | 'info'>;
  nowMs?: () => number;
}): SharedClaims => {
  let away = false;
  let askAgainMs = Number.NEGATIVE_INFINITY;

  const takeShared = async (asked: Asked): Promise<Found | undefined> => {
    if (away) {
      if (nowMs() < askAgainMs) {
        return undefined;
      }
      // This one waits for it; the others that come meanwhile do not.
      askAgainMs = nowMs() + storeMs + retryMs;
    }
    try {
      const found = await bounded(storeMs, store.take(asked));
      if (away) {
        away = false;
        logger.info({}, 'claims on idempotency keys are shared again');
      }
      return found;
    } catch (error) {
      askAgainMs = nowMs() + retryMs;
      if (!away) {
        away = true;
        logger.warn(
          {err: error},
          'claims on idempotency keys are per process: their store is away',
        );
      }
      return undefined;
    }
  };

  /** A claim that cannot be ended runs out by itself; until then retries elsewhere are told that it runs. */
  const persist = async (end: () => Promise<boolean>) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        if (!(await bounded(storeMs, end()))) {
          logger.warn({}, 'a claim on an idempotency key had run out before its request ended');
        }
        return;
      } catch (error) {
        if (attempt === attemptsMax) {
          logger.warn({err: error}, 'a claim on an idempotency key was not ended; it runs out');
          return;
        }
        await new Promise(resolve => setTimeout(resolve, pauseMs));
      }
    }
  };

  return {
    async take(asked) {
      const {id, fence, hash} = asked;
      const shared = await takeShared(asked);
      if (shared) {
        return {
          found: shared,
          finish: (result, keepMs) =>
            persist(() => store.finish({id, fence, hash, result, keepMs})),
          release: () => persist(() => store.release({id, fence})),
        };
      }
      return {
        found: await own.take(asked),
        async finish(_result, keepMs) {
          await own.finish({id, fence, hash, result: undefined, keepMs});
          // Its answer may have been all that was lost of the claim.
          await bounded(storeMs, store.finish({id, fence, hash, result: undefined, keepMs})).catch(
            () => {},
          );
        },
        async release() {
          await own.release({id, fence});
          await bounded(storeMs, store.release({id, fence})).catch(() => {});
        },
      };
    },
    isAway: () => away,
    async close() {
      await store.close();
      await own.close();
    },
  };
};

const bounded = async <Result>(ms: number, work: Promise<Result>): Promise<Result> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
};
