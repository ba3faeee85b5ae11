/**
Read: what an object of Kubernetes says by now.

In: its key. Out: a claim on a model with what stands behind it; that there is nothing (deleted, without the label, in a namespace that may
not say models, part of something else that does); or why nothing can be made of it, which changes nothing.
*/
import {wishOf} from './annotations.ts';
import type {Api} from './api.ts';
import type {Claim} from './merge.ts';
import {
  type Key,
  type KubeObject,
  modelLabel,
  namespaceLabel,
  pathOf,
  prefix,
  refOf,
  slicesPathOf,
} from './objects.ts';
import {type Slice, type Standing, standingOfInference, standingOfService} from './standing.ts';

export type Reading = Readonly<
  | {kind: 'claim'; claim: Claim; standing: Standing; object: KubeObject}
  /** With a reason where it might have been something. */
  | {kind: 'nothing'; reason?: string; object?: KubeObject}
  /** What is registered of it stays. */
  | {kind: 'unclear'; reason: string; object?: KubeObject; isFault: boolean}
>;

/** How long a model of KServe that scales to zero may take to start, where nobody says it. */
const startSecondsDefault = 300;

/** What makes Services for itself says its models itself, or not at all. */
const makers = /^(?:serving\.kserve\.io|(?:[a-z]+\.)*knative\.dev)\//;

export const createReader = (
  api: Pick<Api, 'get'>,
  {
    ownNamespace,
    clusterDomain = 'cluster.local',
  }: {
    /** Of the Sluice that this registry is of: another in the cluster has models of its own. */
    ownNamespace: string;
    clusterDomain?: string;
  },
) =>
  async function readObject(key: Key): Promise<Reading> {
    const [namespace, got] = await Promise.all([
      api.get(`/api/v1/namespaces/${key.namespace}`),
      api.get(pathOf(key)),
    ]);
    if (got.status === 'no such kind') {
      return {
        kind: 'unclear',
        reason: `the cluster has no ${key.kind}s`,
        isFault: false,
      };
    }
    if (got.status === 'missing') {
      return {kind: 'nothing'};
    }
    // Its labels are not known, which is not that it has none.
    if (namespace.status === 'no such kind') {
      return unread(`namespace ${key.namespace}`);
    }
    const labels = namespace.status === 'found' ? labelsOf(namespace.body) : {};
    if (labels[namespaceLabel] !== ownNamespace) {
      return {kind: 'nothing'};
    }
    const object = got.body as KubeObject;
    const {metadata = {}} = object;
    if (
      metadata.labels?.[modelLabel] === undefined ||
      metadata.deletionTimestamp !== undefined ||
      metadata.ownerReferences?.some(({apiVersion}) => makers.test(apiVersion ?? ''))
    ) {
      return {kind: 'nothing'};
    }
    if (key.kind === 'Service' && object.spec?.type === 'ExternalName') {
      const reason = 'a Service of type ExternalName is no model: it leads to a name outside';
      return {kind: 'nothing', reason, object};
    }
    const url =
      key.kind === 'Service'
        ? urlOfService(object, key, clusterDomain)
        : {url: urlOfInference(object)};
    if ('refused' in url) {
      return {kind: 'unclear', reason: url.refused, object, isFault: true};
    }
    if (url.url === undefined) {
      const {reason} = standingOfInference(object);
      return {
        kind: 'unclear',
        reason: reason ?? `InferenceService ${key.name} has no address yet`,
        object,
        isFault: false,
      };
    }
    const wished = wishOf(object, url.url, scaleOf(key, object));
    if ('refused' in wished) {
      return {kind: 'unclear', reason: wished.refused, object, isFault: true};
    }
    const slices = key.kind === 'Service' ? await api.get(slicesPathOf(key)) : undefined;
    if (slices && slices.status !== 'found') {
      return unread(`EndpointSlices of Service ${key.name}`);
    }
    const standing = slices
      ? standingOfService(object, slicesOf(slices.body))
      : standingOfInference(object);
    const said = {
      ref: refOf(key),
      uid: metadata.uid ?? '',
      createdAt: metadata.creationTimestamp ?? '',
      serving: standing.serving,
      wish: wished.body,
    };
    return {
      kind: 'claim',
      claim: {object: said, registration: wished.registration},
      standing,
      object,
    };
  };

const labelsOf = (body: unknown): Readonly<Record<string, string>> =>
  (body as KubeObject).metadata?.labels ?? {};

const slicesOf = (body: unknown): readonly Slice[] =>
  (body as {items?: readonly Slice[]}).items ?? [];

const unread = (what: string): Reading => ({
  kind: 'unclear',
  reason: `Kubernetes did not say what the ${what} is`,
  isFault: false,
});

const urlOfInference = ({status}: KubeObject): string | undefined => {
  const {address, url} = (status ?? {}) as {address?: {url?: unknown}; url?: unknown};
  const found = address?.url ?? url;
  return typeof found === 'string' ? found : undefined;
};

type Port = Readonly<{name?: string; port?: number; appProtocol?: string}>;

/** The port that is asked for, else the one called http, else the first. */
const urlOfService = (
  {metadata, spec = {}}: KubeObject,
  {name, namespace}: Key,
  clusterDomain: string,
): Readonly<{url: string} | {refused: string}> => {
  const ports = (spec.ports ?? []) as readonly Port[];
  const asked = metadata?.annotations?.[`${prefix}port`];
  const port =
    asked === undefined
      ? (ports.find(one => one.name === 'http') ?? ports[0])
      : ports.find(one => one.name === asked || String(one.port) === asked);
  if (!port && asked !== undefined) {
    return {
      refused: `${prefix}port: expected the name or number of a port of the Service, got ${JSON.stringify(asked.slice(0, 64))}`,
    };
  }
  const number = port?.port ?? 80;
  const isSecure = number === 443 || port?.appProtocol === 'https' || port?.name === 'https';
  const standard = isSecure ? 443 : 80;
  const host = `${name}.${namespace}.svc.${clusterDomain}`;
  return {
    url: `${isSecure ? 'https' : 'http'}://${host}${number === standard ? '' : `:${number}`}`,
  };
};

/** KServe scales to zero where the predictor's minReplicas is 0. */
const scaleOf = ({kind}: Key, {spec = {}}: KubeObject) =>
  kind === 'InferenceService' &&
  (spec.predictor as {minReplicas?: unknown} | undefined)?.minReplicas === 0
    ? {startSeconds: startSecondsDefault}
    : {};
