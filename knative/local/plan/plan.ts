/**
Plan: what the manifests ask for, resolved: which functions run, and which events go where.

In: resources. Out: functions with their environment, brokers, subscriptions. A reference that leads nowhere, a filter or a
delivery that cannot be honoured is a complaint with file and line; all are collected before the start is refused.
*/
import {limits} from '../../../events/limits.ts';
import {
  DeliveryError,
  type DeliveryPolicy,
  defaultPolicy,
  readPolicy,
  sourcePolicy,
} from '../eventing/delivery.ts';
import {type Filter, FilterError, readFilter} from '../eventing/filter.ts';
import {ManifestError, type Path, type Resource} from './manifests.ts';
import {environmentOf, type FunctionPlan, functionOf} from './plan-functions.ts';

export type {EnvironmentEntry, FunctionPlan} from './plan-functions.ts';

/** A path of a function, or an absolute URL. */
export type Sink = Readonly<{function: string; path: string} | {url: string}>;

export type BrokerPlan = Readonly<{namespace: string; name: string}>;

/** Where an event comes from, as the outbox names it. */
export type Origin = `broker:${string}` | `log:${string}`;

export type SubscriptionPlan = Readonly<{
  /** Unique; the name of its queue. */
  name: string;
  kind: 'trigger' | 'source';
  namespace: string;
  origin: Origin;
  /** A Trigger's; a source takes everything. */
  filter: Filter;
  sink: Sink;
  policy: DeliveryPolicy;
  deadLetterSink?: Sink | undefined;
  batchMax: number;
  concurrency: number;
  /** Whether a delivery carries the bearer token of the sources. */
  token: boolean;
}>;

export type Plan = Readonly<{
  functions: readonly FunctionPlan[];
  brokers: readonly BrokerPlan[];
  subscriptions: readonly SubscriptionPlan[];
}>;

/** Deliveries of one Trigger at once, fewer when its function takes fewer. */
const triggerConcurrency = 16;

class Refusal extends Error {
  readonly path: Path;

  constructor(path: Path, message: string) {
    super(message);
    this.path = path;
  }
}

export const makePlan = (resources: readonly Resource[]): Plan => {
  const complaints: string[] = [];
  const each = <Value>(kind: string, make: (resource: Resource) => Value): Value[] =>
    resources
      .filter(resource => resource.kind === kind)
      .flatMap(resource => {
        try {
          return [make(resource)];
        } catch (error) {
          complaints.push(
            `${resource.at(...pathOf(error))}: ${kind} ${resource.name}: ${(error as Error).message}`,
          );
          return [];
        }
      });
  const configMaps = resources.filter(resource => resource.kind === 'ConfigMap');
  const functions = each('Service', resource => functionOf(resource, configMaps));
  const brokers = each('Broker', resource => ({
    namespace: resource.namespace,
    name: resource.name,
    spec: resource.spec,
    policy: policyOf(resource.spec),
  }));
  const find: Lookup = {
    services: resources.filter(resource => resource.kind === 'Service'),
    functions,
    brokers,
  };
  const subscriptions = [
    ...each('Trigger', resource => triggerOf(resource, find)),
    ...each('ContainerSource', resource => sourceOf(resource, find, configMaps)),
  ];
  complaints.push(...clashes(resources, 'Service'), ...clashes(resources, 'Broker'));
  for (const [index, {name}] of subscriptions.entries()) {
    if (subscriptions.findIndex(other => other.name === name) !== index) {
      complaints.push(`two consumers are called ${name}: give each source a group of its own`);
    }
  }
  if (complaints.length > 0) {
    throw new ManifestError(complaints);
  }
  return {
    functions,
    brokers: brokers.map(({namespace, name}) => ({namespace, name})),
    subscriptions,
  };
};

const pathOf = (error: unknown): Path => {
  if (error instanceof Refusal) {
    return error.path;
  }
  if (error instanceof FilterError) {
    return ['spec', ...error.path];
  }
  if (error instanceof DeliveryError) {
    return ['spec', 'delivery', error.field];
  }
  return (error as {path?: Path}).path ?? [];
};

/** The outbox and the front door know names without namespaces. */
const clashes = (resources: readonly Resource[], kind: string) => {
  const some = resources.filter(resource => resource.kind === kind);
  return some
    .filter((resource, index) => some.findIndex(({name}) => name === resource.name) !== index)
    .map(
      resource =>
        `${resource.at('metadata', 'name')}: there is a ${kind} ${resource.name} in another namespace too; names are unique here`,
    );
};

type Lookup = Readonly<{
  services: readonly Resource[];
  functions: readonly FunctionPlan[];
  brokers: readonly (BrokerPlan & {spec: Resource['spec']; policy: DeliveryPolicy})[];
}>;

const policyOf = (spec: Resource['spec']) =>
  spec.delivery === undefined ? defaultPolicy : readPolicy(spec.delivery);

const triggerOf = (resource: Resource, find: Lookup): SubscriptionPlan => {
  const {namespace, name, spec} = resource;
  const broker = find.brokers.find(
    other => other.name === spec.broker && other.namespace === namespace,
  );
  if (!broker) {
    throw new Refusal(
      ['spec', 'broker'],
      `there is no Broker ${spec.broker ?? ''} in the namespace ${namespace}`,
    );
  }
  const sink = sinkOf(spec.subscriber, ['spec', 'subscriber'], namespace, find);
  // A Trigger's delivery replaces the Broker's as a whole; only the dead letter sink falls back to it.
  const policy = spec.delivery === undefined ? broker.policy : readPolicy(spec.delivery);
  const own = (spec.delivery as {deadLetterSink?: unknown} | undefined)?.deadLetterSink;
  const dead =
    own ?? (broker.spec.delivery as {deadLetterSink?: unknown} | undefined)?.deadLetterSink;
  const path = ['spec', 'delivery', 'deadLetterSink'];
  const limit =
    'function' in sink
      ? find.functions.find(({name}) => name === sink.function)?.containerConcurrency
      : 0;
  return {
    name: `trigger/${namespace}/${name}`,
    kind: 'trigger',
    namespace,
    origin: `broker:${broker.name}`,
    filter: readFilter(spec),
    sink,
    policy,
    deadLetterSink: dead === undefined ? undefined : sinkOf(dead, path, namespace, find),
    batchMax: 1,
    concurrency: limit ? Math.min(limit, triggerConcurrency) : triggerConcurrency,
    token: false,
  };
};

const sourceOf = (
  resource: Resource,
  find: Lookup,
  configMaps: readonly Resource[],
): SubscriptionPlan => {
  const {namespace, name, spec} = resource;
  const template = ['spec', 'template', 'spec', 'containers', 0];
  const entries = environmentOf(resource, template, configMaps);
  const variable = (key: string) =>
    entries.find(entry => entry.name === key && entry.value !== undefined)?.value;
  const topic = variable('SOURCE_TOPIC');
  if (topic === undefined || !/^[a-z0-9.-]+$/.test(topic)) {
    throw new Refusal([...template, 'env'], 'expected the variable SOURCE_TOPIC to name a log');
  }
  const batchMax = Number(variable('SOURCE_BATCH_MAX') ?? limits.batchEvents);
  if (!Number.isSafeInteger(batchMax) || batchMax < 1 || batchMax > limits.batchEvents) {
    throw new Refusal(
      [...template, 'env'],
      `expected SOURCE_BATCH_MAX from 1 to ${limits.batchEvents}`,
    );
  }
  return {
    name: `source/${topic}/${variable('SOURCE_GROUP') ?? name}`,
    kind: 'source',
    namespace,
    origin: `log:${topic}`,
    filter: {dialect: 'all', filters: []},
    sink: sinkOf(spec.sink, ['spec', 'sink'], namespace, find),
    policy: sourcePolicy,
    batchMax,
    concurrency: 1,
    token: entries.some(entry => entry.name === 'SOURCE_TOKEN'),
  };
};

const sinkOf = (destination: unknown, path: Path, namespace: string, find: Lookup): Sink => {
  const {ref, uri} = (destination ?? {}) as {ref?: Record<string, unknown>; uri?: unknown};
  if (ref === undefined) {
    if (typeof uri === 'string' && /^https?:/.test(uri) && URL.canParse(uri)) {
      return {url: uri};
    }
    throw new Refusal(path, 'expected a ref to a Service, or an absolute http uri');
  }
  if (ref.apiVersion !== 'serving.knative.dev/v1' || ref.kind !== 'Service') {
    throw new Refusal(
      [...path, 'ref'],
      `expected a ref to a serving.knative.dev/v1 Service, got ${ref.apiVersion} ${ref.kind}`,
    );
  }
  const wanted = ref.namespace ?? namespace;
  if (!find.services.some(service => service.name === ref.name && service.namespace === wanted)) {
    throw new Refusal(
      [...path, 'ref', 'name'],
      `there is no Service ${ref.name} in the namespace ${wanted}`,
    );
  }
  if (uri !== undefined && !(typeof uri === 'string' && uri.startsWith('/'))) {
    throw new Refusal([...path, 'uri'], 'expected uri beside a ref to be a path');
  }
  return {function: String(ref.name), path: uri ?? '/'};
};
