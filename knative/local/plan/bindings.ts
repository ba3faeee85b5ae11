/**
Bindings: which SinkBinding gives which workload its K_SINK and K_CE_OVERRIDES.

In: the SinkBindings, the workloads. Out: sink and extensions by workload. One that binds nothing, or what is bound already, is
refused: on a cluster the one would wait for ever, and of the others the last to reconcile would win.
*/
import type {Resource} from './manifests.ts';
import {Refusal} from './refusal.ts';
import {type Addressable, extensionsOf, type Sink, sinkOf} from './sinks.ts';

export type Binding = Readonly<{sinkOf: Sink; extensions: Readonly<Record<string, string>>}>;

const bindable = ['serving.knative.dev/v1 Service', 'apps/v1 StatefulSet'];

export const workloadKey = ({apiVersion, kind, namespace, name}: Omit<Resource, 'at'>) =>
  `${apiVersion} ${kind} ${namespace}/${name}`;

/** Adds what one SinkBinding says to `bound`. */
export const bind = (
  resource: Resource,
  workloads: readonly Resource[],
  find: Addressable,
  bound: Map<string, Binding>,
): void => {
  const binding: Binding = {
    sinkOf: sinkOf(resource.spec.sink, ['spec', 'sink'], resource.namespace, find),
    extensions: extensionsOf(resource.spec),
  };
  for (const subject of subjectsOf(resource, workloads)) {
    const key = workloadKey(subject);
    if (bound.has(key)) {
      throw new Refusal(
        ['spec', 'subject'],
        `${subject.kind} ${subject.name} is bound by another SinkBinding too`,
      );
    }
    bound.set(key, binding);
  }
};

const subjectsOf = (resource: Resource, workloads: readonly Resource[]): readonly Resource[] => {
  const path = ['spec', 'subject'];
  const {apiVersion, kind, namespace, name, selector} = (resource.spec.subject ?? {}) as Record<
    string,
    unknown
  >;
  if (!bindable.includes(`${apiVersion} ${kind}`)) {
    throw new Refusal(
      path,
      `expected the subject to be one of ${bindable.join(', ')}, got ${apiVersion} ${kind}`,
    );
  }
  if (namespace !== undefined && namespace !== resource.namespace) {
    throw new Refusal([...path, 'namespace'], 'a SinkBinding binds in its own namespace only');
  }
  if ((name === undefined) === (selector === undefined)) {
    throw new Refusal(path, 'expected the subject to have a name or a selector, and not both');
  }
  const labels = labelsOf(selector);
  const found = workloads.filter(
    other =>
      other.apiVersion === apiVersion &&
      other.kind === kind &&
      other.namespace === resource.namespace &&
      (name === undefined
        ? Object.entries(labels).every(([key, value]) => other.labels[key] === value)
        : other.name === name),
  );
  if (found.length === 0) {
    throw new Refusal(path, `there is no ${kind} ${name ?? 'with these labels'} to bind`);
  }
  return found;
};

const labelsOf = (selector: unknown): Readonly<Record<string, string>> => {
  const labels = (selector as {matchLabels?: unknown} | undefined)?.matchLabels ?? {};
  if (selector !== undefined && Object.keys(labels as object).length === 0) {
    throw new Refusal(
      ['spec', 'subject', 'selector'],
      'expected matchLabels: an empty selector would bind everything',
    );
  }
  return labels as Record<string, string>;
};
