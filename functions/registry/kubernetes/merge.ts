/**
Merge: a model after one object of Kubernetes said, changed or took back what it says of it.

In: the model as it is, the object's name, its claim on this model or none. Out: the model after it; undefined: there is none.
Two say models, and each keeps to its own. What is registered by hand is the operator's: an object adds its endpoint to it and takes it
away again, nothing else. A model that only objects say is Kubernetes' own: the oldest of them is believed, it goes with the last of
them, and limits and metadata, which no annotation says, stay the operator's: a model that is disabled or limited outlives its last object,
without endpoints, so that one that is made again is as the operator said. An endpoint that is registered by hand is nobody else's.
*/
import {SluiceError} from '../../../events/errors.ts';
import {draftModel, newEndpoint} from '../draft.ts';
import {advance, type Endpoint, type KubernetesObject, type Model, samePrice} from '../model.ts';
import {parseRegistration, type Registration} from '../registration.ts';
import {byAge, objectsMax} from './join.ts';

export type Claim = Readonly<{object: KubernetesObject; registration: Registration}>;

export const mergeClaim = (
  existing: Model | undefined,
  {ref, claim}: {ref: string; claim: Claim | undefined},
  newId: () => string,
): Model | undefined => {
  const endpoints = existing?.endpoints ?? [];
  const byHand = endpoints.filter(({object}) => object === null);
  const others = oldest(
    endpoints.filter(({object}) => object !== null && object.ref !== ref),
    claim ? objectsMax - 1 : objectsMax,
  );
  if (existing && byHand.length > 0) {
    return beside(existing, {kept: [...byHand, ...others], claim}, newId);
  }
  const claims = [...others.flatMap(claimOf), ...(claim ? [claim] : [])].sort((a, b) =>
    byAge(a.object, b.object),
  );
  const [leader] = claims;
  if (!leader) {
    return existing && wordOf(existing);
  }
  const {rates, metadata = {}} = existing ?? {};
  const {rates: _none, ...registration} = leader.registration;
  const seen = new Set<string>();
  const wished = claims
    .flatMap(one => one.registration.endpoints.map(endpoint => ({...endpoint, object: one.object})))
    .filter(({url}) => !seen.has(url) && seen.add(url));
  const draft = draftModel(
    {...registration, ...(rates ? {rates} : {}), metadata, endpoints: wished},
    existing,
    newId,
  );
  return advance({...draft, endpoints: inOrder(draft.endpoints)});
};

/** What the operator said of a model that nobody says any more; what its servers told goes with them. */
const wordOf = (model: Model): Model | undefined =>
  model.status === 'disabled' || model.rates
    ? {
        ...model,
        status: model.status === 'disabled' ? 'disabled' : 'registered',
        contextLength: null,
        endpoints: [],
      }
    : undefined;

/** How many count is bounded: who makes objects in one namespace makes no model that cannot be read any more. */
const oldest = (endpoints: readonly Endpoint[], max: number): readonly Endpoint[] =>
  endpoints.length <= max
    ? endpoints
    : [...endpoints].sort(({object: a}, {object: b}) => (a && b ? byAge(a, b) : 0)).slice(0, max);

/** As the store gives them back. */
const inOrder = (endpoints: readonly Endpoint[]) =>
  [...endpoints].sort((a, b) => (a.url < b.url ? -1 : 1));

const beside = (
  existing: Model,
  {kept, claim}: {kept: readonly Endpoint[]; claim: Claim | undefined},
  newId: () => string,
): Model => {
  const taken = new Set(kept.map(({url}) => url));
  const before = new Map(existing.endpoints.map(endpoint => [endpoint.url, endpoint]));
  const added = (claim?.registration.endpoints ?? [])
    .filter(({url}) => !taken.has(url))
    .map(endpoint => {
      const known = before.get(endpoint.url);
      const object = claim?.object ?? null;
      return known?.upstreamModel === endpoint.upstreamModel
        ? {...known, maxConcurrency: endpoint.maxConcurrency, object}
        : newEndpoint({...endpoint, ...(object ? {object} : {})}, known?.id ?? newId());
    });
  return advance({...existing, endpoints: inOrder([...kept, ...added])});
};

/** What an object said when it was last read. One that a newer release refuses says nothing. */
const claimOf = ({object}: Endpoint): Claim[] => {
  try {
    return object ? [{object, registration: parseRegistration(object.wish)}] : [];
  } catch (error) {
    if (error instanceof SluiceError) {
      return [];
    }
    throw error;
  }
};

const compared = [
  'contextLength',
  'defaultMaxTokens',
  'price',
  'startSeconds',
  'fallbacks',
  'maxOutputTokens',
] as const;

/** What of a claim does not count, because an older object or the operator says it otherwise. */
export const differences = (model: Model, {registration}: Claim): string[] => {
  const isOther = (name: (typeof compared)[number]) =>
    name === 'price'
      ? !samePrice(registration.price, model.price)
      : String(registration[name]) !== String(model[name]);
  return compared.filter(name => registration[name] !== null && isOther(name));
};
