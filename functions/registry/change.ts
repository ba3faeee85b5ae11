/**
Change: what an operator changes of a model without registering it again.

In: the JSON body of `PATCH /admin/v1/models/{id}`. Out: a rule that makes of a model the model after it, or `bad_request`
with the name of the field. What is absent stays, null takes away.
*/
import {type RateColumns, type Rates, toRates} from '../../events/rates.ts';
import {
  type Fields,
  fallbacksOf,
  integerOf,
  isObject,
  maxConcurrencyOf,
  maxOutputTokensOf,
  refuse,
  refuseUnknown,
  startSecondsOf,
  urlOf,
} from './fields.ts';
import {advance, type Endpoint, type Model} from './model.ts';

export const rateFields = ['requestsPerMinute', 'tokensPerMinute', 'parallelRequests'] as const;
const fields = [...rateFields, 'startSeconds', 'fallbacks', 'maxOutputTokens', 'endpoints'];

/** A model that scales to zero from now on may be ready by that alone. */
export const parseChange = (body: Fields) => {
  refuseUnknown(body, fields);
  if (Object.keys(body).length === 0) {
    return refuse('the body', `one of the fields ${fields.join(', ')}`);
  }
  return function change({rates: before, ...model}: Model): Model {
    const rates = ratesOf(body, before);
    const given = <Value>(name: string, value: Value, read: (found: unknown) => Value) =>
      body[name] === undefined ? value : read(body[name]);
    return advance({
      ...model,
      ...(rates ? {rates} : {}),
      startSeconds: given('startSeconds', model.startSeconds, startSecondsOf),
      fallbacks: given('fallbacks', model.fallbacks, value => fallbacksOf(value, model.name)),
      maxOutputTokens: given('maxOutputTokens', model.maxOutputTokens, maxOutputTokensOf),
      endpoints: given('endpoints', model.endpoints, value => endpointsOf(value, model)),
    });
  };
};

export const ratesOf = (body: Fields, before: Rates = {}): Rates | undefined => {
  const rate = (name: (typeof rateFields)[number], value: number | undefined) => {
    const given = body[name];
    return given === undefined ? (value ?? null) : given === null ? null : integerOf(given, name);
  };
  const columns: RateColumns = {
    requests_per_minute: rate('requestsPerMinute', before.requests),
    tokens_per_minute: rate('tokensPerMinute', before.tokens),
    parallel_requests: rate('parallelRequests', before.parallel),
  };
  return toRates(columns);
};

/** Endpoints come and go by a registration alone; those that are named are bounded anew, the others stay. */
const endpointsOf = (value: unknown, {endpoints}: Model): readonly Endpoint[] => {
  if (!Array.isArray(value) || value.length === 0) {
    return refuse('endpoints', 'a list of {url, maxConcurrency}');
  }
  const bounds = new Map(
    value.map((item, index) => {
      const parameter = `endpoints[${index}]`;
      if (!isObject(item) || item.maxConcurrency === undefined) {
        return refuse(parameter, '{url, maxConcurrency}');
      }
      refuseUnknown(item, ['url', 'maxConcurrency'], `${parameter}.`);
      const url = urlOf(item.url, `${parameter}.url`);
      if (!endpoints.some(endpoint => endpoint.url === url)) {
        return refuse(`${parameter}.url`, 'the URL of an endpoint that the model has');
      }
      return [url, maxConcurrencyOf(item.maxConcurrency, `${parameter}.maxConcurrency`)] as const;
    }),
  );
  if (bounds.size < value.length) {
    return refuse('endpoints', 'each URL once');
  }
  return endpoints.map(endpoint => ({
    ...endpoint,
    maxConcurrency: bounds.has(endpoint.url)
      ? (bounds.get(endpoint.url) as number | null)
      : endpoint.maxConcurrency,
  }));
};
