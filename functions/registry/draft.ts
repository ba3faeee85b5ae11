/**
Draft: a model as its registration says, before what was found of its endpoints is applied.

In: a registration, the model that it replaces. Out: the draft. Ids stay with name and URL; what was found out of an endpoint
stays as long as it serves the same model; a price that is the same keeps its version. Endpoints of Kubernetes' objects stay
beside those of a registration by hand, which takes over those that it names.
*/
import {SluiceError} from '../../events/errors.ts';
import {
  contextLengthOf,
  type Endpoint,
  type Finding,
  type Model,
  type Status,
  samePrice,
} from './model.ts';
import type {Registration} from './registration.ts';

export const draftModel = (
  registration: Registration,
  existing: Model | undefined,
  newId: () => string,
): Model => {
  const before = new Map(existing?.endpoints.map(endpoint => [endpoint.url, endpoint]));
  const named = new Set(registration.endpoints.map(({url}) => url));
  const byHand = registration.endpoints.every(({object}) => !object);
  const others = byHand
    ? (existing?.endpoints ?? []).filter(({url, object}) => object !== null && !named.has(url))
    : [];
  const kept =
    others.length > 0 ||
    registration.endpoints.some(
      ({url, upstreamModel}) => before.get(url)?.upstreamModel === upstreamModel,
    );
  return {
    ...registration,
    id: existing?.id ?? newId(),
    status: statusOf(existing, kept),
    contextLength: registration.contextLength ?? existing?.contextLength ?? null,
    priceVersion: !existing
      ? 1
      : existing.priceVersion + (samePrice(existing.price, registration.price) ? 0 : 1),
    endpoints: [
      ...registration.endpoints.map(endpoint => {
        const known = before.get(endpoint.url);
        const {maxConcurrency, object = null} = endpoint;
        return known?.upstreamModel === endpoint.upstreamModel
          ? {...known, maxConcurrency, object}
          : newEndpoint(endpoint, known?.id ?? newId());
      }),
      ...others,
    ],
  };
};

/**
Disabled is the operator's word and stays. Ready stays while an endpoint is left that was there before, so that registering
the same again in an outage takes nothing away; with new endpoints only, one must answer first.
*/
const statusOf = (existing: Model | undefined, kept: boolean): Status =>
  existing?.status === 'disabled' || (existing?.status === 'ready' && kept)
    ? existing.status
    : 'registered';

export const newEndpoint = (
  {url, upstreamModel, maxConcurrency, object = null}: Registration['endpoints'][number],
  id: string,
): Endpoint => ({
  id,
  url,
  upstreamModel,
  usage: null,
  tokenize: false,
  health: 'unknown',
  healthAt: null,
  healthReason: null,
  maxConcurrency,
  object,
});

/**
The endpoints that a registration probes. One of a model that scales to zero is asked until it has answered once: who applies
the same registration every few minutes would never let it sleep.
*/
export const toAsk = ({startSeconds, endpoints}: Model): readonly Endpoint[] =>
  startSeconds === null
    ? endpoints
    : endpoints.filter(({usage, health}) => usage === null || health === 'unhealthy');

/** The given one, if every server takes it; else the smallest that the servers tell; null when nobody knows. */
export const checkContextLength = (
  {contextLength}: Registration,
  findings: Iterable<Finding>,
): number | null => {
  const told = contextLengthOf(findings);
  if (contextLength !== null && told !== null && contextLength > told) {
    throw new SluiceError(
      'bad_request',
      `contextLength: expected at most ${told}, which is what the server takes, got ${contextLength}`,
      {parameter: 'contextLength'},
    );
  }
  return contextLength ?? told;
};

/** A registration that came in between may have given an endpoint another model: what was found is not of that. */
export const stillMeant = (
  model: Model,
  probed: readonly Endpoint[],
  findings: ReadonlyMap<string, Finding>,
): Map<string, Finding> => {
  const meant = new Map(probed.map(({id, url, upstreamModel}) => [id, `${upstreamModel} ${url}`]));
  return new Map(
    model.endpoints
      .filter(({id, url, upstreamModel}) => meant.get(id) === `${upstreamModel} ${url}`)
      .map(({id}) => [id, findings.get(id) as Finding]),
  );
};
