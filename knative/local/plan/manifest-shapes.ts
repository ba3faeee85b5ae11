/**
Manifest shapes: which kinds are run here and which fields they may have, and which are passed by.

In: the body of one document. Out: what is wrong with it, each with the path of the field. A shape says of each field: a nested
shape, a list of a shape, or `any` where the inside is the cluster's business or is checked by whoever reads it.
*/
import {refusalOfField, refusalOfKind} from './refused.ts';

export type Fault = Readonly<{path: readonly (string | number)[]; reason: string}>;

const any = Symbol('any');
type Shape = typeof any | readonly [Shape] | {readonly [field: string]: Shape};

const reference: Shape = {apiVersion: any, kind: any, name: any, namespace: any};
const destination: Shape = {ref: reference, uri: any};
const delivery: Shape = {
  retry: any,
  backoffPolicy: any,
  backoffDelay: any,
  timeout: any,
  deadLetterSink: destination,
};
const ceOverrides: Shape = {extensions: any};
const keyReference: Shape = {name: any, key: any, optional: any};
const container: Shape = {
  name: any,
  image: any,
  imagePullPolicy: any,
  command: any,
  args: any,
  env: [
    {name: any, value: any, valueFrom: {secretKeyRef: keyReference, configMapKeyRef: keyReference}},
  ],
  ports: any,
  resources: any,
  livenessProbe: any,
  readinessProbe: any,
  startupProbe: any,
  securityContext: any,
};
const pod: Shape = {
  containers: [container],
  serviceAccountName: any,
  imagePullSecrets: any,
  securityContext: any,
  automountServiceAccountToken: any,
  enableServiceLinks: any,
};
/** A pod of a Deployment or a StatefulSet; Knative takes this field from `timeoutSeconds`. */
const lastingPod: Shape = {...pod, terminationGracePeriodSeconds: any};

const shapes: Readonly<Record<string, Shape>> = {
  'v1 Namespace': {},
  'v1 ConfigMap': {},
  'serving.knative.dev/v1 Service': {
    template: {
      metadata: any,
      spec: {
        ...pod,
        containerConcurrency: any,
        timeoutSeconds: any,
        responseStartTimeoutSeconds: any,
        idleTimeoutSeconds: any,
      },
    },
    traffic: any,
  },
  'eventing.knative.dev/v1 Broker': {config: any, delivery},
  'eventing.knative.dev/v1 Trigger': {
    broker: any,
    filter: {attributes: any},
    filters: any,
    subscriber: destination,
    delivery,
  },
  'sources.knative.dev/v1 ContainerSource': {
    template: {metadata: any, spec: lastingPod},
    sink: destination,
    ceOverrides,
  },
  'sources.knative.dev/v1 PingSource': {
    schedule: any,
    timezone: any,
    contentType: any,
    data: any,
    dataBase64: any,
    sink: destination,
    ceOverrides,
  },
  'sources.knative.dev/v1 SinkBinding': {
    subject: {apiVersion: any, kind: any, namespace: any, name: any, selector: {matchLabels: any}},
    sink: destination,
    ceOverrides,
  },
  'apps/v1 StatefulSet': {
    serviceName: any,
    replicas: any,
    selector: any,
    podManagementPolicy: any,
    updateStrategy: any,
    template: {metadata: any, spec: lastingPod},
  },
};

/**
What concerns the cluster alone, and why nothing here does it. It is read, for lint, and has no effect: its fields are checked by the
cluster's own API server (test/cluster/manifests.test.ts).
*/
export const ofClusterOnly: Readonly<Record<string, string>> = {
  'batch/v1 Job': 'the database is brought to this release at every start here',
  'sources.knative.dev/v1 ApiServerSource': 'there is no Kubernetes API on one machine',
  'v1 ServiceAccount': 'nothing here asks a Kubernetes API',
  'rbac.authorization.k8s.io/v1 Role': 'nothing here asks a Kubernetes API',
  'rbac.authorization.k8s.io/v1 RoleBinding': 'nothing here asks a Kubernetes API',
  'rbac.authorization.k8s.io/v1 ClusterRole': 'nothing here asks a Kubernetes API',
  'rbac.authorization.k8s.io/v1 ClusterRoleBinding': 'nothing here asks a Kubernetes API',
};

const tops = ['apiVersion', 'kind', 'metadata', 'spec'];
const namePattern = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const faultsOf = (body: unknown): Fault[] => {
  if (!isObject(body)) {
    return [{path: [], reason: 'expected a Kubernetes resource'}];
  }
  const {apiVersion, kind, metadata} = body;
  const isClusterOnly = Object.hasOwn(ofClusterOnly, `${apiVersion} ${kind}`);
  const shape = isClusterOnly ? any : shapes[`${apiVersion} ${kind}`];
  if (!shape) {
    const known = `known are ${Object.keys(shapes).join(', ')}`;
    const reason = refusalOfKind(apiVersion, kind);
    return [
      {
        path: ['kind'],
        reason: `${apiVersion ?? 'no apiVersion'} ${kind ?? 'no kind'} is not run here${reason ? `: ${reason}` : `; ${known}`}`,
      },
    ];
  }
  const faults: Fault[] = [];
  if (
    !isObject(metadata) ||
    typeof metadata.name !== 'string' ||
    !namePattern.test(metadata.name)
  ) {
    faults.push({path: ['metadata'], reason: `expected metadata.name of ${kind} to be a DNS name`});
  }
  const allowed = kind === 'ConfigMap' ? [...tops, 'data'] : tops;
  for (const field of isClusterOnly ? [] : Object.keys(body)) {
    if (!allowed.includes(field)) {
      faults.push({path: [field], reason: `${field} is not a field of ${kind}`});
    }
  }
  return [...faults, ...check(body.spec ?? {}, shape, ['spec']), ...placeholders(body, [])];
};

const check = (value: unknown, shape: Shape, path: Fault['path']): Fault[] => {
  if (shape === any) {
    return [];
  }
  if (Array.isArray(shape)) {
    return Array.isArray(value)
      ? value.flatMap((item, index) => check(item, shape[0] as Shape, [...path, index]))
      : [{path, reason: `expected ${path.join('.')} to be a list`}];
  }
  if (!isObject(value)) {
    return [{path, reason: `expected ${path.join('.')} to have fields`}];
  }
  const fields = shape as {readonly [field: string]: Shape};
  return Object.entries(value).flatMap(([field, inside]) =>
    Object.hasOwn(fields, field)
      ? check(inside, fields[field] as Shape, [...path, field])
      : [{path: [...path, field], reason: notHonoured([...path, field])}],
  );
};

const notHonoured = (path: Fault['path']) => {
  const reason = refusalOfField(String(path.at(-1)));
  return `${path.join('.')} is not honoured here${reason ? `: ${reason}` : ''}`;
};

/** Nothing fills in `${…}`: what kubectl would apply is what is run. */
const placeholders = (value: unknown, path: Fault['path']): Fault[] => {
  if (typeof value === 'string') {
    return value.includes('${')
      ? [{path, reason: `${path.join('.')} has a placeholder, which nothing fills in`}]
      : [];
  }
  return typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([key, inside]) =>
        placeholders(inside, [...path, Array.isArray(value) ? Number(key) : key]),
      )
    : [];
};
