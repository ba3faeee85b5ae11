/** Each value of the control plane's chart does what its comment says: one line a case. */

import {isDeepStrictEqual} from 'node:util';
import test from 'ava';
import {environments} from '../helpers/control-plane.ts';
import {chartFolder, type KubernetesObject, template, tryTemplate} from '../helpers/helm.ts';

// The first use on a machine builds Helm.
test.before(t => t.timeout(15 * 60_000));
test.beforeEach(t => t.timeout(5 * 60_000));

const chart = chartFolder('control-plane');

test.before(async () => {
  await template(chart);
});

type Find = (objects: readonly KubernetesObject[]) => unknown;

const one = (objects: readonly KubernetesObject[], kind: string, name: string): KubernetesObject =>
  objects.find(object => object.kind === kind && object.metadata.name === name);
const service =
  (name: string, read: (object: KubernetesObject) => unknown): Find =>
  objects =>
    read(one(objects, 'Service', name));
const container = (object: KubernetesObject) => object.spec.template.spec.containers[0];
const podAnnotation = (name: string) => (object: KubernetesObject) =>
  object.spec.template.metadata.annotations[name];
const variable = (name: string) => (object: KubernetesObject) =>
  container(object).env.filter((each: {name: string}) => each.name === name);
const namesOf =
  (kind: string): Find =>
  objects =>
    objects.filter(object => object.kind === kind).map(object => object.metadata.name);
const has =
  (kind: string, name: string): Find =>
  objects =>
    one(objects, kind, name) !== undefined;

const becomes = test.macro({
  async exec(t, values: object, find: Find, expected: unknown) {
    const before = find(await template(chart));
    const after = find(await template(chart, {values}));
    t.deepEqual(after, expected);
    t.false(isDeepStrictEqual(before, after), 'it is so without the value too');
  },
  title: (title = '') => title,
});

const autoscaling = (name: string) => podAnnotation(`autoscaling.knative.dev/${name}`);
const gateway = (values: object) => ({functions: {gateway: values}});

test(
  'minScale',
  becomes,
  gateway({minScale: 2}),
  service('gateway', autoscaling('min-scale')),
  '2',
);
test(
  'maxScale',
  becomes,
  gateway({maxScale: 33}),
  service('gateway', autoscaling('max-scale')),
  '33',
);
test('target', becomes, gateway({target: 201}), service('gateway', autoscaling('target')), '201');
test(
  'retention',
  becomes,
  gateway({retention: '7m'}),
  service('gateway', autoscaling('scale-to-zero-pod-retention-period')),
  '7m',
);
test(
  'scaleDownDelay',
  becomes,
  gateway({scaleDownDelay: '3m'}),
  service('gateway', autoscaling('scale-down-delay')),
  '3m',
);
test(
  'timeoutSeconds',
  becomes,
  gateway({timeoutSeconds: 599}),
  service('gateway', ({spec}) => spec.template.spec.timeoutSeconds),
  599,
);
test(
  'containerConcurrency',
  becomes,
  gateway({containerConcurrency: 50}),
  service('gateway', ({spec}) => spec.template.spec.containerConcurrency),
  50,
);
const resources = {requests: {cpu: '250m', memory: '256Mi'}, limits: {memory: '1Gi'}};
test(
  'resources of a function',
  becomes,
  gateway({resources}),
  service('gateway', object => container(object).resources),
  resources,
);
test(
  'annotations of its pods',
  becomes,
  gateway({annotations: {'autoscaling.knative.dev/metric': 'rps'}}),
  service('gateway', autoscaling('metric')),
  'rps',
);
test(
  'env, a text',
  becomes,
  gateway({env: {OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318'}}),
  service('gateway', variable('OTEL_EXPORTER_OTLP_ENDPOINT')),
  [{name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: 'http://collector:4318'}],
);
test(
  'env instead of what the manifest has, of another key of the Secret',
  becomes,
  gateway({env: {DATABASE_URL: {secretKey: 'other-url', optional: true}}}),
  service('gateway', variable('DATABASE_URL')),
  [
    {
      name: 'DATABASE_URL',
      valueFrom: {secretKeyRef: {name: 'sluice', key: 'other-url', optional: true}},
    },
  ],
);
test(
  'public gives a function an address outside',
  becomes,
  {functions: {auth: {public: true}}},
  service('auth', ({metadata}) => 'networking.knative.dev/visibility' in metadata.labels),
  false,
);
test(
  'public: false takes it from the front door',
  becomes,
  gateway({public: false}),
  service('gateway', ({metadata}) => metadata.labels['networking.knative.dev/visibility']),
  'cluster-local',
);
test(
  'functionDefaults hold for every function',
  becomes,
  {functionDefaults: {minScale: 1}},
  objects =>
    objects
      .filter(({apiVersion, kind}) => kind === 'Service' && apiVersion.startsWith('serving.'))
      .every(object => autoscaling('min-scale')(object) === '1'),
  true,
);
test(
  'a function says otherwise than functionDefaults',
  becomes,
  {
    functionDefaults: {minScale: 1, env: {A: 'all', B: 'all'}},
    ...gateway({minScale: 3, env: {A: 'own'}}),
  },
  service('gateway', object => [
    autoscaling('min-scale')(object),
    ...variable('A')(object),
    ...variable('B')(object),
  ]),
  ['3', {name: 'A', value: 'own'}, {name: 'B', value: 'all'}],
);
test(
  'a function that is off takes its Triggers, sources and rights along',
  becomes,
  {functions: {registry: {enabled: false}}},
  objects => JSON.stringify(objects).match(/"name":"[a-z-]*registry[a-z-]*"/g) ?? [],
  [],
);
test(
  'a source that is off is left out, and nothing else',
  becomes,
  {sources: {'budget-external-source': {enabled: false}}},
  namesOf('ContainerSource'),
  ['budget-source', 'outbox-source', 'usage-source', 'usage-external-source'],
);
test(
  'the schedule of a tick',
  becomes,
  {sources: {'admin-purge': {schedule: '0 4 * * 0'}}},
  objects => one(objects, 'PingSource', 'admin-purge').spec.schedule,
  '0 4 * * 0',
);
test(
  'resources of all sources, and of one',
  becomes,
  {sourceDefaults: {resources}, sources: {'usage-source': {resources: {limits: {memory: '2Gi'}}}}},
  objects =>
    ['budget-source', 'usage-source'].map(
      name => container(one(objects, 'ContainerSource', name)).resources.limits.memory,
    ),
  ['1Gi', '2Gi'],
);
const brokers: Find = objects =>
  objects
    .filter(({kind}) => kind === 'Broker')
    .map(({metadata, spec}) => [
      metadata.name,
      metadata.annotations?.['eventing.knative.dev/broker.class'],
      spec.config?.name,
    ]);
test(
  'the class of both Brokers, and where it has its settings',
  becomes,
  {
    broker: {
      class: 'Other',
      config: {apiVersion: 'v1', kind: 'ConfigMap', name: 'k', namespace: 'n'},
    },
  },
  brokers,
  [
    ['default', 'Other', 'k'],
    ['tenants', 'Other', 'k'],
  ],
);
test(
  'Kafka as the class: its own Brokers, told where Kafka is',
  becomes,
  {broker: {class: 'Kafka', kafka: {bootstrapServers: 'kafka.example:9092', replicationFactor: 1}}},
  objects => [brokers(objects), one(objects, 'ConfigMap', 'kafka-broker')?.data],
  [
    [
      ['default', 'Kafka', 'kafka-broker'],
      ['tenants', 'Kafka', 'kafka-broker'],
    ],
    {
      'bootstrap.servers': 'kafka.example:9092',
      'default.topic.partitions': '10',
      'default.topic.replication.factor': '1',
    },
  ],
);
test(
  'dead letters elsewhere',
  becomes,
  {broker: {deadLetterUri: 'https://letters.example/'}, functions: {deadletter: {enabled: false}}},
  objects => one(objects, 'Broker', 'default').spec.delivery.deadLetterSink,
  {uri: 'https://letters.example/'},
);
test(
  'the environment, in every program that asks for it',
  becomes,
  {environment: 'staging'},
  objects =>
    [...JSON.stringify(objects).matchAll(/"name":"ENVIRONMENT","value":"(\w+)"/g)].map(
      ([, value]) => value,
    ),
  ['staging', 'staging', 'staging'],
);
const images: Find = objects => [
  ...new Set([...JSON.stringify(objects).matchAll(/"image":"([^"]+)"/g)].map(([, image]) => image)),
];
test(
  'the registry of all images, and a tag',
  becomes,
  {global: {imageRegistry: 'registry.example:5000/ai'}, image: {tag: 'abc'}},
  images,
  ['registry.example:5000/ai/sluice:abc'],
);
test(
  'a repository that begins with a host is taken as it is',
  becomes,
  {image: {repository: 'ghcr.io/example/sluice'}},
  objects => String(images(objects)).replace(/:.*/, ''),
  'ghcr.io/example/sluice',
);
const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
test('a digest', becomes, {image: {digest}}, images, [`dev.local/sluice@${digest}`]);
test(
  'how an image is pulled, in every pod',
  becomes,
  {image: {pullPolicy: 'Always', pullSecrets: [{name: 'registry'}]}},
  objects => [
    ...new Set(JSON.stringify(objects).match(/"imagePullPolicy":"\w+"/g)),
    JSON.stringify(objects).match(/"imagePullSecrets":\[\{"name":"registry"\}\]/g)?.length,
  ],
  // Ten functions, five sources, the migration, the test.
  ['"imagePullPolicy":"Always"', 17],
);
test(
  'the service account, where the manifest names none',
  becomes,
  {serviceAccount: {name: 'workload'}},
  objects =>
    ['gateway', 'registry'].map(
      name => one(objects, 'Service', name).spec.template.spec.serviceAccountName,
    ),
  ['workload', 'registry'],
);
test(
  'where pods run',
  becomes,
  {scheduling: {nodeSelector: {pool: 'functions'}, priorityClassName: 'high'}},
  objects =>
    [one(objects, 'Service', 'gateway'), one(objects, 'Job', 'migrate')].map(
      ({spec: {template: pod}}) => [pod.spec.nodeSelector, pod.spec.priorityClassName],
    ),
  [
    [{pool: 'functions'}, 'high'],
    [{pool: 'functions'}, 'high'],
  ],
);
test('no migration', becomes, {migration: {enabled: false}}, has('Job', 'migrate'), false);
test(
  'the tries and the time of a migration',
  becomes,
  {migration: {backoffLimit: 0, activeDeadlineSeconds: 61, ttlSecondsAfterFinished: 62}},
  objects => {
    const {spec} = one(objects, 'Job', 'migrate');
    return [spec.backoffLimit, spec.activeDeadlineSeconds, spec.ttlSecondsAfterFinished];
  },
  [0, 61, 62],
);
test(
  'disruption budgets of a function and a source',
  becomes,
  {podDisruptionBudgets: {gateway: {maxUnavailable: 1}, 'outbox-source': {minAvailable: 1}}},
  objects => objects.filter(({kind}) => kind === 'PodDisruptionBudget').map(({spec}) => spec),
  [
    {selector: {matchLabels: {'serving.knative.dev/service': 'gateway'}}, maxUnavailable: 1},
    {
      selector: {matchLabels: {'sources.knative.dev/containerSource': 'outbox-source'}},
      minAvailable: 1,
    },
  ],
);
test(
  "tenants' domains, and their claims",
  becomes,
  {
    domains: [
      {host: 'api.acme.example', tlsSecretName: 'acme-tls'},
      {host: 'e.acme.example', function: 'events-ingress'},
    ],
    domainClaims: true,
  },
  objects => [
    ...objects
      .filter(({kind}) => kind === 'DomainMapping')
      .map(({metadata, spec}) => [metadata.name, spec.ref.name, spec.tls?.secretName]),
    ...objects
      .filter(({kind}) => kind === 'ClusterDomainClaim')
      .map(({metadata, spec}) => [metadata.name, spec.namespace]),
  ],
  [
    ['api.acme.example', 'gateway', 'acme-tls'],
    ['e.acme.example', 'events-ingress', undefined],
    ['api.acme.example', 'sluice'],
    ['e.acme.example', 'sluice'],
  ],
);
test(
  'what the Prometheus asks: functions and sources on their own ports',
  becomes,
  {monitoring: {enabled: true, interval: '15s', labels: {release: 'prometheus'}, queueProxy: true}},
  objects =>
    objects
      .filter(({kind}) => /Monitor$/.test(kind))
      .map(({metadata, spec}) => {
        const [endpoint] = spec.podMetricsEndpoints ?? spec.endpoints;
        return [metadata.name, metadata.labels.release, endpoint.port, endpoint.interval];
      })
      .sort(),
  [
    ['functions', 'prometheus', 'user-port', '15s'],
    ['queue-proxy', 'prometheus', 'http-usermetric', '15s'],
    ['sources', 'prometheus', undefined, '15s'],
  ],
);
test(
  'KServe',
  becomes,
  {kserve: {enabled: true}},
  has('ApiServerSource', 'registry-inferenceservices'),
  true,
);
test(
  'an external secret, as a hook that leaves the Secret alone',
  becomes,
  {
    secretName: 'theirs',
    externalSecret: {enabled: true, from: 'prod/sluice', keys: {'admin-key': {key: 'prod/admin'}}},
  },
  objects => objects.find(({kind}) => kind === 'ExternalSecret')?.spec,
  {
    refreshInterval: '1h',
    secretStoreRef: {name: 'gcp-store', kind: 'ClusterSecretStore'},
    target: {name: 'theirs', creationPolicy: 'Orphan'},
    dataFrom: [{extract: {key: 'prod/sluice'}}],
    data: [{secretKey: 'admin-key', remoteRef: {key: 'prod/admin'}}],
  },
);

const edge = {enabled: true, host: 'api.example.com', gateway: {name: 'public', namespace: 'edge'}};
test(
  'the edge has one rule a function that is on it, by its name in the cluster',
  becomes,
  {edge: {...edge, functions: ['gateway', 'auth', 'budget']}},
  objects =>
    objects
      .find(({kind}) => kind === 'HTTPRoute')
      ?.spec.rules.map((rule: KubernetesObject) => [
        rule.matches.map(({path}: KubernetesObject) => path.value),
        rule.filters[0].urlRewrite.hostname,
        rule.backendRefs[0].name,
      ]),
  [
    [['/verify', '/auth'], 'auth.sluice.svc.cluster.local', 'kourier-internal'],
    [['/v1'], 'gateway.sluice.svc.cluster.local', 'kourier-internal'],
  ],
);

test('unless said, the edge has neither the template functions nor what has no path', async t => {
  const objects = await template(chart, {values: {edge}});
  const paths = one(objects, 'HTTPRoute', 'sluice').spec.rules.flatMap((rule: KubernetesObject) =>
    rule.matches.map(({path}: KubernetesObject) => path.value),
  );
  t.true(paths.includes('/v1') && paths.includes('/events'));
  t.false(
    paths.some((path: string) => ['/hello', '/world', '/metrics', '/healthz', '/'].includes(path)),
  );
});

test('production has two gateways that are never both taken, Kafka, policies, and only v1 of external secrets', async t => {
  const objects = await template(chart, {files: ['values-production.yaml']});
  const shown = one(objects, 'Service', 'gateway');
  t.is(autoscaling('min-scale')(shown), '2');
  t.deepEqual(one(objects, 'PodDisruptionBudget', 'gateway').spec.maxUnavailable, 1);
  t.is(
    one(objects, 'Broker', 'default').metadata.annotations['eventing.knative.dev/broker.class'],
    'Kafka',
  );
  t.is(one(objects, 'ExternalSecret', 'sluice').apiVersion, 'external-secrets.io/v1');
  t.true(has('NetworkPolicy', 'default-deny')(objects));
  t.false(has('Service', 'hello')(objects));
  t.false(JSON.stringify(objects).includes('external-secrets.io/v1beta1'));
});

test('the migration and its Secret are hooks of Helm and of Argo CD, the Secret first; nothing else is', async t => {
  const values = {secret: {create: true, data: {'admin-key': 'x'.repeat(16)}}};
  const objects = await template(chart, {values});
  const hooks = objects
    .filter(({metadata}) => metadata.annotations?.['helm.sh/hook'] !== undefined)
    .filter(({metadata}) => metadata.annotations['helm.sh/hook'] !== 'test')
    .map(({kind, metadata: {annotations}}) => ({kind, annotations}));
  const both = (events: string, weight: string, gone: '' | 'succeeded') => ({
    'helm.sh/hook': events,
    'helm.sh/hook-weight': weight,
    'helm.sh/hook-delete-policy': `before-hook-creation${gone && ',hook-succeeded'}`,
    'argocd.argoproj.io/hook': 'PreSync',
    'argocd.argoproj.io/hook-delete-policy': `BeforeHookCreation${gone && ',HookSucceeded'}`,
    'argocd.argoproj.io/sync-wave': weight,
  });
  t.deepEqual(hooks, [
    {kind: 'Secret', annotations: both('pre-install,pre-upgrade,pre-rollback', '-10', '')},
    {kind: 'Job', annotations: both('pre-install,pre-upgrade', '0', 'succeeded')},
  ]);
  const job = one(objects, 'Job', 'migrate');
  t.deepEqual(job.spec.template.spec.initContainers[0].args, ['wait-for']);
  t.deepEqual(container(job).args, ['migrate']);
});

test('a secret is in the Secret and nowhere else', async t => {
  const canary = 'canary-of-a-secret';
  const values = {secret: {create: true, data: {'admin-key': canary}}};
  const objects = await template(chart, {values});
  const holders = objects.filter(object =>
    [canary, Buffer.from(canary).toString('base64')].some(text =>
      JSON.stringify(object).includes(text),
    ),
  );
  t.deepEqual(
    holders.map(({kind}) => kind),
    ['Secret'],
  );
  t.false(JSON.stringify(holders[0]?.metadata).includes(canary));
  t.is(objects.filter(({kind}) => kind === 'ConfigMap').length, 0);
});

test('pods are of one kind: not root, nothing that is written, no rights that are not asked for', async t => {
  for (const environment of environments) {
    for (const object of await template(chart, {files: [`values-${environment}.yaml`]})) {
      const pod = object.spec?.template?.spec ?? (object.kind === 'Pod' ? object.spec : undefined);
      for (const each of [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])]) {
        t.like(
          each.securityContext,
          {runAsNonRoot: true, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false},
          `${environment} ${object.kind} ${object.metadata.name}`,
        );
      }
    }
  }
});

const refused = test.macro({
  async exec(t, values: object, message: RegExp) {
    const {code, stderr} = await tryTemplate(chart, {values});
    t.not(code, 0);
    t.regex(stderr, message);
  },
  title: (title = '') => `refused: ${title}`,
});

test('a function that there is not', refused, {functions: {gatewy: {minScale: 2}}}, /gatewy/);
test('a source that there is not', refused, {sources: {'budget-sauce': {}}}, /budget-sauce/);
test('a key of a function that there is not', refused, gateway({minscale: 2}), /minscale/);
test('a value that there is not', refused, {enviroment: 'production'}, /enviroment/);
test('an environment that there is not', refused, {environment: 'live'}, /environment/);
test('a cloud that there is not', refused, {global: {cloud: 'azure'}}, /cloud/);
test('a number where a text is wanted', refused, gateway({env: {PORT: 8080}}), /PORT/);
test('a time without a unit', refused, gateway({retention: '300'}), /retention/);
test(
  'both ways to make the Secret',
  refused,
  {secret: {create: true}, externalSecret: {enabled: true}},
  /choose one/,
);
test('no dead letter sink', refused, {functions: {deadletter: {enabled: false}}}, /deadLetterUri/);
test(
  'an edge without a host',
  refused,
  {edge: {enabled: true, gateway: {name: 'g'}}},
  /edge\.host/,
);
test(
  'an edge without a Gateway',
  refused,
  {edge: {enabled: true, host: 'a.example'}},
  /edge\.gateway\.name/,
);
test(
  'a disruption budget of nothing',
  refused,
  {podDisruptionBudgets: {gatewy: {maxUnavailable: 1}}},
  /gatewy/,
);
test(
  'defaults that turn everything off',
  refused,
  {functionDefaults: {enabled: false}},
  /functionDefaults/,
);
