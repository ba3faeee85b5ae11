import test from 'ava';
import {wishOf} from '../../functions/registry/kubernetes/annotations.ts';
import {accountOf} from '../../functions/registry/kubernetes/api.ts';
import {
  type KubeObject,
  keyOfRef,
  keyOfSubject,
  refOf,
} from '../../functions/registry/kubernetes/objects.ts';
import {createReader} from '../../functions/registry/kubernetes/read.ts';
import {
  judge,
  standingOfInference,
  standingOfService,
} from '../../functions/registry/kubernetes/standing.ts';
import {makeEndpoint} from '../helpers/registry.ts';
import {
  makeInference,
  makeService,
  makeSlice,
  type ServiceSpec,
  trusted,
} from '../helpers/registry-kubernetes.ts';

const url = 'http://llama-dev.models.svc.cluster.local:8000';
const wish = (annotations: Record<string, string>, name = 'llama-dev', more: ServiceSpec = {}) =>
  wishOf(makeService({name, annotations, ...more}) as KubeObject, url);
const registrationOf = (...given: Parameters<typeof wish>) => {
  const wished = wish(...given);
  return 'registration' in wished ? wished.registration : wished;
};

test('an object of every annotation is a registration of every field', t => {
  t.like(
    registrationOf({
      'sluice.dev/model-name': 'meta-llama/Llama-3',
      'sluice.dev/environment': 'prod',
      'sluice.dev/price-input': '0.20',
      'sluice.dev/price-output': '0.60',
      'sluice.dev/price-cached-input': '0.05',
      'sluice.dev/price-output-gpu-ms': '12',
      'sluice.dev/context-length': '8192',
      'sluice.dev/default-max-tokens': '256',
      'sluice.dev/max-output-tokens': '1024',
      'sluice.dev/start-seconds': '90',
      'sluice.dev/max-concurrency': '16',
      'sluice.dev/upstream-model': '/models/llama',
      'sluice.dev/fallbacks': 'mistral, phi',
      'sluice.dev/port': 'http',
      'other.example/price': 'ignored',
    }),
    {
      name: 'meta-llama/Llama-3',
      environment: 'production',
      namespace: 'models',
      contextLength: 8192,
      defaultMaxTokens: 256,
      maxOutputTokens: 1024,
      startSeconds: 90,
      fallbacks: ['mistral', 'phi'],
      endpoints: [{url, upstreamModel: '/models/llama', maxConcurrency: 16}],
      price: {
        free: false,
        inputPerMillion: 200_000_000n,
        outputPerMillion: 600_000_000n,
        cachedInputPerMillion: 50_000_000n,
        inputGpuMsPerMillion: 0n,
        outputGpuMsPerMillion: 12n,
      },
    },
  );
});

for (const [name, environment] of [
  ['llama-dev', 'development'],
  ['llama-3-uat', 'staging'],
  ['llama-production', 'production'],
] as const) {
  test(`a Service that is called ${name} is of ${environment}`, t => {
    t.like(registrationOf({'sluice.dev/price': 'free'}, name), {name: 'llama', environment});
  });
}

for (const [annotations, reason] of [
  [{}, /^sluice\.dev\/price: expected "free", or in its place sluice\.dev\/price-input/],
  [{'sluice.dev/price': 'cheap'}, /^sluice\.dev\/price: expected "free"/],
  [{'sluice.dev/price': 'free', 'sluice.dev/price-input': '1'}, /^sluice\.dev\/price: expected/],
  [{'sluice.dev/price-input': '0.20'}, /^sluice\.dev\/price-output is a decimal text in USD/],
  [
    {'sluice.dev/price-input': 'x', 'sluice.dev/price-output': '1'},
    /^sluice\.dev\/price-input is a decimal text/,
  ],
  [{'sluice.dev/prize': 'free'}, /^sluice\.dev\/prize: expected one of model-name, /],
  [{'sluice.dev/context-length': '8k'}, /^sluice\.dev\/context-length: expected a whole number/],
  [{'sluice.dev/context-length': '-1'}, /^sluice\.dev\/context-length: expected a whole number/],
  [{'sluice.dev/start-seconds': '1801'}, /^sluice\.dev\/start-seconds: .* from 1 to 1800$/],
  [{'sluice.dev/max-concurrency': '0'}, /^sluice\.dev\/max-concurrency: expected/],
  [{'sluice.dev/environment': 'moon'}, /^sluice\.dev\/environment: expected one of development/],
  [{'sluice.dev/fallbacks': 'llama'}, /^sluice\.dev\/fallbacks: expected other models/],
  [{'sluice.dev/fallbacks': ','}, /^sluice\.dev\/fallbacks: expected a name/],
  [{'sluice.dev/model-name': 'x'.repeat(201)}, /^sluice\.dev\/model-name: expected a name/],
] as const) {
  test(`the annotations ${JSON.stringify(annotations).slice(0, 80)} are refused by name`, t => {
    const price = 'sluice.dev/price-input' in annotations || 'sluice.dev/price' in annotations;
    const all = {
      ...(price || Object.keys(annotations).length === 0 ? {} : {'sluice.dev/price': 'free'}),
      ...annotations,
    };
    const wished = wish(all);
    t.regex('refused' in wished ? wished.refused : 'taken', reason);
  });
}

test('without an environment in annotation and name there is none', t => {
  const wished = wish({'sluice.dev/price': 'free'}, 'llama');
  t.regex('refused' in wished ? wished.refused : 'taken', /^sluice\.dev\/environment: expected/);
});

test('an event names its object by its subject, an EndpointSlice stands for its Service', t => {
  const services = '/apis/v1/namespaces/models/services/llama-dev';
  t.deepEqual(keyOfSubject(services), {kind: 'Service', namespace: 'models', name: 'llama-dev'});
  t.is(
    refOf(
      keyOfSubject('/apis/serving.kserve.io/v1beta1/namespaces/m/inferenceservices/x') as never,
    ),
    'InferenceService m/x',
  );
  const slice = '/apis/discovery.k8s.io/v1/namespaces/models/endpointslices/llama-dev-x1y2z';
  t.deepEqual(keyOfSubject(slice), keyOfSubject(services));
  for (const subject of [
    undefined,
    5,
    '',
    '/api/v1/namespaces/models/secrets/sluice',
    '/api/v1/namespaces/models/services/..%2f..',
    '/api/v1/namespaces/models/services/',
    '/api/v1/namespaces/MODELS/services/x',
    '/api/v1/namespaces/models/services/x?watch=true',
  ]) {
    t.is(keyOfSubject(subject), undefined, String(subject));
  }
  t.deepEqual(keyOfRef('Service models/llama-dev'), keyOfSubject(services));
  t.is(keyOfRef('Secret models/llama-dev'), undefined);
});

const readWith = (object: KubeObject | undefined, namespace: object = trusted) =>
  createReader(
    {
      get: async path => {
        if (/\/endpointslices\?/.test(path)) {
          return {status: 'found', body: {items: [makeSlice()]}};
        }
        const body = /\/namespaces\/[^/]+$/.test(path) ? namespace : object;
        return body ? {status: 'found', body} : {status: 'missing'};
      },
    },
    {ownNamespace: 'sluice'},
  )({kind: 'Service', namespace: 'models', name: 'llama-dev'});

test('only a labelled object in a namespace that may, and of nobody else’s making, says a model', async t => {
  const service = makeService() as KubeObject;
  t.is((await readWith(service)).kind, 'claim');
  t.is((await readWith(undefined)).kind, 'nothing');
  t.is((await readWith(service, {metadata: {name: 'models'}})).kind, 'nothing');
  const ofAnother = {metadata: {name: 'models', labels: {'sluice.dev/models': 'sluice-staging'}}};
  t.is((await readWith(service, ofAnother)).kind, 'nothing');
  t.is((await readWith(makeService({labels: {app: 'llama'}}) as KubeObject)).kind, 'nothing');
  for (const metadata of [
    {deletionTimestamp: '2026-11-22T00:00:00Z'},
    {ownerReferences: [{apiVersion: 'serving.kserve.io/v1beta1', kind: 'InferenceService'}]},
    {ownerReferences: [{apiVersion: 'networking.internal.knative.dev/v1alpha1', kind: 'S'}]},
    {ownerReferences: [{apiVersion: 'serving.knative.dev/v1', kind: 'Route'}]},
  ]) {
    t.is((await readWith(makeService({metadata}) as KubeObject)).kind, 'nothing');
  }
});

for (const [ports, annotation, expected] of [
  [[{port: 80}], undefined, 'http://llama-dev.models.svc.cluster.local'],
  [[{port: 9}, {name: 'http', port: 8000}], undefined, url],
  [
    [
      {name: 'metrics', port: 9},
      {name: 'api', port: 81},
    ],
    'api',
    `${url.slice(0, -4)}81`,
  ],
  [
    [
      {name: 'metrics', port: 9},
      {name: 'api', port: 81},
    ],
    '9',
    `${url.slice(0, -4)}9`,
  ],
  [[{name: 'https', port: 443}], undefined, 'https://llama-dev.models.svc.cluster.local'],
  [[{port: 80}], '81', undefined],
] as const) {
  test(`of the ports ${JSON.stringify(ports)} and ${annotation} comes ${expected}`, async t => {
    const annotations = {
      'sluice.dev/price': 'free',
      ...(annotation === undefined ? {} : {'sluice.dev/port': annotation}),
    };
    const read = await readWith(makeService({annotations, spec: {ports}}) as KubeObject);
    t.is(read.kind === 'claim' ? read.claim.registration.endpoints[0]?.url : undefined, expected);
  });
}

test('a Service is down when none of its pods is ready, and how many are changes nothing', t => {
  const service = makeService() as KubeObject;
  const none = standingOfService(service, [
    {endpoints: [{conditions: {ready: false}, targetRef: {name: 'llama-7d9f-abcde'}}]},
  ]);
  t.like(none, {state: 'down', reason: 'no pod behind Service llama-dev is ready'});
  const pods = (...names: string[]) =>
    standingOfService(service, [{endpoints: names.map(name => ({targetRef: {name}}))}]);
  t.like(pods('llama-7d9f-abcde'), {state: 'up', reason: null});
  t.is(pods('llama-7d9f-abcde').serving, pods('llama-7d9f-fghij', 'llama-7d9f-abcde').serving);
  t.not(pods('llama-7d9f-abcde').serving, pods('llama-8e0a-abcde').serving);
});

test('an InferenceService that is not ready says why', t => {
  t.deepEqual(standingOfInference(makeInference() as KubeObject), {
    state: 'up',
    reason: null,
    serving: 'mistral-00001/1',
  });
  t.like(standingOfInference(makeInference({ready: 'False'}) as KubeObject), {
    state: 'doubtful',
    reason: 'InferenceService mistral-prod is not ready: no pod is ready',
  });
});

const object = {ref: 'Service models/llama', uid: 'u', createdAt: '', serving: 'one', wish: {}};
const known = makeEndpoint({object});
for (const [title, standing, before, startSeconds, expected] of [
  ['a new server that is up is asked', 'up', undefined, null, {ask: true}],
  ['a well server of which nothing changed is not', 'up', known, null, {ask: false}],
  [
    'one behind which another revision stands is',
    'up',
    {...known, object: {...object, serving: 'two'}},
    90,
    {ask: true},
  ],
  ['an ill one is', 'up', {...known, health: 'unhealthy'}, 90, {ask: true}],
  ['one that sleeps is left asleep', 'up', {...known, health: 'unknown'}, 90, {ask: false}],
  ['nobody is ill', 'down', known, null, {ask: false, finding: {health: 'unhealthy'}}],
  [
    'nobody is asleep where it scales to zero',
    'down',
    known,
    90,
    {ask: false, finding: {health: 'unknown'}},
  ],
  [
    'what never answered is ill, however it scales',
    'doubtful',
    undefined,
    90,
    {ask: false, finding: {health: 'unhealthy', reason: 'why'}},
  ],
  ['where an older revision may answer it is asked', 'doubtful', known, null, {ask: true}],
] as const) {
  test(`judged by Kubernetes: ${title}`, t => {
    const reason = standing === 'up' ? null : 'why';
    const given = {state: standing, reason, serving: 'one'};
    t.like(judge(given, before, {startSeconds, thorough: false}), expected);
  });
}

test('a resync asks a server that runs, and lets one sleep', t => {
  const up = {state: 'up', reason: null, serving: 'one'} as const;
  t.true(judge(up, known, {startSeconds: null, thorough: true}).ask);
  t.false(judge(up, known, {startSeconds: 90, thorough: true}).ask);
});

test('the account is that of the pod, and there is none outside of a cluster', t => {
  const read = () => 'sluice\n';
  t.like(
    accountOf({host: '10.0.0.1', port: '6443'}, () => true, read),
    {
      url: 'https://10.0.0.1:6443',
      namespace: 'sluice',
    },
  );
  t.is(accountOf({host: 'fd00::1'}, () => true, read)?.url, 'https://[fd00::1]:443');
  t.is(
    accountOf({host: '10.0.0.1'}, () => false),
    undefined,
  );
  t.is(
    accountOf({}, () => true),
    undefined,
  );
});
