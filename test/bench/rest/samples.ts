/**
Samples: which pods an installation has, and what memory they hold, as the cluster itself tells.

In: `kubectl`, a namespace. Out: a sample: its pods with the function or the source that each belongs to, those that are going
included, because they still hold memory. Memory is the working set that the kubelet reports, of the container of ours alone.
*/
import type {Kubectl} from '../../cluster/kubectl.ts';

export type Pod = Readonly<{
  name: string;
  /** Of a Knative Service; undefined: it belongs to none. */
  service: string | undefined;
  /** What made it: the name of the Service, or of the Deployment, StatefulSet or Job. */
  owner: string;
  node: string;
  phase: string;
}>;

export type Sample = Readonly<{
  /** Of `performance.now()`. */
  atMs: number;
  pods: readonly Pod[];
}>;

type Listed = Readonly<{
  items: readonly Readonly<{
    metadata: {
      name: string;
      labels?: Record<string, string>;
      ownerReferences?: readonly Readonly<{kind: string; name: string}>[];
    };
    spec: {nodeName?: string};
    status: {phase?: string};
  }>[];
}>;

/** A Deployment's pods are those of a ReplicaSet that has a hash at its end. */
const ownerOf = ({metadata}: Listed['items'][number]): string => {
  const [owner] = metadata.ownerReferences ?? [];
  if (owner === undefined) {
    return metadata.name;
  }
  return owner.kind === 'ReplicaSet'
    ? owner.name.replace(/-[a-z0-9]+$/, '').replace(/-deployment$/, '')
    : owner.name;
};

export const takeSample = async (kubectl: Kubectl, namespace: string): Promise<Sample> => {
  const {items}: Listed = JSON.parse(
    await kubectl(['-n', namespace, 'get', 'pods', '-o', 'json', '--request-timeout=20s']),
  );
  const pods = items.map(item => {
    const service = item.metadata.labels?.['serving.knative.dev/service'];
    return {
      name: item.metadata.name,
      service,
      owner: service ?? ownerOf(item),
      node: item.spec.nodeName ?? '',
      phase: item.status.phase ?? '',
    };
  });
  return {
    atMs: performance.now(),
    pods: pods.filter(({phase}) => phase !== 'Succeeded' && phase !== 'Failed'),
  };
};

export type Memory = Readonly<{pod: string; ours: number; sidecars: number}>;

type Summary = Readonly<{
  pods: readonly Readonly<{
    podRef: {name: string; namespace: string};
    containers?: readonly Readonly<{name: string; memory?: {workingSetBytes?: number}}>[];
  }>[];
}>;

/** In bytes. What a kubelet has not measured yet is left out. */
export const readMemory = async (
  kubectl: Kubectl,
  namespace: string,
  {pods}: Sample,
): Promise<Memory[]> => {
  const nodes = [...new Set(pods.map(({node}) => node))].filter(node => node !== '');
  const summaries = await Promise.all(
    nodes.map(
      async (node): Promise<Summary> =>
        JSON.parse(
          await kubectl([
            ...['get', '--raw', `/api/v1/nodes/${node}/proxy/stats/summary`],
            '--request-timeout=20s',
          ]),
        ),
    ),
  );
  return summaries
    .flatMap(summary => summary.pods)
    .filter(({podRef}) => podRef.namespace === namespace)
    .flatMap(({podRef, containers = []}) => {
      const sum = (isSidecar: boolean) =>
        containers
          .filter(({name}) => (name === 'queue-proxy') === isSidecar)
          .reduce((bytes, {memory}) => bytes + (memory?.workingSetBytes ?? 0), 0);
      return sum(false) > 0 ? [{pod: podRef.name, ours: sum(false), sidecars: sum(true)}] : [];
    });
};
