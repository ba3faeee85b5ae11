/**
Strangers: objects of the cluster that say a model, and that the registry has no endpoint of.

In: the clients, the names of the objects that it has. Out: the others, each with what the registry told Kubernetes of it. What KServe and
Knative make for their own objects says nothing.
*/
import type {Apis} from './cluster.ts';
import {unlessMissing} from './look.ts';

export type Stranger = Readonly<{ref: string; reason: string}>;
type Object = Readonly<{
  metadata?: Readonly<{
    name?: string;
    namespace?: string;
    ownerReferences?: readonly Readonly<{apiVersion: string}>[];
  }>;
}>;

const labelSelector = 'sluice.dev/model';
const makers = /^(?:serving\.kserve\.io|(?:[a-z]+\.)*knative\.dev)\//;
const strangersMax = 20;
const limit = 500;

export const lookForStrangers = async (
  apis: Apis,
  known: ReadonlySet<string>,
): Promise<readonly Stranger[]> => {
  const {core, custom, within} = apis;
  const of = {group: 'serving.kserve.io', version: 'v1beta1', plural: 'inferenceservices'};
  const [services, inferences] = await Promise.all([
    within(core.listServiceForAllNamespaces({labelSelector, limit})),
    within(unlessMissing(custom.listClusterCustomObject({...of, labelSelector, limit}))),
  ]);
  const found = [
    ...services.items.map(item => ['Service', item] as const),
    ...((inferences?.items ?? []) as Object[]).map(item => ['InferenceService', item] as const),
  ].flatMap(([kind, {metadata}]) => {
    const isMade = metadata?.ownerReferences?.some(({apiVersion}) => makers.test(apiVersion));
    const {namespace = '', name = ''} = metadata ?? {};
    return isMade || known.has(`${kind} ${namespace}/${name}`) ? [] : [{kind, namespace, name}];
  });
  return Promise.all(
    found.slice(0, strangersMax).map(async one => ({
      ref: `${one.kind} ${one.namespace}/${one.name}`,
      reason: await reasonOf(apis, one),
    })),
  );
};

/** The registry tells why where it read the object; where it may not, nobody does. */
const reasonOf = async (
  {core, within}: Apis,
  {kind, namespace, name}: Readonly<{kind: string; namespace: string; name: string}>,
): Promise<string> => {
  const list = await within(
    core.listNamespacedEvent({
      namespace,
      fieldSelector: `involvedObject.name=${name},involvedObject.kind=${kind},reason=NotAsModel`,
    }),
  ).catch(() => undefined);
  const [last] = (list?.items ?? []).sort(
    (a, b) => Number(b.lastTimestamp ?? 0) - Number(a.lastTimestamp ?? 0),
  );
  return (
    last?.message ??
    'it says a model and is not registered: not looked at yet, or its namespace has no label sluice.dev/models with the namespace of Sluice'
  );
};
