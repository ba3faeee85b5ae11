/**
Standing: what Kubernetes says of what stands behind an object, and whether the server itself is to be asked.

In: an InferenceService, or a Service and its EndpointSlices; the endpoint as it was known. Out: a standing, and a verdict. Kubernetes knows
best that nobody is there: then no probe is sent. That somebody is there and generates nothing only a probe knows.
*/
import type {Endpoint, Finding} from '../model.ts';
import type {KubeObject} from './objects.ts';

export type Standing = Readonly<{
  /**
  up: somebody answers there. down: nobody can. doubtful: Kubernetes is not content, but an older revision may answer.
  */
  state: 'up' | 'down' | 'doubtful';
  reason: string | null;
  /** Changes when another revision or another generation of pods stands there. */
  serving: string;
}>;

export type Slice = Readonly<{
  endpoints?: ReadonlyArray<
    Readonly<{conditions?: {ready?: boolean}; targetRef?: {kind?: string; name?: string}}>
  >;
}>;

type Condition = Readonly<{type?: string; status?: string; reason?: string; message?: string}>;
const reasonMax = 300;

export const standingOfInference = ({metadata, status = {}}: KubeObject): Standing => {
  const conditions = (status.conditions ?? []) as readonly Condition[];
  const ready = conditions.find(({type}) => type === 'Ready');
  const predictor = (status.components as {predictor?: {latestReadyRevision?: string}} | undefined)
    ?.predictor;
  const serving = `${predictor?.latestReadyRevision ?? ''}/${metadata?.generation ?? 0}`;
  if (ready?.status === 'True') {
    return {state: 'up', reason: null, serving};
  }
  const culprit = conditions.find(one => one.status === 'False' && one.message) ?? ready;
  const words = culprit?.message || culprit?.reason || 'it has no condition Ready yet';
  const reason = `InferenceService ${metadata?.name} is not ready: ${words}`.slice(0, reasonMax);
  return {state: 'doubtful', reason, serving};
};

export const standingOfService = ({metadata}: KubeObject, slices: readonly Slice[]): Standing => {
  // Absent is ready, as the API says.
  const ready = slices.flatMap(({endpoints = []}) =>
    (endpoints ?? []).filter(({conditions}) => conditions?.ready !== false),
  );
  const serving = [...new Set(ready.map(({targetRef}) => generationOf(targetRef?.name)))]
    .sort()
    .join(',');
  return ready.length > 0
    ? {state: 'up', reason: null, serving}
    : {state: 'down', reason: `no pod behind Service ${metadata?.name} is ready`, serving};
};

/** Pods of one ReplicaSet or StatefulSet are one; how many there are changes nothing. */
const generationOf = (pod: string | undefined) => pod?.replace(/-(?:[a-z0-9]{5}|\d+)$/, '') ?? '';

export type Verdict = Readonly<{ask: boolean; finding?: Finding}>;

const nobody = {contextLength: null, usage: null, tokenize: null};

/**
Of a model that scales to zero nobody is no illness, once it has answered: it is asleep. One that never answered is not there
yet, however it scales: deploy, register, route.
*/
export const judge = (
  {state, reason, serving}: Standing,
  before: Endpoint | undefined,
  {startSeconds, thorough}: {startSeconds: number | null; thorough: boolean},
): Verdict => {
  const answered = before?.usage != null;
  if (state === 'down' || (state === 'doubtful' && !answered)) {
    const health = startSeconds !== null && answered ? 'unknown' : 'unhealthy';
    return {ask: false, finding: {...nobody, health, reason}};
  }
  const mayStayAsleep = startSeconds !== null && answered && before.health !== 'unhealthy';
  return {
    ask:
      !answered ||
      state === 'doubtful' ||
      before.object?.serving !== serving ||
      (!mayStayAsleep && (thorough || before.health !== 'healthy')),
  };
};

/** What the probe found, with what Kubernetes said where both are not content. */
export const withReason =
  ({reason}: Standing) =>
  (finding: Finding): Finding =>
    reason === null || finding.health === 'healthy'
      ? finding
      : {...finding, reason: [reason, finding.reason].filter(Boolean).join('; ')};
