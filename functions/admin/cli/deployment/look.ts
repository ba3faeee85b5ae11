/**
Look: what one place in a cluster holds: its InferenceService or Knative Service, its Deployments, its pods, and what Kubernetes warned of.

In: the clients, a place. Out: all of that, or that there is no such Service. Revisions of Knative that are at zero are no trouble and not
shown; a model of which all are is asleep.
*/
import type {Apis} from './cluster.ts';
import type {Place} from './place.ts';
import {
  deploymentOf,
  hasLabels,
  type InferenceService,
  inferenceOf,
  isMeant,
  type KnativeService,
  knativeOf,
  type Pod,
  podOf,
  revisionLabel,
  type Seen,
  type Selector,
  selectorOf,
  serviceLabel,
} from './view.ts';

const warningsMax = 5;
const textMax = 200;

export const statusOf = (error: unknown) => (error as {code?: unknown}).code;

export const unlessMissing = <Result>(work: Promise<Result>): Promise<Result | undefined> =>
  work.catch(error => {
    if (statusOf(error) === 404) {
      return undefined;
    }
    throw error;
  });

const listOf = async <Item>(
  {custom, within}: Apis,
  of: Readonly<{group: string; version: string; plural: string; namespace: string}>,
  labelSelector?: string,
): Promise<readonly Item[]> => {
  const list = await within(
    unlessMissing(
      custom.listNamespacedCustomObject({...of, ...(labelSelector ? {labelSelector} : {})}),
    ),
  );
  return (list?.items ?? []) as readonly Item[];
};

const textOf = (selector: Selector) =>
  Object.entries(selector)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');

/** Of an InferenceService those that KServe made for it; else the one that the Service is the name of. */
const knativesOf = async (
  apis: Apis,
  namespace: string,
  {inference, name}: {inference: InferenceService | undefined; name: string | undefined},
): Promise<readonly KnativeService[]> => {
  const of = {group: 'serving.knative.dev', version: 'v1', plural: 'services', namespace};
  const selector = selectorOf(inference);
  if (selector) {
    return listOf<KnativeService>(apis, of, textOf(selector));
  }
  const found =
    name === undefined
      ? undefined
      : await apis.within(unlessMissing(apis.custom.getNamespacedCustomObject({...of, name})));
  return found ? [found as KnativeService] : [];
};

export const look = async (apis: Apis, place: Place): Promise<Seen> => {
  const {core, apps, within} = apis;
  const {namespace} = place;
  const [service, inferences] = await Promise.all([
    within(unlessMissing(core.readNamespacedService({name: place.service, namespace}))),
    listOf<InferenceService>(apis, {
      group: 'serving.kserve.io',
      version: 'v1beta1',
      plural: 'inferenceservices',
      namespace,
    }),
  ]);
  const inference = inferences.find(one => isMeant(one, place));
  const name = service?.metadata?.labels?.[serviceLabel];
  const knatives = await knativesOf(apis, namespace, {inference, name});
  const selector =
    service?.spec?.selector ??
    selectorOf(inference) ??
    (knatives.length > 0 && name !== undefined ? {[serviceLabel]: name} : undefined);
  if (!selector) {
    const problem = `there is no Service ${place.service} in ${namespace}`;
    return {namespace, workloads: [], pods: [], warnings: [], problem};
  }
  const [deployments, list] = await Promise.all([
    within(apps.listNamespacedDeployment({namespace})),
    within(core.listNamespacedPod({namespace, labelSelector: textOf(selector)})),
  ]);
  const pods = list.items.map(podOf);
  const own = deployments.items.filter(({spec}) =>
    hasLabels(spec?.template.metadata?.labels ?? {}, selector),
  );
  return {
    namespace,
    workloads: [
      ...(inference ? [inferenceOf(inference)] : []),
      ...knatives.map(knative => knativeOf(knative, pods.length)),
      ...own
        .filter(({metadata, spec}) => spec?.replicas !== 0 || !metadata?.labels?.[revisionLabel])
        .map(deploymentOf),
    ],
    pods,
    warnings: await warningsOf(apis, namespace, [
      ...pods.filter(({isReady}) => !isReady).map((pod: Pod) => pod.name),
      ...[inference, ...knatives].flatMap(one => one?.metadata?.name ?? []),
      place.service,
    ]),
  };
};

/** Without the right to read events there are none. What Kubernetes repeats is said once. */
const warningsOf = async ({core, within}: Apis, namespace: string, names: readonly string[]) => {
  const lists = await Promise.all(
    [...new Set(names)].slice(0, 2 * warningsMax).map(name =>
      within(
        core.listNamespacedEvent({
          namespace,
          fieldSelector: `involvedObject.name=${name},type=Warning`,
        }),
      ).catch(() => undefined),
    ),
  );
  const lines = lists
    .flatMap(list => list?.items ?? [])
    .sort((a, b) => Number(b.lastTimestamp ?? 0) - Number(a.lastTimestamp ?? 0))
    .map(one =>
      `${one.involvedObject.name}: ${one.reason}: ${one.message ?? ''}`.slice(0, textMax),
    );
  return [...new Set(lines)].slice(0, warningsMax);
};
