/**
Cluster: what Kubernetes says of a Service and what stands behind it.

In: a place. Out: its InferenceService, Deployments and pods, whether they are ready, and why not; or what kept us from seeing that. Reads
only. The client is loaded when it is needed: it costs half a second.
*/
import type {Place} from './place.ts';
import {
  deploymentOf,
  hasLabels,
  type InferenceService,
  inferenceOf,
  isMeant,
  type Pod,
  podOf,
  type Seen,
  selectorOf,
} from './view.ts';

export type Cluster = Readonly<{server: string; look(place: Place): Promise<Seen>}>;

type Apis = Awaited<ReturnType<typeof connect>>;
const warningsMax = 5;
const textMax = 200;

export type KubeSource = Readonly<{file: string; context?: string | undefined}> | 'in-cluster';

const connect = async (source: KubeSource, timeoutMs: number) => {
  const {AppsV1Api, CoreV1Api, CustomObjectsApi, KubeConfig} = await import(
    '@kubernetes/client-node'
  );
  const config = new KubeConfig();
  if (source === 'in-cluster') {
    config.loadFromCluster();
  } else {
    config.loadFromFile(source.file);
    if (source.context !== undefined) {
      if (!config.getContextObject(source.context)) {
        throw new Error(`${source.file} has no context ${source.context}`);
      }
      config.setCurrentContext(source.context);
    }
  }
  const cluster = config.getCurrentCluster();
  if (!cluster) {
    throw new Error('the kubeconfig names no cluster');
  }
  return {
    server: cluster.server,
    core: config.makeApiClient(CoreV1Api),
    apps: config.makeApiClient(AppsV1Api),
    custom: config.makeApiClient(CustomObjectsApi),
    within: <Result>(work: Promise<Result>) => within(work, timeoutMs),
  };
};

const within = <Result>(work: Promise<Result>, timeoutMs: number): Promise<Result> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${timeoutMs / 1_000} s`)), timeoutMs);
  });
  work.catch(() => {});
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
};

export const openCluster = async (source: KubeSource, timeoutMs = 10_000): Promise<Cluster> => {
  const apis = await connect(source, timeoutMs);
  return {
    server: apis.server,
    async look(place) {
      const nothing = {namespace: place.namespace, workloads: [], pods: [], warnings: []};
      try {
        return await look(apis, place);
      } catch (error) {
        return {...nothing, problem: problemOf(error, place)};
      }
    },
  };
};

const statusOf = (error: unknown) => (error as {code?: unknown}).code;

const problemOf = (error: unknown, {namespace}: Place): string => {
  const status = statusOf(error);
  if (status === 403 || status === 401) {
    return `this account may not read the namespace ${namespace}`;
  }
  const {message, cause} = error as Error & {cause?: {code?: string}};
  return typeof status === 'number'
    ? `Kubernetes answered ${status}`
    : `Kubernetes: ${cause?.code ?? message}`.slice(0, textMax);
};

const unlessMissing = <Result>(work: Promise<Result>): Promise<Result | undefined> =>
  work.catch(error => {
    if (statusOf(error) === 404) {
      return undefined;
    }
    throw error;
  });

const look = async (apis: Apis, place: Place): Promise<Seen> => {
  const {core, apps, custom, within} = apis;
  const {namespace} = place;
  const [service, inferences] = await Promise.all([
    within(unlessMissing(core.readNamespacedService({name: place.service, namespace}))),
    within(
      unlessMissing(
        custom.listNamespacedCustomObject({
          group: 'serving.kserve.io',
          version: 'v1beta1',
          namespace,
          plural: 'inferenceservices',
        }),
      ),
    ),
  ]);
  const inference = ((inferences?.items ?? []) as readonly InferenceService[]).find(one =>
    isMeant(one, place),
  );
  const selector = service?.spec?.selector ?? selectorOf(inference);
  if (!selector) {
    const problem = inference ? undefined : `there is no Service ${place.service} in ${namespace}`;
    const workloads = inference ? [inferenceOf(inference)] : [];
    return {namespace, workloads, pods: [], warnings: [], ...(problem ? {problem} : {})};
  }
  const labelSelector = Object.entries(selector)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
  const [deployments, pods] = await Promise.all([
    within(apps.listNamespacedDeployment({namespace})),
    within(core.listNamespacedPod({namespace, labelSelector})),
  ]);
  const seen = pods.items.map(podOf);
  return {
    namespace,
    workloads: [
      ...(inference ? [inferenceOf(inference)] : []),
      ...deployments.items
        .filter(({spec}) => hasLabels(spec?.template.metadata?.labels ?? {}, selector))
        .map(deploymentOf),
    ],
    pods: seen,
    warnings: await warningsOf(apis, namespace, seen),
  };
};

/** Of pods that are not ready; without the right to read events there are none. */
const warningsOf = async ({core, within}: Apis, namespace: string, pods: readonly Pod[]) => {
  const ill = pods.filter(({isReady}) => !isReady).slice(0, warningsMax);
  const lists = await Promise.all(
    ill.map(({name}) =>
      within(
        core.listNamespacedEvent({
          namespace,
          fieldSelector: `involvedObject.name=${name},type=Warning`,
        }),
      ).catch(() => undefined),
    ),
  );
  return lists
    .flatMap(list => list?.items ?? [])
    .sort((a, b) => Number(b.lastTimestamp ?? 0) - Number(a.lastTimestamp ?? 0))
    .slice(0, warningsMax)
    .map(one =>
      `${one.involvedObject.name}: ${one.reason}: ${one.message ?? ''}`.slice(0, textMax),
    );
};
