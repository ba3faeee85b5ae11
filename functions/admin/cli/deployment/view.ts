/**
View: what Kubernetes' objects say, in a line each.

In: a Deployment, a pod, an InferenceService, a Knative Service. Out: its name, whether it is ready, and if not, why.
*/
import type {V1Pod} from '@kubernetes/client-node';
import {isPartOf, type Place} from './place.ts';

export type Workload = Readonly<{
  kind: 'InferenceService' | 'Knative Service' | 'Deployment';
  name: string;
  isReady: boolean;
  /** Such as 1/2. */
  replicas?: string;
  /** Scaled to zero, and nothing wrong with that. */
  isAsleep?: boolean;
  reason?: string;
}>;
export type Pod = Readonly<{
  name: string;
  phase: string;
  isReady: boolean;
  containers: string;
  restarts: number;
  reason?: string;
}>;
export type Seen = Readonly<{
  namespace: string;
  workloads: readonly Workload[];
  pods: readonly Pod[];
  /** What Kubernetes warned of, newest first. */
  warnings: readonly string[];
  problem?: string;
}>;
type Condition = Readonly<{type?: string; status?: string; reason?: string; message?: string}>;
export type InferenceService = Readonly<{
  metadata?: {name?: string};
  status?: {url?: string; address?: {url?: string}; conditions?: readonly Condition[]};
}>;
export type KnativeService = Readonly<{
  metadata?: {name?: string};
  status?: {conditions?: readonly Condition[]};
}>;
export type Selector = Readonly<Record<string, string>>;

const textMax = 200;
export const serviceLabel = 'serving.knative.dev/service';
export const revisionLabel = 'serving.knative.dev/revision';

export const isMeant = ({metadata, status}: InferenceService, {service, host}: Place) =>
  isPartOf(service, metadata?.name ?? '') ||
  [status?.url, status?.address?.url].some(
    url => url !== undefined && URL.canParse(url) && new URL(url).hostname === host,
  );

export const selectorOf = (inference: InferenceService | undefined): Selector | undefined =>
  inference?.metadata?.name === undefined
    ? undefined
    : {'serving.kserve.io/inferenceservice': inference.metadata.name};

export const hasLabels = (labels: Selector, selector: Selector) =>
  Object.entries(selector).every(([name, value]) => labels[name] === value);

const readinessOf = ({metadata, status}: KnativeService) => {
  const ready = status?.conditions?.find(({type}) => type === 'Ready');
  const isReady = ready?.status === 'True';
  const reason = ready?.message || ready?.reason;
  return {
    name: String(metadata?.name),
    isReady,
    ...(isReady || !reason ? {} : {reason: reason.slice(0, textMax)}),
  };
};

export const inferenceOf = (inference: InferenceService): Workload => ({
  kind: 'InferenceService',
  ...readinessOf(inference),
});

export const knativeOf = (service: KnativeService, pods: number): Workload => {
  const readiness = readinessOf(service);
  return {
    kind: 'Knative Service',
    ...readiness,
    ...(readiness.isReady && pods === 0 ? {isAsleep: true} : {}),
  };
};

export const deploymentOf = ({
  metadata,
  spec,
  status,
}: {
  metadata?: {name?: string};
  spec?: {replicas?: number};
  status?: {readyReplicas?: number; conditions?: readonly Condition[]};
}): Workload => {
  const wanted = spec?.replicas ?? 1;
  const there = status?.readyReplicas ?? 0;
  const trouble = status?.conditions?.find(
    ({type, status: is}) => (type === 'ReplicaFailure' && is === 'True') || is === 'False',
  );
  const reason = trouble?.message || trouble?.reason;
  return {
    kind: 'Deployment',
    name: String(metadata?.name),
    isReady: there >= wanted,
    replicas: `${there}/${wanted}`,
    ...(there >= wanted || !reason ? {} : {reason: reason.slice(0, textMax)}),
  };
};

export const podOf = ({metadata, status}: V1Pod): Pod => {
  const containers = status?.containerStatuses ?? [];
  const there = containers.filter(({ready}) => ready).length;
  const states = [...(status?.initContainerStatuses ?? []), ...containers].flatMap(one => {
    const {waiting, terminated} = one.state ?? {};
    const last = one.lastState?.terminated;
    return [
      waiting?.reason && [waiting.reason, waiting.message].filter(Boolean).join(': '),
      terminated && terminated.exitCode !== 0 && `${terminated.reason} (${terminated.exitCode})`,
      !one.ready && last && `before: ${last.reason} (${last.exitCode})`,
    ];
  });
  const condition = status?.conditions?.find(one => one.status === 'False' && one.message);
  const isReady = containers.length > 0 && there === containers.length;
  const reason = states.filter(Boolean).join('; ') || condition?.message;
  return {
    name: String(metadata?.name),
    phase: status?.phase ?? 'Unknown',
    isReady,
    containers: `${there}/${containers.length}`,
    restarts: containers.reduce((sum, {restartCount}) => sum + restartCount, 0),
    ...(isReady || !reason ? {} : {reason: reason.slice(0, textMax)}),
  };
};
