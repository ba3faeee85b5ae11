/**
Load watch: what model servers have to do, by their own metrics.

In: endpoints that are used, and how one is asked. Out: for each, how many requests it had. Asked once a second, one
question an endpoint at a time, and only while somebody goes on saying that it is used: no request waits for it, and a gateway
without requests asks nobody. A server that does not answer, or has no such metrics, is not asked for a while.
*/
import type {Ask} from './ask.ts';
import {readRequests} from './read-requests.ts';

/** `others`: its requests that are not this process's own. */
export type Reported = Readonly<{others: number; atMs: number}>;
export type Watched = {
  readonly url: string;
  readonly inFlight: number;
  reported: Reported | undefined;
};
export type After = (ms: number, run: () => void) => () => void;

export type LoadWatch = Readonly<{
  /** Cheap: on every request's way. */
  used(): void;
  close(): void;
}>;

export const createLoadWatch = ({
  watched,
  ask,
  nowMs,
  after,
  everyMs = 1_000,
  usedMs = 10_000,
  restMs = 30_000,
}: {
  /** Those that were used within the time, each the same object as long as it is known. */
  watched: (sinceMs: number) => readonly Watched[];
  ask: Ask;
  nowMs: () => number;
  after: After;
  everyMs?: number;
  /** It watches for so long after the last use. */
  usedMs?: number;
  /** How long one that said nothing is left in peace. */
  restMs?: number;
}): LoadWatch => {
  const asking = new WeakSet<Watched>();
  const restsUntilMs = new WeakMap<Watched, number>();
  let cancel: (() => void) | undefined;

  const look = async (endpoint: Watched) => {
    asking.add(endpoint);
    const answer = await ask(`${endpoint.url}/metrics`);
    const requests = answer?.status === 200 ? readRequests(answer.text) : undefined;
    if (requests === undefined) {
      endpoint.reported = undefined;
      restsUntilMs.set(endpoint, nowMs() + restMs);
    } else {
      endpoint.reported = {others: Math.max(requests - endpoint.inFlight, 0), atMs: nowMs()};
    }
    asking.delete(endpoint);
  };

  const round = () => {
    const now = nowMs();
    const all = watched(now - usedMs);
    cancel = all.length === 0 ? undefined : after(everyMs, round);
    for (const endpoint of all) {
      if (!asking.has(endpoint) && now >= (restsUntilMs.get(endpoint) ?? now)) {
        void look(endpoint);
      }
    }
  };

  return {
    used() {
      cancel ??= after(0, round);
    },
    close() {
      cancel?.();
      cancel = () => {};
    },
  };
};
