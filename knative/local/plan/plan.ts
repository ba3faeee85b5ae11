/**
Plan: what the manifests ask for, resolved: which functions run, and which events go where.

In: resources. Out: functions with their environment, brokers, subscriptions, sources, pings. A reference that leads nowhere, a
filter or a delivery that cannot be honoured is a complaint with file and line; all are collected before the start is refused.
*/

import {FilterError} from '../eventing/filter.ts';
import {type Binding, bind, workloadKey} from './bindings.ts';
import {DeliveryError} from './delivery.ts';
import {ManifestError, type Path, type Resource} from './manifests.ts';
import {type PingPlan, pingOf} from './pings.ts';
import {type FunctionPlan, functionOf} from './plan-functions.ts';
import {Refusal} from './refusal.ts';
import {extensionsOf, sinkOf} from './sinks.ts';
import {type SourcePlan, sourceOf, subscriptionOf} from './sources.ts';
import {
  type BrokerPlan,
  brokerOf,
  type Lookup,
  type SubscriptionPlan,
  triggerOf,
} from './subscriptions.ts';

export type {EnvironmentEntry} from './environment.ts';
export type {PingPlan} from './pings.ts';
export type {FunctionPlan} from './plan-functions.ts';
export type {Sink} from './sinks.ts';
export type {SourcePlan} from './sources.ts';
export type {BrokerPlan, Origin, SubscriptionPlan} from './subscriptions.ts';

export type Plan = Readonly<{
  functions: readonly FunctionPlan[];
  brokers: readonly BrokerPlan[];
  subscriptions: readonly SubscriptionPlan[];
  sources: readonly SourcePlan[];
  pings: readonly PingPlan[];
}>;

export const makePlan = (resources: readonly Resource[]): Plan => {
  const complaints: string[] = [];
  const each = <Value>(kinds: string, make: (resource: Resource) => Value): Value[] =>
    resources
      .filter(({kind}) => kinds.split(' ').includes(kind))
      .flatMap(resource => {
        try {
          return [make(resource)];
        } catch (error) {
          const {kind, name} = resource;
          complaints.push(
            `${resource.at(...pathOf(error))}: ${kind} ${name}: ${(error as Error).message}`,
          );
          return [];
        }
      });
  const configMaps = resources.filter(({kind}) => kind === 'ConfigMap');
  const services = resources.filter(({kind}) => kind === 'Service');
  const workloads = resources.filter(({kind}) => kind === 'Service' || kind === 'StatefulSet');
  const home = homeOf(resources);
  const brokers = each('Broker', resource => brokerOf(resource, home));
  const bound = new Map<string, Binding>();
  each('SinkBinding', resource => bind(resource, workloads, {services, brokers}, bound));
  const functions = each('Service', resource => ({
    ...functionOf(resource, configMaps),
    ...bound.get(workloadKey(resource)),
  }));
  const find: Lookup = {services, functions, brokers};
  const triggers = each('Trigger', resource => triggerOf(resource, find));
  const readers = each('ContainerSource StatefulSet', resource => {
    const source = sourceOf(resource, configMaps, sinkOfSource(resource, find, bound));
    return {resource, source, subscription: subscriptionOf(source)};
  });
  const pings = each('PingSource', resource => pingOf(resource, find));
  complaints.push(...clashes(services), ...sharedGroups(readers));
  if (complaints.length > 0) {
    throw new ManifestError(complaints);
  }
  return {
    functions,
    brokers: brokers.map(({namespace, name, topic}) => ({namespace, name, topic})),
    subscriptions: [...triggers, ...readers.flatMap(({subscription}) => subscription ?? [])],
    sources: readers.map(({source}) => source),
    pings,
  };
};

/** Where the functions are: their outbox names the Brokers of this namespace without one. */
const homeOf = (resources: readonly Resource[]): string =>
  (resources.find(({kind}) => kind === 'Service') ?? resources.find(({kind}) => kind === 'Broker'))
    ?.namespace ?? 'default';

const pathOf = (error: unknown): Path => {
  if (error instanceof Refusal) {
    return error.path;
  }
  if (error instanceof FilterError) {
    return ['spec', ...error.path];
  }
  return error instanceof DeliveryError ? ['spec', 'delivery', error.field] : [];
};

/** A ContainerSource names its sink, a StatefulSet is given it by a SinkBinding. */
const sinkOfSource = (
  resource: Resource,
  find: Lookup,
  bound: ReadonlyMap<string, Binding>,
): Pick<SourcePlan, 'sink' | 'extensions'> => {
  const {kind, namespace, spec} = resource;
  if (kind === 'ContainerSource') {
    return {
      sink: sinkOf(spec.sink, ['spec', 'sink'], namespace, find),
      extensions: extensionsOf(spec),
    };
  }
  const binding = bound.get(workloadKey(resource));
  if (!binding) {
    throw new Refusal(['metadata', 'name'], 'expected a SinkBinding to give it a sink');
  }
  return {sink: binding.sinkOf, extensions: binding.extensions};
};

/** The front door knows names without namespaces. */
const clashes = (services: readonly Resource[]) =>
  services
    .filter(({name}, index) => services.findIndex(other => other.name === name) !== index)
    .map(
      resource =>
        `${resource.at('metadata', 'name')}: there is a Service ${resource.name} in another namespace too; names are unique here`,
    );

const sharedGroups = (readers: readonly {resource: Resource; source: SourcePlan}[]) => {
  const keys = readers.map(({source: {reads}}) => {
    switch (reads.kind) {
      case 'log':
        return `source/${reads.topic}/${reads.group}`;
      case 'stream':
        return `${reads.stream}/${reads.group}`;
      default:
        return 'outbox';
    }
  });
  return readers.flatMap(({resource}, index) =>
    keys.indexOf(keys[index] as string) === index
      ? []
      : [
          `${resource.at()}: two consumers are called ${keys[index]}: give each source a group of its own`,
        ],
  );
};
