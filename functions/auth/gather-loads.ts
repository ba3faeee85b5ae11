/**
Gather loads: look-ups of many keys in few statements, because a process that has just started, or just forgotten an
organisation, meets all of its keys at once.

In: what reads many keys by their public ids. Out: what reads one. The first goes at once; who comes while it runs, and for a
moment after it, goes together with the next. One statement at a time.
*/
import type {Principal} from './principal.ts';
import type {LoadPrincipal} from './principals.ts';

/** Reads keys by their public ids; who is missing in the answer does not exist. */
export type LoadPrincipals = (
  publicIds: readonly string[],
) => Promise<ReadonlyMap<string, Principal>>;

type Waiting = {
  readonly promise: Promise<Principal | undefined>;
  readonly resolve: (found: Principal | undefined) => void;
  readonly reject: (error: Error) => void;
};

export const gatherLoads = (
  load: LoadPrincipals,
  {
    batchMax = 500,
    /** From the beginning of one statement to that of the next. */
    spacingMs = 20,
    now = () => performance.now(),
  }: {batchMax?: number; spacingMs?: number; now?: () => number} = {},
): LoadPrincipal => {
  let waiting = new Map<string, Waiting>();
  let isRunning = false;
  let timer: NodeJS.Timeout | undefined;
  let nextMs = Number.NEGATIVE_INFINITY;

  const schedule = () => {
    if (!isRunning && !timer && waiting.size > 0) {
      timer = setTimeout(send, Math.max(nextMs - now(), 0));
    }
  };

  const takeBatch = () => {
    const batch = new Map([...waiting].slice(0, batchMax));
    waiting = new Map([...waiting].slice(batchMax));
    return batch;
  };

  const send = async () => {
    timer = undefined;
    nextMs = now() + spacingMs;
    isRunning = true;
    const batch = takeBatch();
    try {
      const found = await load([...batch.keys()]);
      for (const [publicId, {resolve}] of batch) {
        resolve(found.get(publicId));
      }
    } catch (error) {
      for (const {reject} of batch.values()) {
        reject(error as Error);
      }
    }
    isRunning = false;
    schedule();
  };

  return function loadOne(publicId) {
    // Only one that was not sent yet: a statement that runs may have read before a change that its asker knows of.
    const joined = waiting.get(publicId);
    if (joined) {
      return joined.promise;
    }
    const added = Promise.withResolvers<Principal | undefined>();
    waiting.set(publicId, added);
    schedule();
    return added.promise;
  };
};
