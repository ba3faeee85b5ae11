/**
Subscriptions: what a Trigger takes from which Broker, and where it delivers it.

In: a Trigger, the Brokers, the functions. Out: its subscription, with the delivery it has or inherits.
*/
import {type DeliveryPolicy, defaultPolicy} from '../../../events/delivery/policy.ts';
import {type Filter, readFilter} from '../eventing/filter.ts';
import {readPolicy} from './delivery.ts';
import type {Resource} from './manifests.ts';
import type {FunctionPlan} from './plan-functions.ts';
import {Refusal} from './refusal.ts';
import {type Addressable, type Sink, sinkOf} from './sinks.ts';

/** Where an event comes from, as the outbox names it. */
export type Origin = `broker:${string}` | `log:${string}`;

export type BrokerPlan = Readonly<{
  namespace: string;
  name: string;
  /** `broker:<name>`; a Broker outside of the functions' own namespace is `broker:<namespace>/<name>`. */
  topic: Origin;
}>;

export type SubscriptionPlan = Readonly<{
  /** Unique; the name of its queue. */
  name: string;
  kind: 'trigger' | 'source';
  namespace: string;
  origin: Origin;
  /** A Trigger's, or the types that a source sends on. */
  filter: Filter;
  sink: Sink;
  policy: DeliveryPolicy;
  deadLetterSink?: Sink | undefined;
  batchMax: number;
  concurrency: number;
  /** What shares a partition key is delivered one after another. */
  ordered?: boolean | undefined;
  /** Whether a delivery carries the bearer token of the sources. */
  token: boolean;
  /** A source's `ceOverrides`: set on every event. */
  extensions?: Readonly<Record<string, string>> | undefined;
}>;

/** Deliveries of one Trigger at once, fewer when its function takes fewer. */
const triggerConcurrency = 16;

const classKey = 'eventing.knative.dev/broker.class';
const orderKey = 'kafka.eventing.knative.dev/delivery.order';
const classes = ['MTChannelBasedBroker', 'Kafka'];

export type KnownBroker = BrokerPlan & Readonly<{resource: Resource; policy: DeliveryPolicy}>;

export type Lookup = Omit<Addressable, 'brokers'> &
  Readonly<{functions: readonly FunctionPlan[]; brokers: readonly KnownBroker[]}>;

/** `home` is the namespace of the functions: their outbox names its Brokers without one. */
export const brokerOf = (resource: Resource, home: string): KnownBroker => {
  const {namespace, name, spec, annotations} = resource;
  const brokerClass = annotations[classKey];
  if (brokerClass !== undefined && !classes.includes(brokerClass)) {
    throw new Refusal(
      ['metadata', 'annotations', classKey],
      `a Broker of class ${brokerClass} is not run here; use ${classes.join(' or ')}: the runner does what these two do alike`,
    );
  }
  return {
    namespace,
    name,
    topic: namespace === home ? `broker:${name}` : `broker:${namespace}/${name}`,
    resource,
    policy: spec.delivery === undefined ? defaultPolicy : readPolicy(spec.delivery),
  };
};

export const deadLetterOf = ({spec}: Resource): unknown =>
  (spec.delivery as {deadLetterSink?: unknown} | undefined)?.deadLetterSink;

export const triggerOf = (resource: Resource, find: Lookup): SubscriptionPlan => {
  const {namespace, name, spec, annotations} = resource;
  const broker = find.brokers.find(
    other => other.name === spec.broker && other.namespace === namespace,
  );
  if (!broker) {
    throw new Refusal(
      ['spec', 'broker'],
      `there is no Broker ${spec.broker ?? ''} in the namespace ${namespace}`,
    );
  }
  const order = annotations[orderKey] ?? 'unordered';
  if (order !== 'ordered' && order !== 'unordered') {
    throw new Refusal(
      ['metadata', 'annotations', orderKey],
      `expected ${orderKey} to be ordered or unordered, got ${order}`,
    );
  }
  const sink = sinkOf(spec.subscriber, ['spec', 'subscriber'], namespace, find);
  // A Trigger's delivery replaces the Broker's as a whole; only the dead letter sink falls back to it.
  const policy = spec.delivery === undefined ? broker.policy : readPolicy(spec.delivery);
  const dead = deadLetterOf(resource) ?? deadLetterOf(broker.resource);
  const path = ['spec', 'delivery', 'deadLetterSink'];
  const limit =
    'function' in sink
      ? find.functions.find(({name}) => name === sink.function)?.containerConcurrency
      : 0;
  return {
    name: `trigger/${namespace}/${name}`,
    kind: 'trigger',
    namespace,
    origin: broker.topic,
    filter: readFilter(spec),
    sink,
    policy,
    deadLetterSink: dead === undefined ? undefined : sinkOf(dead, path, namespace, find),
    batchMax: 1,
    concurrency: limit ? Math.min(limit, triggerConcurrency) : triggerConcurrency,
    ordered: order === 'ordered',
    token: false,
  };
};
