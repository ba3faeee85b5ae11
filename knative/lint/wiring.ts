/**
Wiring: the few things that rules ask of the manifests: the Broker of a Trigger, its subscriber, its filter, a delivery.

Nothing here complains: what cannot be read is undefined, because the plan has complained about it already.
*/
import {type Filter, readFilter} from '../local/eventing/filter.ts';
import type {Resource} from '../local/plan/manifests.ts';

export type Delivery = Readonly<Record<string, unknown>>;

export const ofKind = (resources: readonly Resource[], kind: string) =>
  resources.filter(resource => resource.kind === kind);

export const brokerOfTrigger = (
  resources: readonly Resource[],
  trigger: Resource,
): Resource | undefined =>
  ofKind(resources, 'Broker').find(
    ({name, namespace}) => name === trigger.spec.broker && namespace === trigger.namespace,
  );

export const deliveryOf = ({spec}: Resource): Delivery | undefined =>
  typeof spec.delivery === 'object' && spec.delivery !== null
    ? (spec.delivery as Delivery)
    : undefined;

type Destination = {
  ref?: {kind?: unknown; name?: unknown; namespace?: unknown};
  uri?: unknown;
};

/** The Service that a destination leads to. */
export const serviceOf = (
  resources: readonly Resource[],
  {namespace}: Resource,
  destination: unknown,
): Resource | undefined => {
  const {ref} = (destination ?? {}) as Destination;
  return ref?.kind !== 'Service'
    ? undefined
    : ofKind(resources, 'Service').find(
        other => other.name === ref.name && other.namespace === (ref.namespace ?? namespace),
      );
};

/** Undefined when it cannot be read. */
export const filterOf = ({spec}: Resource): Filter | undefined => {
  try {
    return readFilter(spec);
  } catch {
    return undefined;
  }
};

/** In memory: the multi-tenant class over channels that forget, which is also the cluster's default. */
export const isInMemory = ({annotations}: Resource) =>
  (annotations['eventing.knative.dev/broker.class'] ?? 'MTChannelBasedBroker') !== 'Kafka';

/** Knative's own default where a Service says nothing. */
export const timeoutSecondsOf = ({spec}: Resource): number => {
  const {timeoutSeconds = 300} =
    (spec.template as {spec?: {timeoutSeconds?: number}} | undefined)?.spec ?? {};
  return timeoutSeconds;
};
