/**
Follow: the shell. Makes the registry say what an object of Kubernetes says by now.

In: an object's key, from an event or a list. Out: what was done. The object is locked first and read then, so that of two who are told of
it, in whatever order, the one who comes later also reads later: old and repeated events do nothing. Its server is asked after the
transaction, because that takes seconds.
*/
import {setTimeout as sleep} from 'node:timers/promises';
import {uuidv7} from '../../../events/uuid.ts';
import {announce, announceHealth} from '../announce.ts';
import {disable, healthChanges, type Model} from '../model.ts';
import type {Registry} from '../registry.ts';
import type {ModelName, RegistryStore, RegistryTransaction} from '../store.ts';
import {type Key, refOf} from './objects.ts';
import type {Reading} from './read.ts';
import {withReason} from './standing.ts';
import {type Question, type Step, type Looked as StepReading, stepOf} from './step.ts';
import type {Tell} from './tell.ts';
import {createTurns} from './turns.ts';

export type Outcome = Readonly<{
  ref: string;
  did: Step['did'];
  /** Why it is not registered, or what of it does not count. */
  reason?: string;
}>;
type Looked = Readonly<{reading: Reading; steps: readonly Step[]}>;
type Locked = Readonly<{name: ModelName; before: Model | undefined}>;
export type Follow = (key: Key, options?: {thorough?: boolean}) => Promise<Outcome>;

export const createFollow = ({
  store,
  registry,
  read,
  tell,
  now = Date.now,
  newId = () => uuidv7(),
  pause = async ms => {
    await sleep(ms);
  },
  pausesMs = [1_000, 3_000],
}: {
  store: Pick<RegistryStore, 'change'>;
  registry: Pick<Registry, 'ask'>;
  read: (key: Key) => Promise<Reading>;
  tell: Tell;
  now?: () => number;
  newId?: () => string;
  pause?: (ms: number) => Promise<void>;
  /** A server that Kubernetes calls ready may not be reachable yet: one that never answered is asked again after these. */
  pausesMs?: readonly number[];
}): Follow => {
  const hinted = createTurns<Looked>();
  /** Whoever posts many events keeps no resync waiting. */
  const thoroughly = createTurns<Looked>();
  const apply = async (
    transaction: RegistryTransaction,
    {name, before}: Locked,
    {ref, reading, thorough}: {ref: string; reading: StepReading; thorough: boolean},
  ): Promise<Step> => {
    const at = new Date(now()).toISOString();
    const isMeant = reading.kind === 'claim' && same(reading.claim.registration, name);
    const looked = isMeant ? reading : ({kind: 'nothing'} as const);
    const step = stepOf(before, {ref, looked, thorough, at, newId});
    if (step.after === undefined) {
      await (before && remove(transaction, before));
    } else if (step.isToSave) {
      await transaction.save(step.after);
      await emit(transaction, before, step);
    }
    return step;
  };

  const occasionOf = async (transaction: RegistryTransaction) => ({
    revision: await transaction.revision(),
    time: new Date(now()),
  });

  const emit = async (
    transaction: RegistryTransaction,
    before: Model | undefined,
    {did, after}: Step,
  ) => {
    if (!after) {
      return;
    }
    const occasion = await occasionOf(transaction);
    const changed = before ? healthChanges(before, after) : [];
    const what = did === 'removed' ? 'disabled' : 'registered';
    const isTold = did !== 'nothing' && !(did === 'removed' && before?.status === 'disabled');
    await transaction.emit([
      ...(isTold ? [announce(what, after, occasion)] : []),
      ...changed.map(endpoint => announceHealth(after, endpoint, occasion)),
    ]);
  };

  const remove = async (transaction: RegistryTransaction, model: Model) => {
    await transaction.remove(model.id);
    if (model.status !== 'disabled') {
      await transaction.emit([announce('disabled', disable(model), await occasionOf(transaction))]);
    }
  };

  const ask = async ({model, endpoint, standing, isNew}: Question, thorough: boolean) => {
    // A resync has others to ask, and comes again.
    const isPatient = isNew && !thorough && standing.state === 'up';
    for (const pauseMs of isPatient ? [...pausesMs, null] : [null]) {
      const after = await registry.ask(model, [endpoint], withReason(standing));
      const found = after.endpoints.find(({id}) => id === endpoint.id);
      if (pauseMs === null || !found || found.health === 'healthy') {
        return;
      }
      await pause(pauseMs);
    }
  };

  const look = (key: Key, thorough: boolean): Promise<Looked> =>
    store.change(async transaction => {
      const ref = refOf(key);
      const registered = await transaction.lockObject(ref);
      const reading = await read(key);
      if (reading.kind === 'unclear') {
        return {reading, steps: []};
      }
      const claimed = reading.kind === 'claim' ? [reading.claim.registration] : [];
      // All before the first is saved, which locks the count of changes: a registration by hand locks its name first, too.
      const locked: Locked[] = [];
      for (const name of distinct([...(registered ? [registered] : []), ...claimed])) {
        locked.push({name, before: await transaction.lock(name)});
      }
      const steps: Step[] = [];
      for (const one of locked) {
        steps.push(await apply(transaction, one, {ref, reading, thorough}));
      }
      return {reading, steps};
    });

  return async function follow(key, {thorough = false} = {}) {
    const ref = refOf(key);
    const {reading, steps} = await (thorough ? thoroughly : hinted)(ref, () => look(key, thorough));
    for (const {question} of steps) {
      await (question && ask(question, thorough));
    }
    const reason = reasonOf(reading, steps);
    if (reason !== undefined && reading.object) {
      await (isFault(reading) && tell(key, reading.object, reason));
    }
    const did = steps.map(step => step.did).find(one => one !== 'nothing') ?? 'nothing';
    return {ref, did, ...(reason === undefined ? {} : {reason})};
  };
};

const isFault = (reading: Reading) => reading.kind !== 'unclear' || reading.isFault;

const reasonOf = (reading: Reading, steps: readonly Step[]): string | undefined => {
  if (reading.kind !== 'claim') {
    return reading.reason;
  }
  const refused = steps.find(step => step.refused !== undefined)?.refused;
  if (refused !== undefined) {
    return refused;
  }
  const ignored = steps.flatMap(step => step.ignored);
  return ignored.length === 0
    ? undefined
    : `the model is registered with another ${ignored.join(', ')}, by hand or by an older object, and that counts`;
};

const same = (a: ModelName, b: ModelName) => a.name === b.name && a.environment === b.environment;

/** In one order for everybody, so that no two wait for each other. */
const distinct = (names: readonly ModelName[]): ModelName[] =>
  [...new Map(names.map(({environment, name}) => [`${environment} ${name}`, {environment, name}]))]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, name]) => name);
