/**
Consume: the loop of one consumer: fetch what there are free slots for, hand out, store outcomes.

In: how to fetch and settle, and a consumer. Out: `wake`, when something was published, and `stop`, which waits for what is
in flight. After each fetch that found less than a full batch it rests a moment, so that a steady stream travels in batches.
*/
import {type Consumer, handle, type Message, type Outcome} from './broker.ts';

export type Consuming = Readonly<{wake(): void; stop(): Promise<void>}>;

export const consume = ({
  consumer: {batchMax, concurrency, onBatch},
  fetch,
  settle,
  onError,
  pollMs = 1_000,
  restMs = 20,
}: {
  consumer: Consumer;
  fetch: (limit: number) => Promise<readonly Message[]>;
  /** Resolves when the outcomes are stored, or when it gave up storing them: then they come again. */
  settle: (messages: readonly Message[], outcomes: readonly Outcome[]) => Promise<void>;
  onError: (error: Error) => void;
  /** Finds what no wake told of: a retry that is due, an event of a process that died. */
  pollMs?: number;
  restMs?: number;
}): Consuming => {
  const running = new Set<Promise<void>>();
  const timers = new Set<NodeJS.Timeout>();
  let stopped = false;
  let woken = false;
  let rouse = () => {};

  const wake = () => {
    woken = true;
    rouse();
  };
  const wakeIn = (ms: number) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      wake();
    }, ms);
    timers.add(timer);
  };
  const sleep = (ms: number, untilWoken: boolean) =>
    new Promise<void>(resolve => {
      const timer = setTimeout(resolve, ms);
      rouse = () => {
        if (untilWoken || stopped) {
          clearTimeout(timer);
          resolve();
        }
      };
    });

  const run = async (messages: readonly Message[]) => {
    const outcomes = await handle(onBatch, messages, onError);
    await settle(messages, outcomes);
    const delays = outcomes.flatMap(outcome => (outcome.kind === 'retry' ? [outcome.afterMs] : []));
    const soonest = Math.min(...delays);
    if (Number.isFinite(soonest) && !stopped) {
      wakeIn(soonest + 5);
    }
  };

  const start = (messages: readonly Message[]) => {
    const work = run(messages)
      .catch(error => onError(error as Error))
      .finally(() => {
        running.delete(work);
        wake();
      });
    running.add(work);
  };

  const loop = async () => {
    while (!stopped) {
      woken = false;
      const free = concurrency - running.size;
      if (free > 0) {
        const messages = await fetch(free * batchMax).catch(error => {
          onError(error as Error);
          return [];
        });
        for (let at = 0; at < messages.length; at += batchMax) {
          start(messages.slice(at, at + batchMax));
        }
        if (messages.length > 0) {
          if (messages.length < free * batchMax && !stopped) {
            await sleep(restMs, false);
          }
          continue;
        }
      }
      if (!woken && !stopped) {
        await sleep(pollMs, true);
      }
    }
  };
  const looping = loop();

  return {
    wake,
    async stop() {
      stopped = true;
      rouse();
      await looping;
      await Promise.all(running);
      for (const timer of timers) {
        clearTimeout(timer);
      }
    },
  };
};
