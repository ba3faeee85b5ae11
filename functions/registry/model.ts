/**
Model: what is known of a model, and when it may be routed to.

registered → ready    a context length is known and an endpoint is healthy, or may be because the model scales to zero; by a
                      registration, a change, a probe or `enable`
any        → disabled by the operator; only `enable` leads out of it
ready stays ready when its last endpoint falls ill: an outage is a 503 of the gateway, not a model that does not exist.

In: a model, what a probe found, the operator's wish. Out: the model after it, or what stands in the way.
*/
import type {Rates} from '../../events/rates.ts';
import type {Environment} from './catalogue.ts';

export type {Environment};
export type Ability = 'every-chunk' | 'last-chunk' | 'none';
export type Health = 'unknown' | 'healthy' | 'unhealthy';
export type Status = 'registered' | 'ready' | 'disabled';

export type Endpoint = Readonly<{
  id: string;
  url: string;
  upstreamModel: string;
  /** Null: not found out yet. */
  usage: Ability | null;
  tokenize: boolean;
  health: Health;
  /** ISO 8601: when the last probe was begun. */
  healthAt: string | null;
  healthReason: string | null;
  /** Requests that it takes at once, of all gateways together; null: without a bound. */
  maxConcurrency: number | null;
  /** The object of Kubernetes that says it; null: it is registered by hand. */
  object: KubernetesObject | null;
}>;

export type KubernetesObject = Readonly<{
  /** Kind, namespace and name, as in `Service models/llama`. */
  ref: string;
  uid: string;
  /** ISO 8601. Of several objects that say one model the oldest is believed. */
  createdAt: string;
  /** What stood behind it when it was last looked at: another is asked anew. */
  serving: string;
  /** The body of the registration that its annotations make. */
  wish: Readonly<Record<string, unknown>>;
}>;

/** Nano-USD, and for GPU-ms milliseconds, a million tokens. */
export type Price = Readonly<{
  free: boolean;
  inputPerMillion: bigint;
  outputPerMillion: bigint;
  cachedInputPerMillion: bigint | null;
  inputGpuMsPerMillion: bigint;
  outputGpuMsPerMillion: bigint;
}>;

export type Model = Readonly<{
  id: string;
  name: string;
  environment: Environment;
  status: Status;
  contextLength: number | null;
  defaultMaxTokens: number;
  namespace: string | null;
  metadata: Readonly<Record<string, unknown>>;
  /** What everybody together may use; absent: without a limit. */
  rates?: Rates;
  /** It scales to zero, and starts within this time; null: it runs always. */
  startSeconds: number | null;
  /** Names in the same environment, in the order in which they are tried; one may not be registered yet. */
  fallbacks: readonly string[];
  /** The most that a client may ask for as max_tokens; null: the context. */
  maxOutputTokens: number | null;
  price: Price;
  priceVersion: number;
  endpoints: readonly Endpoint[];
}>;

/** What a probe found out; null where it found out nothing. `unknown`: nothing runs there, as it may be. */
export type Finding = Readonly<{
  health: Health;
  reason: string | null;
  contextLength: number | null;
  usage: Ability | null;
  tokenize: boolean | null;
}>;

/** Of a model that scales to zero an endpoint may take a request although nothing runs there now. */
const mayServe = ({startSeconds}: Pick<Model, 'startSeconds'>, {health}: Endpoint) =>
  health === 'healthy' || (startSeconds !== null && health === 'unknown');

/** Why the model cannot be routed to; undefined when it can. */
export const obstacleOf = (
  model: Pick<Model, 'contextLength' | 'endpoints' | 'startSeconds'>,
): string | undefined => {
  if (!model.endpoints.some(endpoint => mayServe(model, endpoint))) {
    const reasons = model.endpoints.map(
      ({url, healthReason}) => `${url}: ${healthReason ?? 'not probed yet'}`,
    );
    return `no endpoint is healthy (${reasons.slice(0, 5).join('; ')})`;
  }
  return model.contextLength === null
    ? 'the context length is not known: no endpoint tells it, so contextLength must be given'
    : undefined;
};

/** A registered model becomes ready as soon as nothing stands in its way. */
export const advance = (model: Model): Model =>
  model.status === 'registered' && obstacleOf(model) === undefined
    ? {...model, status: 'ready'}
    : model;

export const enable = (model: Model): Readonly<{model: Model} | {obstacle: string}> => {
  const obstacle = obstacleOf(model);
  return obstacle === undefined ? {model: {...model, status: 'ready'}} : {obstacle};
};

export const disable = (model: Model): Model => ({...model, status: 'disabled'});

/** The smallest of what the servers tell; null when none does. */
export const contextLengthOf = (findings: Iterable<Finding>): number | null => {
  const told = [...findings].flatMap(({contextLength}) => contextLength ?? []);
  return told.length === 0 ? null : Math.min(...told);
};

/** A server that takes less than the model promises would refuse what the gateway lets through. */
const judge = (finding: Finding, contextLength: number | null): Finding =>
  finding.health === 'healthy' &&
  contextLength !== null &&
  finding.contextLength !== null &&
  finding.contextLength < contextLength
    ? {
        ...finding,
        health: 'unhealthy',
        reason: `its server takes ${finding.contextLength} tokens, the model is registered with ${contextLength}`,
      }
    : finding;

/** `at`: when the probe was begun; one that began before the last that was applied is dropped, it knows less. */
export const applyFindings = (
  model: Model,
  findings: ReadonlyMap<string, Finding>,
  at: string,
): Model => {
  const contextLength = model.contextLength ?? contextLengthOf(findings.values());
  const endpoints = model.endpoints.map(endpoint => {
    const finding = findings.get(endpoint.id);
    if (!finding || (endpoint.healthAt !== null && endpoint.healthAt > at)) {
      return endpoint;
    }
    const {health, reason, usage, tokenize} = judge(finding, contextLength);
    return {
      ...endpoint,
      usage: usage ?? endpoint.usage,
      tokenize: tokenize ?? endpoint.tokenize,
      health,
      healthAt: at,
      healthReason: reason,
    };
  });
  return advance({...model, contextLength, endpoints});
};

/**
The endpoints whose health is another than before; those that are new are told by the registration. One that sleeps is not
told: nothing is wrong with it.
*/
export const healthChanges = (before: Model, after: Model): Endpoint[] => {
  const known = new Map(before.endpoints.map(({id, health}) => [id, health]));
  return after.endpoints.filter(
    ({id, health}) => health !== 'unknown' && known.has(id) && known.get(id) !== health,
  );
};

export const samePrice = (a: Price, b: Price) =>
  (Object.keys(a) as (keyof Price)[]).every(name => a[name] === b[name]);
