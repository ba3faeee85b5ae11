/**
Watch: starts the embedded PostgreSQL again when it dies under a running Sluice: killed, out of memory, crashed.

In: whether it runs, how to start it. Out: an end of the watching, which comes before PostgreSQL is stopped. It is looked at
and not listened to: the server is nobody's child. What cannot be started after `tries` is lost, which is said once.
*/
import {setTimeout as wait} from 'node:timers/promises';

export type Watch = Readonly<{close(): Promise<void>}>;

export const watchPostgres = ({
  isRunning,
  restart,
  onNote,
  onLost,
  pollMs = 250,
  tries = 5,
  restMs = 1_000,
}: {
  isRunning: () => boolean;
  /** On the same port: everybody knows it by that. */
  restart: () => Promise<void>;
  /** Something to tell the person. */
  onNote: (note: string) => void;
  onLost: (error: Error) => void;
  pollMs?: number;
  tries?: number;
  restMs?: number;
}): Watch => {
  const closing = new AbortController();
  const {signal} = closing;
  const sleep = (ms: number) => wait(ms, undefined, {signal, ref: false}).catch(() => {});

  const bringBack = async (): Promise<void> => {
    onNote('PostgreSQL is gone; starting it again');
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        await restart();
        onNote('PostgreSQL is back');
        return;
      } catch (error) {
        if (attempt === tries) {
          throw error;
        }
        await sleep(restMs);
      }
    }
  };

  const watch = async () => {
    while (!signal.aborted) {
      if (!isRunning()) {
        await bringBack();
      }
      await sleep(pollMs);
    }
  };

  const watching = watch().catch(error => onLost(error as Error));
  return {
    async close() {
      closing.abort();
      await watching;
    },
  };
};
