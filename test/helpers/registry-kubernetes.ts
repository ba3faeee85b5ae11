/**
Objects of Kubernetes that say models, as tests of the registry want them. In: what is different. Out: a Service with its EndpointSlice, an
InferenceService, the lists of an API server that has them.
*/
import type {KubeLists, KubeObject} from './fake-kubernetes.ts';

type Labels = Readonly<Record<string, string>>;
export type ServiceSpec = Readonly<{
  name?: string;
  namespace?: string;
  labels?: Labels;
  annotations?: Labels;
  createdAt?: string;
  metadata?: object;
  spec?: object;
  /** Names of pods that are ready. */
  ready?: readonly string[];
}>;

export const makeService = ({
  name = 'llama-dev',
  namespace = 'models',
  labels = {'sluice.dev/model': 'llama'},
  annotations = {'sluice.dev/price': 'free'},
  createdAt = '2026-11-22T00:00:00Z',
  metadata = {},
  spec = {},
}: ServiceSpec = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name,
    namespace,
    uid: `uid-${namespace}-${name}`,
    creationTimestamp: createdAt,
    labels,
    annotations,
    ...metadata,
  },
  spec: {ports: [{name: 'http', port: 8000}], ...spec},
});

export const makeSlice = ({
  name = 'llama-dev',
  ready = ['llama-7d9f-abcde'],
}: ServiceSpec = {}): KubeObject => ({
  metadata: {name: `${name}-x1y2z`, labels: {'kubernetes.io/service-name': name}},
  endpoints: ready.map(pod => ({
    conditions: {ready: true},
    targetRef: {kind: 'Pod', name: pod},
  })),
});

export const makeInference = ({
  name = 'mistral-prod',
  namespace = 'models',
  labels = {'sluice.dev/model': 'mistral'},
  annotations = {'sluice.dev/price-input': '0.10', 'sluice.dev/price-output': '0.30'},
  ready = 'True',
  revision = 'mistral-00001',
  address = `http://${name}.${namespace}.svc.cluster.local`,
  minReplicas,
}: Readonly<{
  name?: string;
  namespace?: string;
  labels?: Labels;
  annotations?: Labels;
  ready?: 'True' | 'False' | 'Unknown';
  revision?: string;
  address?: string | null;
  minReplicas?: number;
}> = {}): KubeObject => ({
  apiVersion: 'serving.kserve.io/v1beta1',
  kind: 'InferenceService',
  metadata: {
    name,
    namespace,
    uid: `uid-${namespace}-${name}`,
    generation: 1,
    creationTimestamp: '2026-11-22T00:00:00Z',
    labels,
    annotations,
  },
  spec: {predictor: minReplicas === undefined ? {} : {minReplicas}},
  status: {
    ...(address === null ? {} : {address: {url: address}}),
    components: {predictor: {latestReadyRevision: revision}},
    conditions: [
      {
        type: 'Ready',
        status: ready,
        ...(ready === 'True' ? {} : {reason: 'PredictorNotReady', message: 'no pod is ready'}),
      },
    ],
  },
});

export const trusted: KubeObject = {
  metadata: {name: 'models', labels: {'sluice.dev/models': 'sluice'}},
};

/** The lists of an API server. Its arrays may be changed by the test. */
export const makeCluster = () => {
  const namespaces: KubeObject[] = [
    trusted,
    {metadata: {name: 'tenant-a'}},
    {metadata: {name: 'elsewhere', labels: {'sluice.dev/models': 'sluice-staging'}}},
  ];
  const services: KubeObject[] = [];
  const strangers: KubeObject[] = [];
  const slices: KubeObject[] = [];
  const inferences: KubeObject[] = [];
  const lists: KubeLists = {
    '/api/v1/namespaces': {kind: 'NamespaceList', items: namespaces},
    '/api/v1/namespaces/models/services': {kind: 'ServiceList', items: services},
    '/api/v1/namespaces/tenant-a/services': {kind: 'ServiceList', items: strangers},
    '/apis/discovery.k8s.io/v1/namespaces/models/endpointslices': {
      kind: 'EndpointSliceList',
      items: slices,
    },
    '/apis/discovery.k8s.io/v1/namespaces/tenant-a/endpointslices': {
      kind: 'EndpointSliceList',
      items: [],
    },
    '/apis/serving.kserve.io/v1beta1/namespaces/models/inferenceservices': {
      kind: 'InferenceServiceList',
      items: inferences,
    },
  };
  const remove = (list: KubeObject[], name: string) => {
    const at = list.findIndex(({metadata}) => metadata.name === name);
    return at < 0 ? undefined : list.splice(at, 1)[0];
  };
  const set = (list: KubeObject[], object: KubeObject) => {
    remove(list, object.metadata.name);
    list.push(object);
  };
  return {lists, namespaces, services, strangers, slices, inferences, set, remove};
};
