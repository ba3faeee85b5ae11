/**
Orders of events: whatever happens to the objects, in whatever order, how often or never it is told, after a resync the registry says what a
registry says that saw only how it ended.
*/
import test from 'ava';
import fc from 'fast-check';
import {createFollow, type Follow} from '../../functions/registry/kubernetes/follow.ts';
import {type Key, type KubeObject, pathOf} from '../../functions/registry/kubernetes/objects.ts';
import {createReader} from '../../functions/registry/kubernetes/read.ts';
import {createResync} from '../../functions/registry/kubernetes/resync.ts';
import type {Model} from '../../functions/registry/model.ts';
import {parseRegistration} from '../../functions/registry/registration.ts';
import {createRegistry} from '../../functions/registry/registry.ts';
import {createMemoryStore} from '../../functions/registry/store-memory.ts';
import {makeBody, well} from '../helpers/registry.ts';
import {makeService, makeSlice, trusted} from '../helpers/registry-kubernetes.ts';

type World = Map<string, KubeObject>;

const keyOf = (name: string): Key => ({kind: 'Service', namespace: 'models', name});

/** A registry that follows a world, which may change between the two requests of a look. */
const makeRegistry = (world: World, listed: () => Key[]) => {
  const store = createMemoryStore();
  const registry = createRegistry({store, probe: async () => well});
  const read = createReader(
    {
      get: async path => {
        const [at = ''] = path.split('?');
        if (at.endsWith('/endpointslices')) {
          return {status: 'found', body: {items: [makeSlice()]}};
        }
        const body = at === '/api/v1/namespaces/models' ? trusted : world.get(at);
        return body ? {status: 'found', body} : {status: 'missing'};
      },
    },
    {ownNamespace: 'sluice'},
  );
  const follow: Follow = createFollow({store, registry, read, tell: async () => {}, pausesMs: []});
  const resync = createResync({
    store,
    follow,
    list: async () => ({keys: listed(), problems: []}),
  });
  return {store, registry, follow, resync};
};

const summary = (models: readonly Model[]) =>
  models.map(({name, environment, status, price, contextLength, startSeconds, endpoints}) => ({
    name,
    environment,
    status,
    price: String(price.inputPerMillion),
    contextLength,
    startSeconds,
    endpoints: endpoints.map(({url, health, maxConcurrency, object}) => ({
      url,
      health,
      maxConcurrency,
      object: object && {...object},
    })),
  }));

const names = ['a-dev', 'b-dev', 'c-dev'] as const;
const change = fc.record({
  name: fc.constantFrom(...names),
  /** Null: deleted. */
  to: fc.option(
    fc.record({
      model: fc.constantFrom('llama', 'mistral'),
      price: fc.constantFrom('1', '2'),
      contextLength: fc.constantFrom('4096', '8192'),
      isFaulty: fc.boolean(),
      isLabelled: fc.boolean(),
    }),
  ),
  told: fc.constantFrom(0, 1, 2),
});
const plan = fc.record({
  byHand: fc.boolean(),
  changes: fc.array(change, {maxLength: 12}),
  /** The order in which what is told arrives, and how much of it at the end only. */
  order: fc.infiniteStream(fc.nat({max: 1_000})),
  late: fc.boolean(),
});

type Value = Readonly<{
  model: string;
  price: string;
  contextLength: string;
  isFaulty: boolean;
  isLabelled: boolean;
}>;

const objectOf = (name: string, at: number, to: Value) =>
  makeService({
    name,
    createdAt: `2026-11-22T00:00:${String(at).padStart(2, '0')}Z`,
    labels: to.isLabelled ? {'sluice.dev/model': to.model} : {app: to.model},
    annotations: {
      'sluice.dev/price-input': to.price,
      'sluice.dev/price-output': '1',
      'sluice.dev/context-length': to.contextLength,
      ...(to.isFaulty ? {'sluice.dev/start-seconds': 'soon'} : {}),
    },
  }) as KubeObject;

const registerByHand = (registry: ReturnType<typeof makeRegistry>['registry']) =>
  registry.register(
    parseRegistration(
      makeBody({
        name: 'mistral',
        namespace: 'models',
        endpoints: ['http://hand'],
        contextLength: 2048,
      }),
    ),
  );

test('any order of events ends in what the cluster says', async t => {
  await fc.assert(
    fc.asyncProperty(plan, async ({byHand, changes, order, late}) => {
      const world: World = new Map();
      const listed = () => [...world.values()].map(({metadata}) => keyOf(String(metadata?.name)));
      const one = makeRegistry(world, listed);
      if (byHand) {
        await registerByHand(one.registry);
      }
      const waiting: string[] = [];
      const deliver = () => {
        const [at] = order.take(1);
        const [name] = waiting.splice((at ?? 0) % waiting.length, 1);
        return one.follow(keyOf(name as string));
      };
      const running: Promise<unknown>[] = [];
      for (const [index, {name, to, told}] of changes.entries()) {
        const path = pathOf(keyOf(name));
        if (to === null) {
          world.delete(path);
        } else if (!to.isFaulty) {
          const known = world.get(path)?.metadata?.creationTimestamp;
          world.set(path, objectOf(name, known ? Number(known.slice(17, 19)) : index, to));
        }
        waiting.push(...Array.from({length: told}, () => name));
        if (!late && waiting.length > 0) {
          running.push(deliver());
        }
      }
      while (waiting.length > 0) {
        running.push(deliver());
      }
      await Promise.all(running);
      await one.resync();

      const other = makeRegistry(world, listed);
      if (byHand) {
        await registerByHand(other.registry);
      }
      await other.resync();
      t.deepEqual(summary(await one.store.list({}, 100)), summary(await other.store.list({}, 100)));

      const before = await one.store.list({}, 100);
      await Promise.all(names.map(name => one.follow(keyOf(name))));
      t.deepEqual(await one.store.list({}, 100), before, 'told again, nothing is done');
    }),
    {numRuns: 150},
  );
});

test('what is told of an object with a fault leaves what was registered of it', async t => {
  const world: World = new Map();
  const key = keyOf('a-dev');
  const good = {
    model: 'llama',
    price: '1',
    contextLength: '4096',
    isFaulty: false,
    isLabelled: true,
  };
  const {store, follow, resync} = makeRegistry(world, () => [key]);
  world.set(pathOf(key), objectOf('a-dev', 0, good));
  t.like(await follow(key), {did: 'registered'});
  const before = await store.list({}, 100);
  world.set(pathOf(key), objectOf('a-dev', 0, {...good, price: '2', isFaulty: true}));
  t.is((await follow(key)).did, 'nothing');
  const {outcomes} = await resync();
  t.regex(outcomes[0]?.reason ?? '', /^sluice\.dev\/start-seconds: expected a whole number/);
  t.deepEqual(
    (await store.list({}, 100)).map(({price}) => price),
    before.map(({price}) => price),
  );
});
