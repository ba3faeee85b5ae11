/**
Shared claims: the claims of all gateways while their store answers, and of this process alone while it does not.

In: the store, a memory of the process's own. Out: where each claim is held. What is weaker while the store is away: a duplicate
that reaches another process runs a second time, and nothing is kept to be replayed. It is said in the log, in `/metrics` and
in `/healthz`. After a failure no request waits for the store: it is asked every second by itself, and claims are shared again when
it answers.
*/

import type {Logger} from '../../../events/telemetry.ts';
import {withDeadline} from '../deadline.ts';
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
/** A claim that nobody ever has: to release it asks whether the store answers, and changes nothing. */
const nobodys = {id: '0'.repeat(64), fence: '00000000-0000-0000-0000-000000000000'};

export const createSharedClaims = ({
  store,
  own = createMemoryClaims(),
  storeMs,
  retryMs = 1_000,
  logger,
}: {
  store: ClaimStore;
  own?: ClaimStore;
  storeMs: number;
  retryMs?: number;
  logger: Pick<Logger, 'warn' | 'info'>;
}): SharedClaims => {
  let away = false;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const onBack = () => {
    away = false;
    logger.info({}, 'claims on idempotency keys are shared again');
  };
  const askLater = () => {
    if (!closed) {
      timer = setTimeout(() => {
        bounded(storeMs, store.release(nobodys)).then(onBack, askLater);
      }, retryMs);
      timer.unref();
    }
  };

  const takeShared = async (asked: Asked): Promise<Found | undefined> => {
    if (away) {
      return undefined;
    }
    try {
      return await bounded(storeMs, store.take(asked));
    } catch (error) {
      if (!away) {
        away = true;
        askLater();
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
      closed = true;
      clearTimeout(timer);
      await store.close();
      await own.close();
    },
  };
};

const bounded = <Result>(ms: number, work: Promise<Result>): Promise<Result> =>
  withDeadline(work, ms, 'no answer');
