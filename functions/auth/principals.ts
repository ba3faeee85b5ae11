/**
Principals: the cache of keys, kept true by `changes`.

In: an API key. Out: at once, who it is or why not; or a promise where the key was not known yet. Unknown keys are
remembered too, until a key changes, so that guessing costs the guesser a request and us one look-up, not one a guess.
*/
import {LRUCache} from 'lru-cache';
import {hashSecret, parseApiKey} from '../../events/api-key.ts';
import type {Change} from '../../events/changes.ts';
import {SluiceError} from '../../events/errors.ts';
import {limits} from '../../events/limits.ts';
import {
  type Denial,
  denialOf,
  type Environment,
  type Principal,
  unfitFor,
  type Wanted,
} from './principal.ts';

/** Reads one key by its public id. */
export type LoadPrincipal = (publicId: string) => Promise<Principal | undefined>;
export type Verdict = Readonly<{principal: Principal} | {denied: Denial}>;

/** By size and not by `max`, for which it would make room for all of them at the start: that takes longer than the rest of ours. */
const atMost = (max: number) => ({maxSize: max, sizeCalculation: () => 1});

const unknown: Verdict = {denied: 'unknown'};

/** One that changes all the time is believed in the end. */
const recheckMax = 5;

const unavailable = (message: string, cause?: unknown) =>
  new SluiceError('unavailable', message, {retryAfterSeconds: 1, cause});

export const createPrincipals = ({
  load,
  environment,
  now = Date.now,
  max = limits.principals,
  loadsMax = 256,
}: {
  load: LoadPrincipal;
  environment: Environment;
  now?: () => number;
  max?: number;
  loadsMax?: number;
}) => {
  /** By public id. */
  const known = new LRUCache<string, Principal>({
    ...atMost(max),
    dispose: ({key}, publicId) => {
      const left = publicIdsOf.get(key)?.filter(id => id !== publicId) ?? [];
      if (left.length > 0) {
        publicIdsOf.set(key, left);
      } else {
        publicIdsOf.delete(key);
      }
    },
  });
  /** A key has two for a while after it was rotated. */
  const publicIdsOf = new Map<string, readonly string[]>();
  const absent = new LRUCache<string, true>(atMost(10_000));
  const loading = new Map<string, Promise<Principal | undefined>>();
  /** Loads that run, those that a change made useless included. */
  let loads = 0;
  /** Grows with every change; what was loaded before a change is used by who asked before it, and not kept. */
  let generation = 0;

  const judge = (principal: Principal | undefined, secretHash: Buffer): Verdict => {
    const denied = denialOf(principal, {secretHash, nowMs: now(), environment});
    return denied === undefined ? {principal: principal as Principal} : {denied};
  };

  const fetchOnce = (publicId: string): Promise<Principal | undefined> => {
    const running = loading.get(publicId);
    if (running) {
      return running;
    }
    if (loads >= loadsMax) {
      return Promise.reject(unavailable('too many keys are being looked up'));
    }
    loads += 1;
    const started = fetch(publicId).finally(() => {
      loads -= 1;
      if (loading.get(publicId) === started) {
        loading.delete(publicId);
      }
    });
    loading.set(publicId, started);
    return started;
  };

  const fetch = async (publicId: string) => {
    const before = generation;
    const principal = await load(publicId).catch(cause => {
      throw unavailable('the key could not be read', cause);
    });
    if (before === generation) {
      if (principal) {
        known.set(publicId, principal);
        const before = publicIdsOf.get(principal.key);
        publicIdsOf.set(principal.key, before ? [...before, publicId] : [publicId]);
      } else {
        absent.set(publicId, true);
      }
    }
    return principal;
  };

  const forget = (change: Change) => {
    if (change.kind === 'key') {
      for (const publicId of publicIdsOf.get(change.subject) ?? []) {
        known.delete(publicId);
      }
      absent.clear();
      return;
    }
    // A change above keys is rare: whoever it may concern is read again.
    for (const [publicId, principal] of known.entries()) {
      if (principal.org === change.orgId) {
        known.delete(publicId);
      }
    }
  };

  return {
    /** Sync in steady state; rejects with `unavailable` where the key is unknown and cannot be read. */
    verify(apiKey: string | undefined): Verdict | Promise<Verdict> {
      const parsed = apiKey === undefined ? undefined : parseApiKey(apiKey);
      if (!parsed || absent.has(parsed.publicId)) {
        return unknown;
      }
      const principal = known.get(parsed.publicId);
      return principal
        ? judge(principal, hashSecret(parsed.secret))
        : fetchOnce(parsed.publicId).then(found => judge(found, hashSecret(parsed.secret)));
    },
    /** Nothing that it stands for has changed since it was given out. */
    isCurrent: (principal: Principal) => known.get(principal.publicId) === principal,
    /** Whether who passed a while ago would pass now: undefined, or why not. */
    async recheck({publicId, secretHash}: Principal, wanted?: Wanted): Promise<Denial | undefined> {
      for (let attempt = 1; ; attempt += 1) {
        const found = known.get(publicId) ?? (await fetchOnce(publicId));
        const verdict = judge(found, secretHash);
        // One that was read while something changed may be from before it.
        if ('denied' in verdict || known.get(publicId) === found || attempt === recheckMax) {
          return 'denied' in verdict
            ? verdict.denied
            : wanted && unfitFor(verdict.principal, wanted);
        }
      }
    },
    /** Called with what `watchChanges` read. */
    onChanges(changes: readonly Change[] | 'all') {
      generation += 1;
      // Who asks from now on must not join a load that may have read what is no longer true.
      loading.clear();
      if (changes === 'all') {
        known.clear();
        absent.clear();
        return;
      }
      for (const change of changes) {
        if (change.kind !== 'model' && change.kind !== 'cut') {
          forget(change);
        }
      }
    },
    size: () => known.size,
  };
};

export type Principals = ReturnType<typeof createPrincipals>;
