/**
Registry: the shell. Registers, enables, disables and probes models; the rules are in `model.ts`, the network in `probe.ts`.

A probe runs outside any transaction, because it takes seconds; what it found is applied to the model as it is by then.
What changed is told in the same transaction.
*/
import {SluiceError} from '../../events/errors.ts';
import {uuidv7} from '../../events/uuid.ts';
import {announce, announceHealth} from './announce.ts';
import {checkContextLength, draftModel, stillMeant, toAsk} from './draft.ts';
import {
  applyFindings,
  disable,
  type Endpoint,
  enable,
  type Finding,
  healthChanges,
  type Model,
  obstacleOf,
} from './model.ts';
import type {Probe} from './probe.ts';
import type {Registration} from './registration.ts';
import type {ModelName, RegistryStore, RegistryTransaction} from './store.ts';

export const createRegistry = ({
  store,
  probe,
  now = Date.now,
  newId = () => uuidv7(),
  freshMs = 2_000,
}: {
  store: RegistryStore;
  probe: Probe;
  now?: () => number;
  newId?: () => string;
  /** A suspicion about an endpoint that was probed within this time is answered already. */
  freshMs?: number;
}) => {
  const probing = new Map<string, Promise<Finding>>();

  /** One probe of an endpoint at a time, whoever asks. */
  const probeOnce = ({id, url, upstreamModel, usage}: Endpoint, mayBeAsleep: boolean) => {
    let running = probing.get(id);
    if (!running) {
      running = probe({url, upstreamModel, known: usage !== null, mayBeAsleep}).finally(() =>
        probing.delete(id),
      );
      probing.set(id, running);
    }
    return running;
  };

  const probeAll = async ({startSeconds}: Model, endpoints: readonly Endpoint[]) =>
    new Map(
      await Promise.all(
        endpoints.map(
          async endpoint =>
            [endpoint.id, await probeOnce(endpoint, startSeconds !== null)] as const,
        ),
      ),
    );

  const occasionOf = async (transaction: RegistryTransaction) => ({
    revision: await transaction.revision(),
    time: new Date(now()),
  });

  const probeModel = async (
    model: Model,
    endpoints: readonly Endpoint[],
    {actor, adapt}: {actor?: string | undefined; adapt?: (finding: Finding) => Finding} = {},
  ): Promise<Model> => {
    const at = new Date(now()).toISOString();
    const found = await probeAll(model, endpoints);
    const findings = adapt
      ? new Map([...found].map(([id, finding]) => [id, adapt(finding)] as const))
      : found;
    return store.change(async transaction => {
      const before = present(await transaction.lock({id: model.id}), model.id);
      const after = applyFindings(before, stillMeant(before, endpoints, findings), at);
      await transaction.save(after);
      const occasion = await occasionOf(transaction);
      const changed = healthChanges(before, after);
      await transaction.emit(changed.map(endpoint => announceHealth(after, endpoint, occasion)));
      return after;
    }, actor);
  };

  const find = async (id: string) => present(await store.find(id), id);

  /** 200 when the model is there, else not_found. What the operator wants is told, and only when it changes something. */
  const wish = (
    id: string,
    what: 'enabled' | 'disabled',
    {rule, actor}: {rule: (model: Model) => Model; actor: string | undefined},
  ) =>
    store.change(async transaction => {
      const before = present(await transaction.lock({id}), id);
      const after = rule(before);
      if (after.status !== before.status) {
        await transaction.save(after);
        await transaction.emit([announce(what, after, await occasionOf(transaction))]);
      }
      return after;
    }, actor);

  return {
    list: store.list,
    find,
    async register(
      registration: Registration,
      actor?: string,
    ): Promise<{model: Model; replaced: boolean}> {
      const at = new Date(now()).toISOString();
      const {name, environment} = registration;
      const known = await store.change(transaction => transaction.lock({name, environment}));
      const first = draftModel(registration, known, newId);
      const endpoints = toAsk(first);
      const findings = await probeAll(first, endpoints);
      const byUrl = new Map(endpoints.map(({id, url}) => [url, findings.get(id) as Finding]));
      const contextLength = checkContextLength(registration, byUrl.values());
      return store.change(async transaction => {
        const existing = await transaction.lock({name, environment});
        const draft = draftModel({...registration, contextLength}, existing, newId);
        const own = new Map(
          draft.endpoints.flatMap(({id, url}) => {
            const finding = byUrl.get(url);
            return finding ? [[id, finding] as const] : [];
          }),
        );
        const model = applyFindings(draft, own, at);
        await transaction.save(model);
        const occasion = await occasionOf(transaction);
        const changed = existing ? healthChanges(existing, model) : [];
        await transaction.emit([
          announce('registered', model, occasion),
          ...changed.map(endpoint => announceHealth(model, endpoint, occasion)),
        ]);
        return {model, replaced: existing !== undefined};
      }, actor);
    },
    async enable(id: string, actor?: string): Promise<Model> {
      const model = await find(id);
      if (obstacleOf(model) !== undefined) {
        await probeModel(model, model.endpoints, {actor});
      }
      const rule = (before: Model) => {
        const result = enable(before);
        if ('obstacle' in result) {
          throw new SluiceError('conflict', `the model cannot be routed to: ${result.obstacle}`);
        }
        return result.model;
      };
      return wish(id, 'enabled', {rule, actor});
    },
    disable: (id: string, actor?: string) => wish(id, 'disabled', {rule: disable, actor}),
    change: (id: string, rule: (before: Model) => Model, actor?: string): Promise<Model> =>
      store.change(async transaction => {
        const after = rule(present(await transaction.lock({id}), id));
        await transaction.save(after);
        return after;
      }, actor),
    /** The fallbacks of these models that no model is named by yet. */
    async missing(models: readonly Model[]): Promise<(model: Model, name: string) => boolean> {
      const key = ({environment, name}: ModelName) => `${environment} ${name}`;
      const wanted = models.flatMap(({environment, fallbacks}) =>
        fallbacks.map(name => ({environment, name})),
      );
      const known = new Set(wanted.length === 0 ? [] : (await store.known(wanted)).map(key));
      return ({environment}, name) => !known.has(key({environment, name}));
    },
    async probe(id: string, actor?: string): Promise<Model> {
      const model = await find(id);
      return probeModel(model, model.endpoints, {actor});
    },
    /** Probes these endpoints of a model; `adapt` says more of what was found. */
    ask: (model: Model, endpoints: readonly Endpoint[], adapt: (finding: Finding) => Finding) =>
      probeModel(model, endpoints, {adapt}),
    /** Takes the model out of routing and forgets it; its ledger keeps what it cost. `check` may throw. */
    deregister: (id: string, actor?: string, check: (model: Model) => void = () => {}) =>
      store.change(async transaction => {
        const model = present(await transaction.lock({id}), id);
        check(model);
        await transaction.remove(id);
        if (model.status !== 'disabled') {
          await transaction.emit([
            announce('disabled', disable(model), await occasionOf(transaction)),
          ]);
        }
      }, actor),
    /** A hint from anywhere: the endpoint is looked up and probed, and only the probe believed. */
    async suspect(endpointId: string): Promise<void> {
      const model = await store.findByEndpoint(endpointId);
      const endpoint = model?.endpoints.find(({id}) => id === endpointId);
      const fresh = endpoint?.healthAt != null && now() - Date.parse(endpoint.healthAt) < freshMs;
      if (model && endpoint && !fresh) {
        await probeModel(model, [endpoint]);
      }
    },
  };
};

export type Registry = ReturnType<typeof createRegistry>;

const present = (model: Model | undefined, id: string): Model => {
  if (!model) {
    throw new SluiceError('not_found', `there is no model ${id}`);
  }
  return model;
};
