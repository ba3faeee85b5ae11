// Loaded before the tests: while it is, which takes seconds, no server of theirs answers.
import '@kubernetes/client-node';
import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import {createPool} from '../../events/database.ts';
import {createLogger} from '../../events/telemetry.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createApi} from '../../functions/registry/kubernetes/api.ts';
import {onKubernetes} from '../../functions/registry/kubernetes/events.ts';
import {createFollow} from '../../functions/registry/kubernetes/follow.ts';
import {createKubernetes} from '../../functions/registry/kubernetes/kubernetes.ts';
import {createReader} from '../../functions/registry/kubernetes/read.ts';
import {parseRegistration} from '../../functions/registry/registration.ts';
import {createRegistry} from '../../functions/registry/registry.ts';
import {createPostgresStore} from '../../functions/registry/store-postgres.ts';
import {onSuspected} from '../../functions/registry/suspected.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';
import {startFakeKubernetes} from '../helpers/fake-kubernetes.ts';
import {createFakeProbe, ill, makeBody, well} from '../helpers/registry.ts';
import {
  makeCluster,
  makeInference,
  makeService,
  makeSlice,
} from '../helpers/registry-kubernetes.ts';

const serviceUrl = 'http://llama-dev.models.svc.cluster.local:8000';
const inferenceUrl = 'http://mistral-prod.models.svc.cluster.local';
const logger = createLogger({name: 'registry', level: 'silent'});

const setUp = async (t: ExecutionContext) => {
  const cluster = makeCluster();
  const server = await startFakeKubernetes(t, cluster.lists);
  const database = await createTestDatabase(t);
  const pool = createPool({databaseUrl: database.url('system'), name: 'registry'});
  t.teardown(() => pool.end());
  const {probe, findings, targets} = createFakeProbe({[serviceUrl]: well, [inferenceUrl]: well});
  const store = createPostgresStore(pool);
  const registry = createRegistry({store, probe});
  const {account} = server;
  const options = {account, registry, store, logger, clusterDomain: 'cluster.local'};
  const kubernetes = createKubernetes(options);
  const handle = onKubernetes({kubernetes, otherwise: onSuspected(registry), logger});
  const tell = (
    [plural, name]: readonly [string, string],
    {type = 'dev.knative.apiserver.ref.update', namespace = 'models', data = {}} = {},
  ) =>
    handle({
      specversion: '1.0',
      id: uuidv7(),
      source: 'https://kubernetes',
      type,
      subject: `/apis/v1/namespaces/${namespace}/${plural}/${name}`,
      data,
    } as never);
  const tick = () =>
    handle({
      specversion: '1.0',
      id: uuidv7(),
      source: '/x',
      type: 'dev.knative.sources.ping',
    } as never);
  const models = () => store.list({}, 100);
  const events = async () => {
    const {rows} = await pool.query<{event: {type: string}}>(
      'select event from outbox order by id',
    );
    return rows.map(({event}) => event.type.slice('dev.sluice.model.'.length, -3));
  };
  const deploy = (more: Parameters<typeof makeService>[0] = {}) => {
    cluster.set(cluster.services, makeService(more));
    cluster.set(cluster.slices, makeSlice(more));
  };
  return {
    ...cluster,
    server,
    pool,
    store,
    kubernetes,
    registry,
    handle,
    tell,
    tick,
    models,
    events,
    deploy,
    findings,
    targets,
  };
};

test('a labelled Service is registered, follows its annotations, and goes when it is deleted', async t => {
  const {deploy, tell, models, events, remove, services, slices, server} = await setUp(t);
  deploy();
  await tell(['services', 'llama-dev'], {type: 'dev.knative.apiserver.ref.add'});
  const [model] = await models();
  t.like(model, {
    name: 'llama',
    environment: 'development',
    status: 'ready',
    namespace: 'models',
    contextLength: 8192,
    endpoints: [{url: serviceUrl, health: 'healthy', object: {ref: 'Service models/llama-dev'}}],
  });
  deploy({annotations: {'sluice.dev/price': 'free', 'sluice.dev/max-concurrency': '4'}});
  await tell(['services', 'llama-dev']);
  t.like(await models(), [{id: model?.id, priceVersion: 1, endpoints: [{maxConcurrency: 4}]}]);
  const before = await models();
  await tell(['services', 'llama-dev']);
  await tell(['endpointslices', 'llama-dev-x1y2z']);
  t.deepEqual(await models(), before);
  remove(services, 'llama-dev');
  remove(slices, 'llama-dev-x1y2z');
  await tell(['services', 'llama-dev'], {type: 'dev.knative.apiserver.ref.delete'});
  t.deepEqual(await models(), []);
  t.deepEqual(await events(), ['registered', 'health.changed', 'registered', 'disabled']);
  t.deepEqual(server.posted, []);
});

test('a forged event changes nothing: neither what it says of an object nor that one is gone', async t => {
  const {deploy, tell, models, set, strangers} = await setUp(t);
  deploy();
  await tell(['services', 'llama-dev']);
  const before = await models();
  const data = makeService({annotations: {'sluice.dev/price': 'free', 'sluice.dev/port': '1'}});
  for (const type of ['resource.update', 'resource.delete', 'ref.delete', 'resource.add']) {
    await tell(['services', 'llama-dev'], {type: `dev.knative.apiserver.${type}`, data});
    await tell(['services', 'not-there'], {type: `dev.knative.apiserver.${type}`, data});
  }
  t.deepEqual(await models(), before);
  // A namespace that may not say models, whoever makes Services in it.
  set(
    strangers,
    makeService({name: 'gpt-prod', namespace: 'tenant-a', labels: {'sluice.dev/model': 'gpt'}}),
  );
  await tell(['services', 'gpt-prod'], {namespace: 'tenant-a'});
  t.deepEqual(await models(), before);
  await t.throwsAsync(tell(['secrets', 'sluice']), {message: /expected the path of a Service/});
});

test('what is read last counts, though many are told at once', async t => {
  const {deploy, tell, models} = await setUp(t);
  const running: Promise<unknown>[] = [];
  for (let n = 1; n <= 12; n++) {
    deploy({annotations: {'sluice.dev/price': 'free', 'sluice.dev/max-concurrency': String(n)}});
    running.push(tell(['services', 'llama-dev']), tell(['endpointslices', 'llama-dev-x1y2z']));
    await Promise.race(running);
  }
  await Promise.all(running);
  t.like(await models(), [{endpoints: [{maxConcurrency: 12}]}]);
});

test('of two registries that look at one object the later one also reads later', async t => {
  const {deploy, server, pool, registry, store, models} = await setUp(t);
  const key = {kind: 'Service', namespace: 'models', name: 'llama-dev'} as const;
  const read = createReader(createApi(server.account), {ownNamespace: 'sluice'});
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const followAs = (name: string, wait: Promise<void>) =>
    createFollow({
      store,
      registry,
      tell: async () => {},
      read: async what => {
        order.push(`${name} begins`);
        await wait;
        const found = await read(what);
        order.push(`${name} has read`);
        return found;
      },
    });
  deploy();
  const slow = followAs('slow', gate.promise)(key);
  await eventually(() => assert.deepEqual(order, ['slow begins']));
  const quick = followAs('quick', Promise.resolve())(key);
  await eventually(async () => {
    const {rows} = await pool.query(
      "select from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())",
    );
    assert.equal(rows.length, 1);
  });
  gate.resolve();
  await Promise.all([slow, quick]);
  t.deepEqual(order, ['slow begins', 'slow has read', 'quick begins', 'quick has read']);
  t.is((await models()).length, 1);
});

test('a hand and Kubernetes each keep their own, in one model', async t => {
  const {deploy, tell, models, remove, services, registry, set, inferences} = await setUp(t);
  const byHand = makeBody({
    endpoints: ['http://hand:8000'],
    contextLength: 4096,
    namespace: 'models',
    metadata: {by: 'me'},
  });
  await registry.register(parseRegistration(byHand));
  deploy({annotations: {'sluice.dev/price': 'free', 'sluice.dev/context-length': '1024'}});
  await tell(['services', 'llama-dev']);
  const urls = async () => (await models()).map(({endpoints}) => endpoints.map(({url}) => url));
  t.deepEqual(await urls(), [['http://hand:8000', serviceUrl]]);
  t.like(await models(), [{contextLength: 4096, metadata: {by: 'me'}, price: {free: false}}]);
  // A registration by hand leaves Kubernetes' endpoint, and takes over the one that it names.
  await registry.register(parseRegistration(byHand));
  t.deepEqual(await urls(), [['http://hand:8000', serviceUrl]]);
  remove(services, 'llama-dev');
  await tell(['services', 'llama-dev']);
  t.deepEqual(await urls(), [['http://hand:8000']]);
  deploy();
  await registry.register(parseRegistration(makeBody({endpoints: [serviceUrl]})));
  await tell(['services', 'llama-dev']);
  remove(services, 'llama-dev');
  await tell(['services', 'llama-dev']);
  t.deepEqual(await urls(), [[serviceUrl]]);
  // A model of Kubernetes that somebody registers by hand is theirs from then on.
  set(inferences, makeInference());
  await tell(['inferenceservices', 'mistral-prod']);
  t.deepEqual((await urls()).flat().sort(), [serviceUrl, inferenceUrl].sort());
  await registry.register(
    parseRegistration(
      makeBody({name: 'mistral', environment: 'production', endpoints: ['http://hand:1']}),
    ),
  );
  remove(inferences, 'mistral-prod');
  await tell(['inferenceservices', 'mistral-prod']);
  t.deepEqual((await urls()).flat().sort(), ['http://hand:1', serviceUrl]);
});

test('of two objects of one model the older is believed, and the other is told so', async t => {
  const {deploy, tell, models, remove, services, server, findings} = await setUp(t);
  const other = 'http://llama-b-dev.models.svc.cluster.local:8000';
  findings[other] = well;
  const price = (input: string) => ({
    'sluice.dev/price-input': input,
    'sluice.dev/price-output': '1',
  });
  deploy({name: 'llama-b-dev', createdAt: '2026-11-22T00:00:09Z', annotations: price('2')});
  await tell(['services', 'llama-b-dev']);
  deploy({createdAt: '2026-11-22T00:00:01Z', annotations: price('1')});
  await tell(['services', 'llama-dev']);
  t.like(await models(), [
    {
      price: {inputPerMillion: 1_000_000_000n},
      priceVersion: 2,
      endpoints: [{url: other}, {url: serviceUrl}],
    },
  ]);
  await tell(['services', 'llama-b-dev']);
  t.like(server.posted.at(-1), {
    kind: 'Event',
    type: 'Warning',
    reason: 'NotAsModel',
    involvedObject: {kind: 'Service', name: 'llama-b-dev', uid: 'uid-models-llama-b-dev'},
  });
  t.regex((server.posted.at(-1) as {message: string}).message, /another price.*an older object/);
  remove(services, 'llama-dev');
  await tell(['services', 'llama-dev']);
  t.like(await models(), [{price: {inputPerMillion: 2_000_000_000n}, priceVersion: 3}]);
});

test('a bad annotation is told in Kubernetes, and leaves what was registered', async t => {
  const {deploy, tell, models, server} = await setUp(t);
  deploy({annotations: {}});
  await tell(['services', 'llama-dev']);
  t.deepEqual(await models(), []);
  t.regex(
    (server.posted[0] as {message: string}).message,
    /^Sluice: sluice\.dev\/price: expected "free"/,
  );
  deploy();
  await tell(['services', 'llama-dev']);
  const before = await models();
  deploy({annotations: {'sluice.dev/price': 'free', 'sluice.dev/context-length': 'long'}});
  await tell(['services', 'llama-dev']);
  t.deepEqual(await models(), before);
  server.forbid('/events');
  await t.notThrowsAsync(tell(['services', 'llama-dev']));
});

test('when Kubernetes does not answer the event is to come again, and nothing is taken out', async t => {
  const {deploy, tell, tick, models, server, lists} = await setUp(t);
  deploy();
  await tell(['services', 'llama-dev']);
  const before = await models();
  for (const part of ['/services', '/namespaces/models']) {
    server.forbid(part);
    await t.throwsAsync(tell(['services', 'llama-dev']), {message: /^Kubernetes: answered 403/});
    await tick();
    server.admit(part);
  }
  delete lists['/api/v1/namespaces/models/services'];
  await tell(['services', 'llama-dev']);
  t.deepEqual(await models(), before, 'a kind that is not there is no deletion');
});

test('without an account nothing is done and the log says so', async t => {
  const said: string[] = [];
  const handle = onKubernetes({
    kubernetes: undefined,
    otherwise: async () => t.fail(),
    logger: {info: () => {}, warn: (text: string) => said.push(text)} as never,
  });
  const subject = '/api/v1/namespaces/models/services/llama';
  for (const type of ['dev.knative.apiserver.resource.delete', 'dev.knative.sources.ping']) {
    t.is(
      await handle({specversion: '1.0', id: '1', source: '/x', type, subject} as never),
      undefined,
    );
  }
  t.is(said.length, 2);
  t.regex(said[0] ?? '', /no account of Kubernetes/);
});

test('the resync finds over pages what no event told, and removes what is gone', async t => {
  const {kubernetes, deploy, models, set, inferences, remove, services, server, tick} =
    await setUp(t);
  const count = 501;
  for (let n = 0; n < count; n++) {
    // The last ones are not labelled well, so that only a list of every page finds them.
    deploy({
      name: `m${String(n).padStart(3, '0')}-dev`,
      labels: {'sluice.dev/model': 'other'},
      annotations: {},
    });
  }
  deploy({name: 'zz-dev', labels: {'sluice.dev/model': 'last'}});
  set(inferences, makeInference({minReplicas: 0}));
  const {looked, outcomes, problems} = await kubernetes.resync();
  t.is(looked, count + 2);
  t.deepEqual(problems, []);
  t.is(outcomes.filter(({reason}) => reason?.startsWith('sluice.dev/price')).length, count);
  t.deepEqual(
    (await models()).map(({name, startSeconds}) => [name, startSeconds]),
    [
      ['last', null],
      ['mistral', 300],
    ],
  );
  t.true(server.asked.filter(one => one === 'GET /api/v1/services').length === 2);
  services.splice(0);
  remove(inferences, 'mistral-prod');
  await tick();
  t.deepEqual(await models(), []);
});

test('what Kubernetes says of health, and what a server does, count together', async t => {
  const {deploy, set, inferences, tell, models, findings, targets, slices, remove, kubernetes} =
    await setUp(t);
  const health = async (name: string) =>
    (await models()).find(model => model.name === name)?.endpoints[0];
  // Deployed, not ready yet: registered, with the reason, and not asked.
  set(inferences, makeInference({ready: 'Unknown', minReplicas: 0}));
  await tell(['inferenceservices', 'mistral-prod']);
  t.like(await health('mistral'), {
    health: 'unhealthy',
    healthReason: 'InferenceService mistral-prod is not ready: no pod is ready',
  });
  t.is((await models())[0]?.status, 'registered');
  t.is(targets.length, 0);
  set(inferences, makeInference({minReplicas: 0}));
  await tell(['inferenceservices', 'mistral-prod']);
  t.like(await health('mistral'), {health: 'healthy', healthReason: null});
  t.is((await models())[0]?.status, 'ready');
  // A bad update, and the revision before it still answers.
  set(inferences, makeInference({ready: 'False', minReplicas: 0}));
  await tell(['inferenceservices', 'mistral-prod']);
  t.is((await health('mistral'))?.health, 'healthy');
  findings[inferenceUrl] = ill;
  await tell(['inferenceservices', 'mistral-prod']);
  t.like(await health('mistral'), {
    health: 'unhealthy',
    healthReason: 'InferenceService mistral-prod is not ready: no pod is ready; connection refused',
  });
  // Pods come and go behind a Service: without one that is ready it is ill, and asleep where it scales to zero.
  deploy();
  await tell(['services', 'llama-dev']);
  remove(slices, 'llama-dev-x1y2z');
  await tell(['endpointslices', 'llama-dev-x1y2z']);
  t.like(await health('llama'), {
    health: 'unhealthy',
    healthReason: 'no pod behind Service llama-dev is ready',
  });
  set(slices, makeSlice());
  await tell(['endpointslices', 'llama-dev-x1y2z']);
  t.is((await health('llama'))?.health, 'healthy');
  deploy({
    annotations: {'sluice.dev/price': 'free', 'sluice.dev/start-seconds': '60'},
    ready: [],
  });
  await tell(['endpointslices', 'llama-dev-x1y2z']);
  t.is((await health('llama'))?.health, 'unknown');
  // It runs, answers /health and generates nothing: a new revision is asked, and so is every one that runs at a resync.
  findings[serviceUrl] = {...ill, reason: 'it answers and generates nothing'};
  deploy({ready: ['llama-8e0a-abcde']});
  await tell(['endpointslices', 'llama-dev-x1y2z']);
  t.like(await health('llama'), {
    health: 'unhealthy',
    healthReason: 'it answers and generates nothing',
  });
  findings[serviceUrl] = well;
  await kubernetes.resync();
  t.is((await health('llama'))?.health, 'healthy');
  const asked = targets.length;
  await tell(['endpointslices', 'llama-dev-x1y2z']);
  t.is(targets.length, asked, 'nothing has changed, nobody is asked');
  findings[serviceUrl] = ill;
  await kubernetes.resync();
  t.is((await health('llama'))?.health, 'unhealthy');
});

test('a disabled model stays disabled, and limits stay the operator’s', async t => {
  const {deploy, tell, models, registry} = await setUp(t);
  deploy();
  await tell(['services', 'llama-dev']);
  const [{id} = {id: ''}] = await models();
  await registry.disable(id);
  await registry.change(id, model => ({...model, rates: {requests: 5}}));
  deploy({annotations: {'sluice.dev/price-input': '1', 'sluice.dev/price-output': '1'}});
  await tell(['services', 'llama-dev']);
  t.like(await models(), [{id, status: 'disabled', rates: {requests: 5}, priceVersion: 2}]);
});

test('the operator’s word outlives the object, and a model that is made again is as it says', async t => {
  const {deploy, tell, models, remove, services, slices, registry, events} = await setUp(t);
  const undeploy = async () => {
    remove(services, 'llama-dev');
    remove(slices, 'llama-dev-x1y2z');
    await tell(['services', 'llama-dev']);
  };
  deploy();
  await tell(['services', 'llama-dev']);
  const [{id} = {id: ''}] = await models();
  await registry.change(id, model => ({...model, rates: {requests: 5}}));
  await undeploy();
  t.like(await models(), [{id, status: 'registered', rates: {requests: 5}, endpoints: []}]);
  t.is((await events()).at(-1), 'disabled');
  deploy();
  await tell(['services', 'llama-dev']);
  t.like(await models(), [
    {id, status: 'ready', rates: {requests: 5}, endpoints: [{url: serviceUrl, health: 'healthy'}]},
  ]);
  await registry.change(id, ({rates: _rates, ...model}) => model);
  await registry.disable(id);
  const told = (await events()).length;
  await undeploy();
  t.like(await models(), [{id, status: 'disabled', endpoints: []}]);
  t.is((await events()).length, told, 'it was out of use before');
  deploy();
  await tell(['services', 'llama-dev']);
  t.like(await models(), [{id, status: 'disabled', endpoints: [{url: serviceUrl}]}]);
  await undeploy();
  await registry.deregister(id);
  t.deepEqual(await models(), []);
});

test('an object of another namespace joins no model, and is told so', async t => {
  const {deploy, tell, models, set, strangers, namespaces, server} = await setUp(t);
  deploy();
  await tell(['services', 'llama-dev']);
  const before = await models();
  set(namespaces, {metadata: {name: 'tenant-a', labels: {'sluice.dev/models': 'sluice'}}});
  set(strangers, makeService({namespace: 'tenant-a'}));
  await tell(['services', 'llama-dev'], {namespace: 'tenant-a'});
  t.deepEqual(await models(), before);
  t.like(server.posted.at(-1), {
    reason: 'NotAsModel',
    message:
      'Sluice: the model llama in development is not of the namespace tenant-a: only a model that its objects made, or whose registration names it, takes their endpoints',
  });
});
