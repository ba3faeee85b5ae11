/**
Network pods: who stands for whom in charts/control-plane/network.yaml.

In: the manifests of `knative/`, the namespaces. Out: names to pods or addresses, and the groups of workloads. The labels
are what Knative Serving 0.48 and Eventing 0.47, Kourier and Kubernetes 1.34 were seen to put on pods.
*/
import {readdirSync, readFileSync} from 'node:fs';
import {parseAllDocuments} from 'yaml';
import type {End} from './cyclonus.ts';

export type Who = Readonly<{
  ends: ReadonlyMap<string, End>;
  groups: Readonly<Record<'functions' | 'sources' | 'watches', readonly string[]>>;
}>;

export type Manifest = Readonly<{
  kind: string;
  apiVersion: string;
  metadata: {name: string};
  spec?: Readonly<Record<string, unknown>>;
}>;

const manifests = new URL('../../knative/', import.meta.url);

/** What is applied only where KServe is, too. */
export const readManifests = (): readonly Manifest[] =>
  [
    ...readdirSync(manifests),
    ...readdirSync(new URL('kserve/', manifests)).map(name => `kserve/${name}`),
  ]
    .filter(name => name.endsWith('.yaml'))
    .flatMap(name => parseAllDocuments(readFileSync(new URL(name, manifests), 'utf8')))
    .map(document => document.toJS());

export const namesOf = (kind: string, group = ''): readonly string[] =>
  readManifests()
    .filter(({kind: its, apiVersion}) => its === kind && apiVersion.startsWith(group))
    .map(({metadata}) => metadata.name);

const knativeLabels = (name: string) => ({
  app: `${name}-00001`,
  'pod-template-hash': '6c5d667467',
  'serving.knative.dev/configuration': name,
  'serving.knative.dev/configurationGeneration': '1',
  'serving.knative.dev/revision': `${name}-00001`,
  'serving.knative.dev/service': name,
});

const sourceLabels = (name: string) => ({
  'pod-template-hash': '68965cb4c',
  'sources.knative.dev/containerSource': name,
  'sources.knative.dev/source': 'container-source-controller',
});

const watchLabels = (name: string) => ({
  'eventing.knative.dev/source': 'apiserver-source-controller',
  'eventing.knative.dev/sourceName': name,
  'pod-template-hash': '977d9548d',
});

const jobLabels = (name: string) => ({
  'batch.kubernetes.io/job-name': name,
  'job-name': name,
});

const eventing = (component: string, labels: Record<string, string>) => ({
  'app.kubernetes.io/component': component,
  'app.kubernetes.io/name': 'knative-eventing',
  ...labels,
});

const serving = (name: string) => ({
  'app.kubernetes.io/component': name,
  'app.kubernetes.io/name': 'knative-serving',
  app: name,
});

/** Kourier's one Deployment has both front doors: their ports differ. */
const others = (sluice: string): readonly (readonly [string, string, Record<string, string>])[] => [
  ['activator', 'knative-serving', {...serving('activator'), role: 'activator'}],
  ['autoscaler', 'knative-serving', serving('autoscaler')],
  ['serving-controller', 'knative-serving', serving('controller')],
  ['front-gateway', 'kourier-system', {app: '3scale-kourier-gateway'}],
  [
    'broker-ingress',
    'knative-eventing',
    eventing('broker-ingress', {'eventing.knative.dev/brokerRole': 'ingress'}),
  ],
  [
    'broker-filter',
    'knative-eventing',
    eventing('broker-filter', {'eventing.knative.dev/brokerRole': 'filter'}),
  ],
  [
    'pings',
    'knative-eventing',
    eventing('pingsource-mt-adapter', {'sources.knative.dev/role': 'adapter'}),
  ],
  ['prometheus', 'monitoring', {'app.kubernetes.io/name': 'prometheus'}],
  ['collector', 'observability', {'app.kubernetes.io/name': 'opentelemetry-collector'}],
  ['dns', 'kube-system', {'k8s-app': 'kube-dns'}],
  ['postgres', 'postgres', {app: 'postgres'}],
  ['redis', 'redis', {app: 'redis'}],
  ['kafka', 'kafka', {app: 'kafka', 'statefulset.kubernetes.io/pod-name': 'kafka-0'}],
  ['qdrant', 'qdrant', {app: 'qdrant'}],
  ['tenant', 'tenant-acme', knativeLabels('worker')],
  ['other-tenant', 'tenant-globex', knativeLabels('worker')],
  ['impostor', 'tenant-acme', {...knativeLabels('gateway'), ...sourceLabels('budget-source')}],
  ['tenant-shell', 'tenant-acme', {run: 'shell'}],
  ['other-tenant-shell', 'tenant-globex', {run: 'shell'}],
  ['beside-activator', 'knative-serving', {run: 'shell'}],
  ['beside-broker-ingress', 'knative-eventing', {run: 'shell'}],
  ['beside-collector', 'observability', {run: 'shell'}],
  ['beside-dns', 'kube-system', {run: 'shell'}],
  ['beside-front-gateway', 'kourier-system', {run: 'shell'}],
  ['beside-prometheus', 'monitoring', {run: 'shell'}],
  ['health', sluice, {'sluice.dev/program': 'health'}],
  ['stranger', 'default', {app: 'anything'}],
  ['unnamed', sluice, {run: 'shell'}],
  [
    'model',
    'models',
    {
      app: 'isvc.llama-production-predictor',
      component: 'predictor',
      'serving.kserve.io/inferenceservice': 'llama-production',
    },
  ],
  [
    'knative-model',
    'models',
    {
      ...knativeLabels('qwen-production-predictor'),
      component: 'predictor',
      'serving.kserve.io/inferenceservice': 'qwen-production',
    },
  ],
];

/** Addresses kept for documentation (RFC 5737), but for the cloud's and the API server's. */
const outside = {
  metadata: '169.254.169.254',
  internet: '8.8.8.8',
  'kubernetes-api': '10.243.0.1',
  openid: '198.51.100.7',
  provider: '203.0.113.10',
  'other-provider': '203.0.113.200',
  weights: '192.0.2.80',
};

export const createWho = (sluice = 'sluice'): Who => {
  const functions = namesOf('Service', 'serving.knative.dev/');
  const sources = namesOf('ContainerSource');
  const watches = namesOf('ApiServerSource');
  const pods = [
    ...functions.map(name => [name, sluice, knativeLabels(name)] as const),
    ...sources.map(name => [name, sluice, sourceLabels(name)] as const),
    ...watches.map(name => [name, sluice, watchLabels(name)] as const),
    ['migrate', sluice, jobLabels('migrate')] as const,
    ...others(sluice),
  ];
  const ends = pods.map(([name, namespace, labels], index): [string, End] => [
    name,
    {ip: `10.244.0.${index + 2}`, pod: {namespace, labels}},
  ]);
  return {
    ends: new Map([
      ...ends,
      ...Object.entries(outside).map(([name, ip]): [string, End] => [name, {ip}]),
    ]),
    groups: {functions, sources, watches},
  };
};
