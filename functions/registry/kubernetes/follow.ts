/**
Follow: the shell. Makes the registry say what an object of Kubernetes says by now.

In: an object's key, from an event or a list. Out: what was done. The object is locked first and read then, so that of two who are told of
it in whatever order the one who comes later also reads later: old and repeated events do nothing. The server is asked after the
transaction, because that takes seconds.
*/
import {uuidv7} from '../../../events/uuid.ts';
import {announce, announceHealth} from '../announce.ts';
import {applyFindings, disable, type Endpoint, healthChanges, type Model} from '../model.ts';
import type {Registry} from '../registry.ts';
import type {ModelName, RegistryStore, RegistryTransaction} from '../store.ts';
import {differences, mergeClaim} from './merge.ts';
import {type Key, refOf} from './objects.ts';
import type {Reading} from './read.ts';
import {judge, type Standing, withReason} from './standing.ts';
import type {Tell} from './tell.ts';

export type Outcome = Readonly<{
  ref: string;
  did: 'registered' | 'changed' | 'removed' | 'nothing';
  /** Why the object is not registered, or what of it does not count. */
  reason?: string;
}>;
type Question = Readonly<{model: Model; endpoint: Endpoint; standing: Standing; isNew: boolean}>;
type Step = Readonly<{did: Outcome['did']; question?: Question; reason?: string}>;

export const createFollower = ({
  store,
  registry,
  read,
  tell,
  now = Date.now,
  newId = () => uuidv7(),
  pause = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms)),
  pausesMs = [1_000, 3_000],
}: {
  store: RegistryStore;
  registry: Pick<Registry, 'ask'>;
  read: (key: Key) => Promise<Reading>;
  tell: Tell;
  now?: () => number;
  newId?: () => string;
  pause?: (ms: number) => Promise<void>;
  /** A server that Kubernetes calls ready may not be reachable at once; one that is new is asked again after these. */
  pausesMs?: readonly number[];
}) => {
  const stepOf = async (
    transaction: RegistryTransaction,
    name: ModelName,
    {key, reading, thorough}: {key: Key; reading: Reading; thorough: boolean},
  ): Promise<Step> => {
    const ref = refOf(key);
    const mine = reading.kind === 'claim' && sameName(reading.claim.registration, name);
    const before = await transaction.lock(name);
    const merged = mergeClaim(
      before,
      {ref, claim: mine ? reading.claim : undefined},
      newId,
    );
    if (!merged) {
      return before ? remove(transaction, before) : {did: 'nothing'};
    }
    const known = before?.endpoints.find(({object}) => object?.ref === ref);
    const own = merged.endpoints.find(({object}) => object?.ref === ref);
    const verdict =
      own && reading.kind === 'claim'
        ? judge(reading.standing, known && {...known, usage: own.usage}, {
            startSeconds: merged.startSeconds,
            thorough,
          })
        : {ask: false};
    const at = new Date(now()).toISOString();
    const after =
      own && verdict.finding ? applyFindings(merged, new Map([[own.id, verdict.finding]]), at) : merged;
    const did = !before ? 'registered' : said(before) === said(after) ? 'nothing' : 'changed';
    if (before && isSame(before, after)) {
      return {did, ...(own && verdict.ask && reading.kind === 'claim' ? {question: {model: after, endpoint: own, standing: reading.standing, isNew: own.usage === null}} : {}), ...reasonOf(after, reading)};
    }
    await transaction.save(after);
    const occasion = {revision: await transaction.revision(), time: new Date(now())};
    const changed = before ? healthChanges(before, after) : [];
    await transaction.emit([
      ...(did === 'nothing' ? [] : [announce('registered', after, occasion)]),
      ...changed.map(endpoint => announceHealth(after, endpoint, occasion)),
    ]);
    return {did, ...(own && verdict.ask && reading.kind === 'claim' ? {question: {model: after, endpoint: own, standing: reading.standing, isNew: own.usage === null}} : {}), ...reasonOf(after, reading)};
  };
  return {stepOf};
};
