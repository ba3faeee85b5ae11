/**
Slots: the plainest loop that fetches for free slots and handles batches beside each other. For raw clients that have none.

In: how to fetch and to handle. Out: `stop`. It rests a moment where nothing was found.
*/
import {setTimeout as wait} from 'node:timers/promises';
import type {Gate, Load} from './contender.ts';

const emptyRestMs = 2;

export const runSlots = <Item>({
  load: {batch, concurrency},
  gate,
  fetch,
  handle,
}: {
  load: Load;
  gate: Gate;
  fetch: (limit: number) => Promise<readonly Item[]>;
  /** Ends when the items are acknowledged. */
  handle: (items: readonly Item[]) => Promise<void>;
}) => {
  let stopped = false;
  let busy = 0;
  let freed = Promise.withResolvers<void>();
  const start = (items: readonly Item[]) => {
    busy += 1;
    handle(items).finally(() => {
      busy -= 1;
      freed.resolve();
      freed = Promise.withResolvers();
    });
  };
  const loop = async () => {
    while (!stopped) {
      await gate.opened();
      if (busy === concurrency) {
        await freed.promise;
      }
      const items = await fetch((concurrency - busy) * batch);
      for (let at = 0; at < items.length; at += batch) {
        start(items.slice(at, at + batch));
      }
      if (items.length === 0) {
        await wait(emptyRestMs);
      }
    }
  };
  loop().catch(error => {
    if (!stopped) {
      throw error;
    }
  });
  return {
    stop() {
      stopped = true;
      gate.open();
    },
  };
};
