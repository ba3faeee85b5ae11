/** Each value of the chart about sources, Brokers, images and pods does what its comment says. */
import test from 'ava';
import {becomes, container, type Find, namesOf, one} from '../helpers/chart-cases.ts';

// The first use on a machine builds Helm.
test.before(t => t.timeout(15 * 60_000));
test.beforeEach(t => t.timeout(5 * 60_000));

const resources = {requests: {cpu: '250m', memory: '256Mi'}, limits: {memory: '1Gi'}};
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
  objects => [...new Set(JSON.stringify(objects).match(/"name":"ENVIRONMENT","value":"\w+"/g))],
  ['"name":"ENVIRONMENT","value":"staging"'],
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
    JSON.stringify(objects).match(/"imagePullSecrets":\[\{"name":"registry"\}\]/g)?.length ===
      JSON.stringify(objects).match(/"containers":/g)?.length,
  ],
  ['"imagePullPolicy":"Always"', true],
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
