/**
Registration: what an operator says of a model, checked.

In: the JSON body of `POST /admin/v1/models`. Out: a registration, or `bad_request` with the name of the field.
A model without a price is refused; that one is free must be said.
*/
import {environment as readEnvironment} from '../../events/config.ts';
import {parseUsd} from '../../events/money.ts';
import type {Rates} from '../../events/rates.ts';
import {rateFields, ratesOf} from './change.ts';
import {
  type Fields,
  fallbacksOf,
  integerOf,
  isObject,
  maxConcurrencyOf,
  maxOutputTokensOf,
  nameOf,
  refuse,
  refuseUnknown,
  startSecondsOf,
  urlOf,
} from './fields.ts';
import type {Environment, KubernetesObject, Price} from './model.ts';

export type Registration = Readonly<{
  name: string;
  environment: Environment;
  endpoints: ReadonlyArray<
    Readonly<{
      url: string;
      upstreamModel: string;
      maxConcurrency: number | null;
      /** Where an object of Kubernetes says it; no body of a request can. */
      object?: KubernetesObject | null;
    }>
  >;
  contextLength: number | null;
  defaultMaxTokens: number;
  price: Price;
  namespace: string | null;
  metadata: Readonly<Record<string, unknown>>;
  rates?: Rates;
  startSeconds: number | null;
  fallbacks: readonly string[];
  maxOutputTokens: number | null;
}>;

const fields = [
  'name',
  'environment',
  'endpoints',
  'contextLength',
  'defaultMaxTokens',
  'price',
  'namespace',
  'metadata',
  'startSeconds',
  'fallbacks',
  'maxOutputTokens',
  ...rateFields,
];
const endpointsMax = 64;
const metadataBytesMax = 16 * 1024;
/** $1,000,000 a million tokens, in nano-USD; the table's own bound. */
const perMillionMax = 1_000_000_000_000_000n;

export const parseRegistration = (body: Fields): Registration => {
  refuseUnknown(body, fields);
  const name = nameOf(body.name, 'name');
  const rates = ratesOf(body);
  return {
    name,
    environment: environmentOf(body.environment),
    endpoints: endpointsOf(body.endpoints, name),
    contextLength:
      body.contextLength == null ? null : integerOf(body.contextLength, 'contextLength'),
    defaultMaxTokens:
      body.defaultMaxTokens == null ? 4096 : integerOf(body.defaultMaxTokens, 'defaultMaxTokens'),
    price: priceOf(body.price),
    namespace: body.namespace == null ? null : namespaceOf(body.namespace),
    metadata: body.metadata == null ? {} : metadataOf(body.metadata),
    startSeconds: startSecondsOf(body.startSeconds),
    fallbacks: fallbacksOf(body.fallbacks, name),
    maxOutputTokens: maxOutputTokensOf(body.maxOutputTokens),
    ...(rates ? {rates} : {}),
  };
};

export const environmentOf = (value: unknown): Environment => {
  try {
    return typeof value === 'string' && value !== ''
      ? readEnvironment(value)
      : refuse('environment', '');
  } catch {
    return refuse('environment', 'one of development, staging, production (or dev, uat, prod)');
  }
};

const namespaceOf = (value: unknown): string =>
  typeof value === 'string' && /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(value)
    ? value
    : refuse('namespace', 'the name of a Kubernetes namespace');

const metadataOf = (value: unknown): Fields =>
  isObject(value) && Buffer.byteLength(JSON.stringify(value)) <= metadataBytesMax
    ? value
    : refuse('metadata', `an object of at most ${metadataBytesMax} bytes`);

const endpointsOf = (value: unknown, name: string): Registration['endpoints'] => {
  if (!Array.isArray(value) || value.length === 0 || value.length > endpointsMax) {
    return refuse('endpoints', `a list of 1 to ${endpointsMax} URLs`);
  }
  const endpoints = value.map((item, index) => endpointOf(item, `endpoints[${index}]`, name));
  if (new Set(endpoints.map(({url}) => url)).size < endpoints.length) {
    return refuse('endpoints', 'each URL once');
  }
  return endpoints;
};

const endpointOf = (item: unknown, parameter: string, name: string) => {
  if (!isObject(item)) {
    return {url: urlOf(item, parameter), upstreamModel: name, maxConcurrency: null};
  }
  refuseUnknown(item, ['url', 'upstreamModel', 'maxConcurrency'], `${parameter}.`);
  return {
    url: urlOf(item.url, `${parameter}.url`),
    upstreamModel:
      item.upstreamModel == null ? name : nameOf(item.upstreamModel, `${parameter}.upstreamModel`),
    maxConcurrency: maxConcurrencyOf(item.maxConcurrency, `${parameter}.maxConcurrency`),
  };
};

const priceOf = (value: unknown): Price => {
  if (value === 'free') {
    return {
      free: true,
      inputPerMillion: 0n,
      outputPerMillion: 0n,
      cachedInputPerMillion: null,
      inputGpuMsPerMillion: 0n,
      outputGpuMsPerMillion: 0n,
    };
  }
  if (!isObject(value)) {
    return refuse(
      'price',
      '{inputPerMillion, outputPerMillion, cachedInputPerMillion?} in USD, or "free": a model without a price is not registered',
    );
  }
  refuseUnknown(
    value,
    [
      'inputPerMillion',
      'outputPerMillion',
      'cachedInputPerMillion',
      'inputGpuMsPerMillion',
      'outputGpuMsPerMillion',
    ],
    'price.',
  );
  const price = {
    free: false,
    inputPerMillion: usdOf(value, 'inputPerMillion'),
    outputPerMillion: usdOf(value, 'outputPerMillion'),
    cachedInputPerMillion:
      value.cachedInputPerMillion == null ? null : usdOf(value, 'cachedInputPerMillion'),
    inputGpuMsPerMillion: gpuMsOf(value, 'inputGpuMsPerMillion'),
    outputGpuMsPerMillion: gpuMsOf(value, 'outputGpuMsPerMillion'),
  };
  return price.inputPerMillion + price.outputPerMillion + (price.cachedInputPerMillion ?? 0n) === 0n
    ? refuse('price', '"free" where every price is nought, so that it is meant')
    : price;
};

const usdOf = (price: Fields, name: string): bigint => {
  const nanos = parseUsd(price[name], `price.${name}`);
  return nanos <= perMillionMax
    ? nanos
    : refuse(`price.${name}`, 'at most "1000000" USD a million tokens');
};

const gpuMsOf = (price: Fields, name: string): bigint => {
  const value = price[name] ?? 0;
  return Number.isSafeInteger(value) &&
    (value as number) >= 0 &&
    BigInt(value as number) <= perMillionMax
    ? BigInt(value as number)
    : refuse(`price.${name}`, 'milliseconds of a GPU a million tokens, a whole number');
};
