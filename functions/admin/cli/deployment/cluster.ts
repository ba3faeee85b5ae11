/**
Cluster: what Kubernetes says of a Service and what stands behind it.

In: a place. Out: what is there (`look.ts`), or what kept us from seeing that. Reads
only. The client is loaded when it is needed: it costs half a second.
*/
import {look, statusOf} from './look.ts';
import type {Place} from './place.ts';
import {lookForStrangers, type Stranger} from './strangers.ts';
import type {Seen} from './view.ts';

export type Cluster = Readonly<{
  server: string;
  look(place: Place): Promise<Seen>;
  /** Objects that say a model, and of which the registry has no endpoint. */
  strangers(known: ReadonlySet<string>): Promise<readonly Stranger[]>;
}>;

export type Apis = Awaited<ReturnType<typeof connect>>;
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
    // Who may not list the whole cluster is shown the endpoints all the same.
    strangers: known => lookForStrangers(apis, known).catch(() => []),
  };
};

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
