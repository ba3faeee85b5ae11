/** Which objects of Kubernetes count for a model, and what of one stays: the rules, on a store in memory. */
import test from 'ava';
import {createFollow} from '../../functions/registry/kubernetes/follow.ts';
import {objectsMax} from '../../functions/registry/kubernetes/join.ts';
import {clusterOf} from '../../functions/registry/kubernetes/list.ts';
import {
  type Key,
  type KubeObject,
  keyOf,
  pathOf,
  refOf,
} from '../../functions/registry/kubernetes/objects.ts';
import {createReader} from '../../functions/registry/kubernetes/read.ts';
import {createResync} from '../../functions/registry/kubernetes/resync.ts';
import {parseRegistration} from '../../functions/registry/registration.ts';
import {createRegistry} from '../../functions/registry/registry.ts';
import type {RegistryStore} from '../../functions/registry/store.ts';
import {createMemoryStore} from '../../functions/registry/store-memory.ts';
import {ill, makeBody, well} from '../helpers/registry.ts';
import {makeService, makeSlice, type ServiceSpec} from '../helpers/registry-kubernetes.ts';

const key = (name = 'llama-dev', namespace = 'models') => keyOf('Service', namespace, name) as Key;
const urlOf = (name = 'llama-dev', namespace = 'models') =>
  `http://${name}.${namespace}.svc.cluster.local:8000`;

/** A cluster whose every namespace may say models, and a registry that follows it. */
const setUp = ({store = createMemoryStore(), finding = well} = {}) => {
  const objects = new Map<string, KubeObject>();
  const silent = new Set<string>();
  const told: string[] = [];
  const pauses: number[] = [];
  const registry = createRegistry({store, probe: async () => finding});
  const read = createReader(
    {
      get: async path => {
        const [at = ''] = path.split('?');
        if ([...silent].some(end => at.endsWith(end))) {
          return {status: 'no such kind'};
        }
        if (at.endsWith('/endpointslices')) {
          return {status: 'found', body: {items: [makeSlice()]}};
        }
        const body = /\/namespaces\/[^/]+$/.test(at)
          ? {metadata: {labels: {'sluice.dev/models': 'sluice'}}}
          : objects.get(at);
        return body ? {status: 'found', body} : {status: 'missing'};
      },
    },
    {ownNamespace: 'sluice'},
  );
  const follow = createFollow({
    store,
    registry,
    read,
    tell: async (_key, _object, reason) => {
      told.push(reason);
    },
    pause: async ms => {
      pauses.push(ms);
    },
    pausesMs: [1, 3],
  });
  const deploy = (spec: ServiceSpec = {}) => {
    const {name, namespace} = spec;
    objects.set(pathOf(key(name, namespace)), makeService(spec) as KubeObject);
    return follow(key(name, namespace));
  };
  const undeploy = (name?: string, namespace?: string) => {
    objects.delete(pathOf(key(name, namespace)));
    return follow(key(name, namespace));
  };
  const models = () => store.list({}, 1_000);
  const urls = async () => (await models()).flatMap(({endpoints}) => endpoints.map(({url}) => url));
  return {store, registry, follow, deploy, undeploy, models, urls, told, pauses, silent, objects};
};

test('a model that nobody said anything of goes with its last object', async t => {
  const {deploy, undeploy, models} = setUp();
  t.like(await deploy(), {did: 'registered'});
  t.like(await undeploy(), {did: 'removed'});
  t.deepEqual(await models(), []);
});

test('a disabled model and a limited one outlive it, and are as they were when it is back', async t => {
  const {deploy, undeploy, models, registry, store} = setUp();
  await deploy();
  await deploy({name: 'phi-dev', labels: {'sluice.dev/model': 'phi'}});
  const [llama, phi] = await models();
  await registry.disable(llama?.id ?? '');
  await registry.change(phi?.id ?? '', model => ({...model, rates: {requests: 5}}));
  const told = store.events().length;
  t.like(await undeploy(), {did: 'removed'});
  t.like(await undeploy('phi-dev'), {did: 'removed'});
  t.like(await undeploy('phi-dev'), {did: 'nothing'});
  t.like(await models(), [
    {id: llama?.id, status: 'disabled', endpoints: [], contextLength: null},
    {id: phi?.id, status: 'registered', endpoints: [], rates: {requests: 5}},
  ]);
  t.deepEqual(
    store
      .events()
      .slice(told)
      .map(({type, subject}) => [type, subject]),
    [['dev.sluice.model.disabled.v1', phi?.id]],
  );
  await deploy();
  await deploy({name: 'phi-dev', labels: {'sluice.dev/model': 'phi'}});
  t.like(await models(), [
    {id: llama?.id, status: 'disabled', endpoints: [{url: urlOf()}]},
    {id: phi?.id, status: 'ready', endpoints: [{url: urlOf('phi-dev')}], rates: {requests: 5}},
  ]);
});

test('objects of one namespace share a model, one of another is refused with the reason', async t => {
  const {deploy, undeploy, urls, told, models, registry} = setUp();
  await deploy();
  await deploy({name: 'llama-b-dev', createdAt: '2026-11-22T00:00:01Z'});
  const refused = await deploy({namespace: 'tenant-a', createdAt: '2026-11-21T00:00:00Z'});
  t.is(refused.did, 'nothing');
  t.regex(refused.reason ?? '', /^the model llama in development is not of the namespace tenant-a/);
  t.deepEqual(told, [refused.reason]);
  t.deepEqual(await urls(), [urlOf('llama-b-dev'), urlOf()]);
  // What is kept for the operator stays of the namespace as well.
  const [{id} = {id: ''}] = await models();
  await registry.disable(id);
  await undeploy();
  await undeploy('llama-b-dev');
  t.is((await deploy({namespace: 'tenant-a'})).did, 'nothing');
  t.like(await models(), [{id, status: 'disabled', namespace: 'models', endpoints: []}]);
  await registry.change(id, model => ({...model, status: 'registered'}));
  t.is((await deploy({namespace: 'tenant-a'})).did, 'nothing');
  t.is((await models())[0]?.id, id, 'who is refused takes nothing away');
});

for (const [namespace, joins] of [
  [undefined, false],
  ['models', true],
  ['tenant-a', false],
] as const) {
  test(`a model by hand of the namespace ${namespace} takes an object of models: ${joins}`, async t => {
    const {deploy, urls, registry, told} = setUp();
    const body = makeBody({endpoints: ['http://hand'], ...(namespace ? {namespace} : {})});
    await registry.register(parseRegistration(body));
    await deploy();
    t.deepEqual(await urls(), joins ? ['http://hand', urlOf()] : ['http://hand']);
    t.regex(told.join(), joins ? /another price/ : /is not of the namespace models/);
  });
}

test('a registration by hand keeps what objects made, until it names another namespace', async t => {
  const {deploy, follow, urls, registry} = setUp();
  await deploy();
  const by = (more: object) => parseRegistration(makeBody({endpoints: ['http://hand'], ...more}));
  await registry.register(by({}));
  await deploy({name: 'llama-b-dev', createdAt: '2026-11-22T00:00:01Z'});
  t.deepEqual(await urls(), ['http://hand', urlOf('llama-b-dev'), urlOf()]);
  await registry.register(by({namespace: 'tenant-a'}));
  await follow(key());
  await follow(key('llama-b-dev'));
  t.deepEqual(await urls(), ['http://hand']);
});

test('the oldest objects of a model count, and the others are told that they do not', async t => {
  const {deploy, undeploy, urls, models} = setUp();
  const at = (n: number) => ({
    name: `m${String(n).padStart(2, '0')}-dev`,
    createdAt: `2026-11-22T00:${String(n).padStart(2, '0')}:00Z`,
  });
  for (let n = 59; n >= 60 - objectsMax; n--) {
    await deploy(
      n < 0 ? {...at(-n), name: `n${-n}-dev`, createdAt: '2026-11-21T00:00:00Z'} : at(n),
    );
  }
  t.is((await urls()).length, objectsMax);
  const late = await deploy({name: 'z-dev', createdAt: '2026-11-23T00:00:00Z'});
  t.is(late.reason, `the model has ${objectsMax} older objects, and no more than that count`);
  // One that is older takes the place of the youngest.
  await deploy({name: 'a-dev', createdAt: '2026-11-20T00:00:00Z'});
  t.is((await urls()).length, objectsMax);
  t.true((await urls()).includes(urlOf('a-dev')));
  t.false((await urls()).includes(urlOf('m59-dev')));
  t.is((await models()).length, 1);
  await undeploy('a-dev');
  t.is((await deploy(at(59))).did, 'changed');
});

test('a Service of a name outside is no model, and what was registered of it goes', async t => {
  const {deploy, models} = setUp();
  await deploy();
  const spec = {type: 'ExternalName', externalName: 'evil.example'};
  const {did, reason} = await deploy({spec});
  t.is(did, 'removed');
  t.regex(reason ?? '', /ExternalName/);
  t.deepEqual(await models(), []);
});

for (const path of ['/namespaces/models', '/endpointslices']) {
  test(`when the API server does not know the path ${path}, nothing is taken out`, async t => {
    const {deploy, follow, models, silent} = setUp();
    await deploy();
    const before = await models();
    silent.add(path);
    t.like(await follow(key()), {did: 'nothing'});
    t.deepEqual(await models(), before);
  });
}

test('every name is locked before the first model is saved', async t => {
  const order: string[] = [];
  const memory = createMemoryStore();
  const store: RegistryStore & Pick<typeof memory, 'events'> = {
    ...memory,
    change: (work, actor) =>
      memory.change(
        transaction =>
          work({
            ...transaction,
            lock: by => {
              order.push(`lock ${'name' in by ? by.name : 'an id'}`);
              return transaction.lock(by);
            },
            save: model => {
              order.push(`save ${model.name}`);
              return transaction.save(model);
            },
          }),
        actor,
      ),
  };
  const {deploy, registry} = setUp({store});
  const phi = makeBody({name: 'phi', namespace: 'models', endpoints: ['http://hand']});
  await registry.register(parseRegistration(phi));
  await deploy({labels: {'sluice.dev/model': 'phi'}});
  order.splice(0);
  await deploy({labels: {'sluice.dev/model': 'llama'}});
  t.deepEqual(order.slice(0, 4), ['lock llama', 'lock phi', 'save llama', 'save phi']);
});

test('a resync begins anywhere, looks at each once and waits for no server', async t => {
  const {follow, store, objects, pauses, deploy} = setUp({finding: ill});
  await deploy({name: 'd-dev'});
  t.deepEqual(pauses, [1, 3], 'a server that is told of may come up this moment');
  const keys = ['a-dev', 'b-dev', 'c-dev'].map(name => key(name));
  for (const one of keys) {
    objects.set(pathOf(one), makeService({name: one.name}) as KubeObject);
  }
  const looked: string[] = [];
  const resync = createResync({
    store,
    follow: (one, options) => {
      looked.push(refOf(one));
      return follow(one, options);
    },
    list: async () => ({keys, problems: []}),
    atOnce: 1,
    random: () => 0.5,
  });
  await resync();
  t.deepEqual(
    looked,
    ['c-dev', 'd-dev', 'a-dev', 'b-dev'].map(name => refOf(key(name))),
  );
  t.deepEqual(pauses, [1, 3]);
});

test('hints that wait keep no resync waiting', async t => {
  const gate = Promise.withResolvers<void>();
  const read = async (one: Key) => {
    await (one.name.startsWith('hint') ? gate.promise : undefined);
    return {kind: 'nothing'} as const;
  };
  const follow = createFollow({
    // Transactions of a database run beside each other.
    store: {change: work => createMemoryStore().change(work)},
    registry: createRegistry({store: createMemoryStore(), probe: async () => well}),
    read,
    tell: async () => {},
  });
  const hints = Array.from({length: 250}, (_, n) => follow(key(`hint-${n}`)));
  const failed = Promise.allSettled(hints);
  t.like(await follow(key('other'), {thorough: true}), {did: 'nothing'});
  gate.resolve();
  const results = await failed;
  const refused = results.filter(({status}) => status === 'rejected');
  t.true(refused.length >= 48 && refused.length <= 50, `${refused.length} were sent away`);
  t.like((refused[0] as PromiseRejectedResult).reason, {
    code: 'too_many_requests',
    retryAfterSeconds: 5,
  });
});

test('a certificate is checked, with a file of authorities and without', t => {
  t.like(clusterOf({url: 'https://k'}), {skipTLSVerify: false});
  t.false('caFile' in clusterOf({url: 'https://k'}));
  t.like(clusterOf({url: 'https://k', caFile: '/ca'}), {skipTLSVerify: false, caFile: '/ca'});
  t.like(clusterOf({url: 'http://k'}), {skipTLSVerify: true});
});
