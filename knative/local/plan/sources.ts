/**
Sources: what a ContainerSource, or a StatefulSet that a SinkBinding binds, reads and where it sends it.

In: a resource whose container runs the function `source`. Out: the whole of its container, for a runner that starts it as a
process; and, when it reads a log, a subscription, for a runner that delivers what is in PostgreSQL itself.
*/

import {sourcePolicy} from '../../../events/delivery/policy.ts';
import {limits} from '../../../events/limits.ts';
import type {Filter} from '../eventing/filter.ts';
import {type EnvironmentEntry, environmentOf} from './environment.ts';
import type {Path, Resource} from './manifests.ts';
import {folderOf} from './plan-functions.ts';
import {Refusal} from './refusal.ts';
import type {Sink} from './sinks.ts';
import type {SubscriptionPlan} from './subscriptions.ts';

export type Reading = Readonly<
  | {kind: 'log'; topic: string; group: string}
  | {kind: 'stream'; stream: string; group: string}
  | {kind: 'outbox'}
>;

export type SourcePlan = Readonly<{
  name: string;
  namespace: string;
  folder: string;
  args: readonly string[];
  env: readonly EnvironmentEntry[];
  /** K_SINK and K_CE_OVERRIDES. */
  sink: Sink;
  extensions: Readonly<Record<string, string>>;
  /** 1 for a ContainerSource. The consumer of a stream is called `<name>-<index>`, as a pod of a StatefulSet is. */
  replicas: number;
  reads: Reading;
}>;

const container: Path = ['spec', 'template', 'spec', 'containers', 0];

export const sourceOf = (
  resource: Resource,
  configMaps: readonly Resource[],
  {sink, extensions}: Pick<SourcePlan, 'sink' | 'extensions'>,
): SourcePlan => {
  const template = resource.spec.template as {spec?: {containers?: {args?: unknown}[]}} | undefined;
  const containers = template?.spec?.containers;
  const folder = folderOf(resource, containers);
  const env = environmentOf(resource, container, configMaps);
  return {
    name: resource.name,
    namespace: resource.namespace,
    folder,
    args: ((containers?.[0]?.args ?? []) as unknown[]).map(String),
    env,
    sink,
    extensions,
    replicas: replicasOf(resource),
    reads: readingOf(env, resource.name),
  };
};

const replicasOf = ({kind, spec: {replicas = 1}}: Resource): number => {
  if (!Number.isSafeInteger(replicas) || (replicas as number) < 0 || (replicas as number) > 64) {
    throw new Refusal(
      ['spec', 'replicas'],
      `expected replicas of a ${kind} from 0 to 64, got ${JSON.stringify(replicas)}`,
    );
  }
  return replicas as number;
};

const variable = (env: readonly EnvironmentEntry[], name: string) =>
  env.find(entry => entry.name === name)?.value;

/** A topic is a log's; a stream is Redis's, and its names have defaults where there is a Redis. */
const readingOf = (env: readonly EnvironmentEntry[], name: string): Reading => {
  if (variable(env, 'SOURCE_KIND') === 'outbox') {
    return {kind: 'outbox'};
  }
  const topic = variable(env, 'SOURCE_TOPIC');
  const group = variable(env, 'SOURCE_GROUP');
  if (topic !== undefined) {
    if (!/^[A-Za-z0-9._-]{1,249}$/.test(topic)) {
      throw new Refusal([...container, 'env'], 'expected the variable SOURCE_TOPIC to name a log');
    }
    return {kind: 'log', topic, group: group ?? name};
  }
  if (!env.some(entry => entry.name === 'SOURCE_STREAM' || entry.name === 'REDIS_URL')) {
    throw new Refusal(
      [...container, 'env'],
      'expected the variable SOURCE_TOPIC to name a log, or SOURCE_STREAM a stream',
    );
  }
  return {
    kind: 'stream',
    stream: variable(env, 'SOURCE_STREAM') ?? 'stream:zweistein',
    group: group ?? 'group:zweistein',
  };
};

/** Its topic is written by others, so there is none without Kafka: its `KAFKA_BROKERS` is not optional. */
const needsKafka = (env: readonly EnvironmentEntry[]) =>
  env.some(({name, secret}) => name === 'KAFKA_BROKERS' && secret && !secret.optional);

/** What the source passes over by itself, as it would in a process of its own. */
const filterOf = (env: readonly EnvironmentEntry[]): Filter => {
  const types = variable(env, 'SOURCE_TYPES')?.split(',') ?? [];
  return types.length === 0
    ? {dialect: 'all', filters: []}
    : {
        dialect: 'any',
        filters: types.map(type => ({dialect: 'exact', attributes: {type: type.trim()}})),
      };
};

/**
Undefined for what reads a stream, which only a process of its own can, for the outbox, which the runner relays itself, and for
a log that only Kafka has.
*/
export const subscriptionOf = ({
  name,
  namespace,
  env,
  sink,
  extensions,
  reads,
}: SourcePlan): SubscriptionPlan | undefined => {
  const batchMax = Number(variable(env, 'SOURCE_BATCH_MAX') ?? limits.batchEvents);
  if (!Number.isSafeInteger(batchMax) || batchMax < 1 || batchMax > limits.batchEvents) {
    throw new Refusal(
      [...container, 'env'],
      `expected SOURCE_BATCH_MAX of ${name} from 1 to ${limits.batchEvents}`,
    );
  }
  return reads.kind !== 'log' || needsKafka(env)
    ? undefined
    : {
        name: `source/${reads.topic}/${reads.group}`,
        kind: 'source',
        namespace,
        origin: `log:${reads.topic}`,
        filter: filterOf(env),
        sink,
        policy: sourcePolicy,
        batchMax,
        concurrency: 1,
        ordered: variable(env, 'SOURCE_ORDERED') === 'true',
        token: env.some(entry => entry.name === 'SOURCE_TOKEN'),
        extensions,
      };
};
