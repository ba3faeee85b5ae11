/**
Objects: which objects of Kubernetes say models, how each is called, where it is read.

In: an event of an ApiServerSource, which anything in a cluster can post; or the name that the registry keeps. Out: the object to read
again, or undefined. Of an event only the path in its subject is used, and no name that is not one of Kubernetes.
*/
export type Kind = 'Service' | 'InferenceService';
export type Key = Readonly<{kind: Kind; namespace: string; name: string}>;

/** What of an object is looked at. */
export type KubeObject = Readonly<{
  metadata?: Readonly<{
    name?: string;
    namespace?: string;
    uid?: string;
    generation?: number;
    creationTimestamp?: string;
    deletionTimestamp?: string;
    labels?: Readonly<Record<string, string>>;
    annotations?: Readonly<Record<string, string>>;
    ownerReferences?: ReadonlyArray<Readonly<{apiVersion?: string; kind?: string}>>;
  }>;
  spec?: Readonly<Record<string, unknown>>;
  status?: Readonly<Record<string, unknown>>;
}>;

export const prefix = 'sluice.dev/';
/** On an object: it serves the model of this name. */
export const modelLabel = `${prefix}model`;
/**
On a namespace: objects in it may say models to the Sluice in the namespace that is its value. Only who may label namespaces decides that.
*/
export const namespaceLabel = `${prefix}models`;

export const eventTypes = /^dev\.knative\.apiserver\.(?:resource|ref)\.(?:add|update|delete)$/;

const dnsName = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const namespaceName = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const subjectPath = /\/namespaces\/([^/]+)\/(services|inferenceservices|endpointslices)\/([^/]+)$/;

export const refOf = ({kind, namespace, name}: Key) => `${kind} ${namespace}/${name}`;

export const keyOfRef = (ref: string): Key | undefined => {
  const [, kind, namespace, name] = /^(Service|InferenceService) ([^/]+)\/(.+)$/.exec(ref) ?? [];
  return keyOf(kind as Kind | undefined, namespace, name);
};

export const keyOf = (
  kind: Kind | undefined,
  namespace: string | undefined,
  name: string | undefined,
): Key | undefined =>
  kind && namespaceName.test(namespace ?? '') && dnsName.test(name ?? '')
    ? {kind, namespace: namespace as string, name: name as string}
    : undefined;

/** An EndpointSlice stands for the Service that it is called after. */
export const keyOfSubject = (subject: unknown): Key | undefined => {
  const [, namespace, plural, name] = subjectPath.exec(String(subject)) ?? [];
  return plural === 'endpointslices'
    ? keyOf('Service', namespace, name?.replace(/-[a-z0-9]{5}$/, ''))
    : keyOf(plural === 'services' ? 'Service' : 'InferenceService', namespace, name);
};

export const pathOf = ({kind, namespace, name}: Key): string =>
  kind === 'Service'
    ? `/api/v1/namespaces/${namespace}/services/${name}`
    : `/apis/serving.kserve.io/v1beta1/namespaces/${namespace}/inferenceservices/${name}`;

export const slicesPathOf = ({namespace, name}: Key): string =>
  `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=${encodeURIComponent(
    `kubernetes.io/service-name=${name}`,
  )}&limit=500`;

export const apiVersionOf = ({kind}: Key) =>
  kind === 'Service' ? 'v1' : 'serving.kserve.io/v1beta1';
