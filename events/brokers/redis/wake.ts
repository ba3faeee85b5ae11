/**
Wake: tells consumers that their stream has something new, by one blocking XREAD on a connection of its own.

In: consumers that found nothing, and up to which id. Out: a call when the stream has a newer one.

XREADGROUP itself could block, but what it takes while nobody waits for it any more (the process is being closed, the connection
broke) would stay in hand until it expires. XREAD takes nothing.
*/
import {setTimeout as wait} from 'node:timers/promises';
import {type ConnectRedis, ready} from '../../redis.ts';
import {oldestOf} from './entries.ts';

export type Waker = Readonly<{
  /** `wake` is called once, when there is an entry after `id`. */
  hungry(wake: () => void, id: string): void;
  close(): Promise<void>;
}>;

export const createWaker = async ({
  connect,
  stream,
  blockMs,
  onError,
}: {
  connect: ConnectRedis;
  stream: string;
  blockMs: number;
  onError: (error: Error) => void;
}): Promise<Waker> => {
  const client = await connect({blockMs});
  const waiting = new Map<() => void, string>();
  let closed = false;
  let rouse = () => {};

  const idle = () =>
    new Promise<void>(resolve => {
      rouse = resolve;
    });

  const read = async () => {
    const after = oldestOf([...waiting.values()]) as string;
    await ready(client, blockMs);
    const found = await client.xread('COUNT', 1, 'BLOCK', blockMs, 'STREAMS', stream, after);
    if (found) {
      const wakes = [...waiting.keys()];
      waiting.clear();
      for (const wake of wakes) {
        wake();
      }
    }
  };

  const loop = async () => {
    while (!closed) {
      if (waiting.size === 0) {
        await idle();
        continue;
      }
      try {
        await read();
      } catch (error) {
        if (!closed) {
          onError(error as Error);
          await wait(200);
        }
      }
    }
  };
  const looping = loop();

  return {
    hungry(wake, id) {
      waiting.set(wake, id);
      rouse();
    },
    async close() {
      closed = true;
      rouse();
      client.disconnect();
      await looping;
    },
  };
};
