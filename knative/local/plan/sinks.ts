/**
Sinks: where a subscriber, a source or a dead letter sink leads.

In: a Destination as Knative has it: a ref, a uri, or a ref with a uri below it. Out: a function and a path, a Broker, or a URL.
*/
import type {Path, Resource} from './manifests.ts';
import {Refusal} from './refusal.ts';

/** A path of a function, a Broker as `<namespace>/<name>`, or an absolute URL. */
export type Sink = Readonly<{function: string; path: string} | {broker: string} | {url: string}>;

/** What a sink may lead to. */
export type Addressable = Readonly<{
  services: readonly Pick<Resource, 'namespace' | 'name'>[];
  brokers: readonly Readonly<{namespace: string; name: string}>[];
}>;

type Reference = Readonly<Record<'apiVersion' | 'kind' | 'name' | 'namespace', unknown>>;

const isService = ({apiVersion, kind}: Reference) =>
  apiVersion === 'serving.knative.dev/v1' && kind === 'Service';
const isBroker = ({apiVersion, kind}: Reference) =>
  apiVersion === 'eventing.knative.dev/v1' && kind === 'Broker';

export const sinkOf = (
  destination: unknown,
  path: Path,
  namespace: string,
  find: Addressable,
): Sink => {
  const {ref, uri} = (destination ?? {}) as {ref?: Reference; uri?: unknown};
  if (ref === undefined) {
    if (typeof uri === 'string' && /^https?:/.test(uri) && URL.canParse(uri)) {
      return {url: uri};
    }
    throw new Refusal(path, 'expected a ref to a Service or a Broker, or an absolute http uri');
  }
  if (!isService(ref) && !isBroker(ref)) {
    throw new Refusal([...path, 'ref'], wrongKind(ref));
  }
  const wanted = String(ref.namespace ?? namespace);
  const known = isService(ref) ? find.services : find.brokers;
  if (!known.some(other => other.name === ref.name && other.namespace === wanted)) {
    throw new Refusal(
      [...path, 'ref', 'name'],
      `there is no ${ref.kind} ${ref.name} in the namespace ${wanted}`,
    );
  }
  if (isBroker(ref)) {
    if (uri !== undefined) {
      throw new Refusal([...path, 'uri'], 'a Broker has one path: a uri beside it leads elsewhere');
    }
    return {broker: `${wanted}/${ref.name}`};
  }
  if (uri !== undefined && !(typeof uri === 'string' && /^\/(?!\/)/.test(uri))) {
    throw new Refusal([...path, 'uri'], 'expected uri beside a ref to be a path');
  }
  return {function: String(ref.name), path: uri ?? '/'};
};

const wrongKind = ({apiVersion, kind}: Reference) => {
  const got = `got ${apiVersion} ${kind}`;
  return apiVersion === 'v1' && kind === 'Service'
    ? `a function is a serving.knative.dev/v1 Service, ${got}: it has no queue, no scale and no drain; for a server that is none of ours say its absolute uri`
    : `expected a ref to a serving.knative.dev/v1 Service or an eventing.knative.dev/v1 Broker, ${got}`;
};

const reserved = [
  'id',
  'source',
  'type',
  'specversion',
  'subject',
  'time',
  'datacontenttype',
  'dataschema',
  'data',
];

/** `ceOverrides.extensions`: set on every event that a source sends. */
export const extensionsOf = (
  spec: Readonly<Record<string, unknown>>,
): Readonly<Record<string, string>> => {
  const extensions = (spec.ceOverrides as {extensions?: unknown} | undefined)?.extensions ?? {};
  const path = ['spec', 'ceOverrides', 'extensions'];
  if (typeof extensions !== 'object' || extensions === null || Array.isArray(extensions)) {
    throw new Refusal(path, 'expected extensions to be names and texts');
  }
  for (const [name, value] of Object.entries(extensions)) {
    if (!/^[a-z0-9]{1,64}$/.test(name) || reserved.includes(name)) {
      throw new Refusal(
        [...path, name],
        `${name} is no name of an extension: a-z and 0-9 make one`,
      );
    }
    if (typeof value !== 'string') {
      throw new Refusal([...path, name], `expected the value of ${name} to be a text; quote it`);
    }
  }
  return extensions as Record<string, string>;
};
