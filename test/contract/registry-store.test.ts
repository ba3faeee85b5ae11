import test, {type ExecutionContext} from 'ava';
import {createPool} from '../../events/database.ts';
import {uuidv7} from '../../events/uuid.ts';
import {announce} from '../../functions/registry/announce.ts';
import {createModelLoader} from '../../functions/registry/load-models.ts';
import type {Model} from '../../functions/registry/model.ts';
import type {RegistryStore} from '../../functions/registry/store.ts';
import {createMemoryStore} from '../../functions/registry/store-memory.ts';
import {createPostgresStore} from '../../functions/registry/store-postgres.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {makeEndpoint, makeModel} from '../helpers/registry.ts';

type Tested = Readonly<{store: RegistryStore; eventIds(): Promise<string[]>}>;

const makers = {
  memory: async (): Promise<Tested> => {
    const store = createMemoryStore();
    return {store, eventIds: async () => store.events().map(({id}) => id)};
  },
  postgres: async (t: ExecutionContext): Promise<Tested> => {
    const database = await createTestDatabase(t);
    const pool = createPool({databaseUrl: database.url('system'), name: 'registry'});
    t.teardown(() => pool.end());
    const eventIds = async () => {
      const {rows} = await pool.query(
        "select event_id from outbox where destination = 'broker:default' order by id",
      );
      return rows.map(row => row.event_id);
    };
    return {store: createPostgresStore(pool), eventIds};
  },
};

const contract = (title: string, body: (t: ExecutionContext, tested: Tested) => Promise<void>) => {
  for (const [name, make] of Object.entries(makers)) {
    test(`${name}: ${title}`, async t => body(t, await make(t)));
  }
};

/** As PostgreSQL says it; a registration that got past the door is still bounded here. */
test('postgres: what is out of bounds is not stored', async t => {
  const database = await createTestDatabase(t);
  const store = createPostgresStore(database.pool('system'));
  for (const more of [
    {startSeconds: 1_801},
    {fallbacks: ['llama']},
    {fallbacks: ['a', 'b', 'c', 'd', 'e', 'f']},
    {maxOutputTokens: 0},
    {endpoints: [makeEndpoint({maxConcurrency: 100_001})]},
  ]) {
    const refused = await t.throwsAsync(save(store, makeModel(more)), undefined);
    t.regex(refused.message, /violates check constraint/, JSON.stringify(more));
  }
});

const save = (store: RegistryStore, ...models: Model[]) =>
  store.change(async transaction => {
    for (const model of models) {
      await transaction.save(model);
    }
    return transaction.revision();
  });

contract('a model comes back with every field, and its endpoints by URL', async (t, {store}) => {
  const endpoints = [
    makeEndpoint({url: 'http://b', usage: null, health: 'unhealthy', healthReason: 'é "quoted"'}),
    makeEndpoint({
      url: 'http://a',
      healthAt: null,
      health: 'unknown',
      tokenize: true,
      maxConcurrency: 64,
    }),
  ];
  const model = makeModel({
    endpoints,
    namespace: 'models',
    metadata: {team: 'a', tags: ['x', null]},
    rates: {requests: 60, parallel: 2},
    startSeconds: 1_800,
    fallbacks: ['b', 'a', 'not registered'],
    maxOutputTokens: 1_024,
    price: {
      free: false,
      inputPerMillion: 10n ** 15n,
      outputPerMillion: 1n,
      cachedInputPerMillion: 0n,
      inputGpuMsPerMillion: 7n,
      outputGpuMsPerMillion: 8n,
    },
  });
  await save(store, model);
  t.deepEqual(await store.find(model.id), {...model, endpoints: [...endpoints].reverse()});
  t.is((await store.findByEndpoint(endpoints[0]?.id as string))?.id, model.id);
  t.is(await store.find(uuidv7()), undefined);
  t.is(await store.findByEndpoint(uuidv7()), undefined);
});

contract(
  'what is saved again replaces endpoints and adds the version of a price',
  async (t, {store}) => {
    const [kept, gone, added] = [
      makeEndpoint({url: 'http://a'}),
      makeEndpoint({url: 'http://b'}),
      makeEndpoint({url: 'http://c'}),
    ];
    const model = makeModel({endpoints: [kept, gone]});
    await save(store, model);
    const after = {
      ...model,
      rates: {tokens: 1_000},
      status: 'disabled' as const,
      endpoints: [{...kept, upstreamModel: 'other', usage: null, maxConcurrency: 3}, added],
      fallbacks: ['small'],
      startSeconds: 60,
      maxOutputTokens: 7,
      priceVersion: 2,
      price: {...model.price, outputPerMillion: 9n},
    };
    await save(store, after);
    t.deepEqual(await store.find(model.id), after);
    t.is(await store.findByEndpoint(gone.id), undefined);
    const bare = {...after, fallbacks: [], startSeconds: null, maxOutputTokens: null};
    await save(store, bare);
    t.deepEqual(await store.find(model.id), bare);
  },
);

contract('of names those are known that a model has in that environment', async (t, {store}) => {
  await save(
    store,
    makeModel({name: 'a'}),
    makeModel({name: 'b', environment: 'production', status: 'disabled'}),
  );
  const known = await store.known([
    {environment: 'production', name: 'b'},
    {environment: 'development', name: 'b'},
    {environment: 'development', name: 'a'},
    {environment: 'development', name: 'c'},
  ]);
  t.deepEqual(known.map(({environment, name}) => `${environment} ${name}`).sort(), [
    'development a',
    'production b',
  ]);
  t.deepEqual(await store.known([]), []);
});

contract(
  'the revision grows with each thing that an operator can say of routing',
  async (t, {store}) => {
    let model = makeModel();
    let last = await save(store, model);
    const endpoints = model.endpoints.map(endpoint => ({...endpoint, maxConcurrency: 8}));
    for (const change of [
      {startSeconds: 30},
      {fallbacks: ['b', 'c']},
      {fallbacks: ['c', 'b']},
      {maxOutputTokens: 99},
      {endpoints},
    ]) {
      model = {...model, ...change};
      const revision = await save(store, model);
      t.true(revision > last, JSON.stringify(change));
      t.is(await save(store, model), revision, `${JSON.stringify(change)} again`);
      last = revision;
    }
  },
);

contract('models are listed by environment and name, filtered and bounded', async (t, {store}) => {
  await save(
    store,
    makeModel({name: 'b'}),
    makeModel({name: 'a'}),
    makeModel({name: 'a', environment: 'production', status: 'disabled'}),
  );
  const names = async (...of: Parameters<RegistryStore['list']>) =>
    (await store.list(...of)).map(({environment, name}) => `${environment} ${name}`);
  t.deepEqual(await names({}, 10), ['development a', 'development b', 'production a']);
  t.deepEqual(await names({}, 1), ['development a']);
  t.deepEqual(await names({environment: 'production'}, 10), ['production a']);
  t.deepEqual(await names({status: 'ready'}, 10), ['development a', 'development b']);
  t.deepEqual(await names({status: 'ready', environment: 'production'}, 10), []);
});

contract(
  'the revision grows with what a gateway must know, and not with a probe that found the same',
  async (t, {store}) => {
    const model = makeModel();
    const first = await save(store, model);
    t.true(first > 0n);
    const same = {
      ...model,
      endpoints: model.endpoints.map(endpoint => ({
        ...endpoint,
        healthAt: '2026-11-21T12:00:00.000Z',
        healthReason: 'busy',
      })),
    };
    t.is(await save(store, same), first);
    t.like((await store.find(model.id))?.endpoints[0], {
      healthAt: '2026-11-21T12:00:00.000Z',
      healthReason: 'busy',
    });
    t.true(
      (await save(store, {
        ...same,
        endpoints: same.endpoints.map(endpoint => ({...endpoint, health: 'unhealthy' as const})),
      })) > first,
    );
  },
);

contract('a removed model is gone with its endpoints', async (t, {store}) => {
  const model = makeModel();
  await save(store, model);
  await store.change(transaction => transaction.remove(model.id));
  t.is(await store.find(model.id), undefined);
  t.is(await store.findByEndpoint(model.endpoints[0]?.id as string), undefined);
});

contract(
  'a change that throws leaves neither model nor event; an event is told once',
  async (t, {store, eventIds}) => {
    const model = makeModel();
    const event = announce('registered', model, {revision: 5n, time: new Date()});
    await t.throwsAsync(
      store.change(async transaction => {
        await transaction.save(model);
        await transaction.emit([event]);
        throw new Error('half way');
      }),
      {message: 'half way'},
    );
    t.is(await store.find(model.id), undefined);
    t.deepEqual(await eventIds(), []);
    await store.change(transaction => transaction.emit([event, event]));
    await store.change(transaction => transaction.emit([event]));
    t.deepEqual(await eventIds(), [`${model.id}/registered/5`]);
  },
);

contract('two who register one name at once come one after the other', async (t, {store}) => {
  const register = (model: Model) =>
    store.change(async transaction => {
      const existing = await transaction.lock({name: model.name, environment: model.environment});
      await transaction.save({...model, id: existing?.id ?? model.id, endpoints: []});
      return existing === undefined;
    });
  const made = await Promise.all(Array.from({length: 8}, () => register(makeModel())));
  t.is(made.filter(Boolean).length, 1);
  t.is((await store.list({}, 10)).length, 1);
});

test('a gateway loads the models that are ready in its environment, with the newest price', async t => {
  const database = await createTestDatabase(t);
  const store = createPostgresStore(database.pool('system'));
  const endpoint = makeEndpoint({usage: null});
  const model = makeModel({endpoints: [endpoint]});
  await save(
    store,
    model,
    makeModel({name: 'b', status: 'disabled'}),
    makeModel({name: 'c', environment: 'staging'}),
  );
  await save(store, {
    ...model,
    priceVersion: 2,
    price: {...model.price, cachedInputPerMillion: 3n},
    rates: {tokens: 9},
  });
  const bounded = makeEndpoint({maxConcurrency: 32});
  const said = {startSeconds: 300, fallbacks: ['llama', 'none yet'], maxOutputTokens: 500};
  const sleeper = makeModel({name: 'sleeper', endpoints: [bounded], ...said});
  await save(store, sleeper);
  const load = createModelLoader(database.pool('gateway'), 'development');
  const [first, second] = await load();
  t.like(second, {id: sleeper.id, ...said, endpoints: [{id: bounded.id, maxConcurrency: 32}]});
  t.deepEqual(
    [first],
    [
      {
        id: model.id,
        name: 'llama',
        environment: 'development',
        status: 'ready',
        contextLength: 8192,
        defaultMaxTokens: 4096,
        tokensPerByteMax: 1,
        priceVersion: 2,
        price: {
          free: false,
          inputPerMillion: 200_000_000,
          outputPerMillion: 600_000_000,
          cachedInputPerMillion: 3,
          inputGpuMsPerMillion: 0,
          outputGpuMsPerMillion: 0,
        },
        rates: {tokens: 9},
        endpoints: [
          {
            id: endpoint.id,
            url: endpoint.url,
            upstreamModel: 'llama',
            usage: 'none',
            tokenize: false,
            health: 'healthy',
          },
        ],
      },
    ],
  );
});
