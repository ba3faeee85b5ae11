/**
Registration: what an operator says of a model, checked.

In: the JSON body of `POST /admin/v1/models`. Out: a registration, or `bad_request` with the name of the field.
A model without a price is refused; that one is free must be said.
*/
import {environment as readEnvironment} from '../../events/config.ts';
import {SluiceError} from '../../events/errors.ts';
import {parseUsd} from '../../events/money.ts';
import {type Rates, toRates} from '../../events/rates.ts';
import type {Environment, Price} from './model.ts';

export type Registration = Readonly<{
  name: string;
  environment: Environment;
  endpoints: ReadonlyArray<Readonly<{url: string; upstreamModel: string}>>;
  contextLength: number | null;
  defaultMaxTokens: number;
  price: Price;
  namespace: string | null;
  metadata: Readonly<Record<string, unknown>>;
  rates?: Rates;
}>;

type Fields = Readonly<Record<string, unknown>>;

const rateFields = ['requestsPerMinute', 'tokensPerMinute', 'parallelRequests'] as const;
const fields = [
  'name',
  'environment',
  'endpoints',
  'contextLength',
  'defaultMaxTokens',
  'price',
  'namespace',
  'metadata',
  ...rateFields,
];
const endpointsMax = 64;
const metadataBytesMax = 16 * 1024;
const integerMax = 2_147_483_647;
/** $1,000,000 a million tokens, in nano-USD; the table's own bound. */
const perMillionMax = 1_000_000_000_000_000n;

const refuse = (parameter: string, expected: string): never => {
  throw new SluiceError('bad_request', `${parameter}: expected ${expected}`, {parameter});
};

export const parseRegistration = (body: Fields): Registration => {
  refuseUnknown(body, fields);
  const name = nameOf(body.name, 'name');
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
    ...ratesOf(body),
  };
};

const rateOf = (body: Fields, name: string) =>
  body[name] == null ? null : integerOf(body[name], name);

const ratesOf = (body: Fields): {rates?: Rates} => {
  const rates = toRates({
    requests_per_minute: rateOf(body, 'requestsPerMinute'),
    tokens_per_minute: rateOf(body, 'tokensPerMinute'),
    parallel_requests: rateOf(body, 'parallelRequests'),
  });
  return rates ? {rates} : {};
};

/** A change of the limits alone: what is absent stays, null takes a limit away. */
export const parseRatesChange =
  (body: Fields) =>
  (before: Rates = {}): Rates | undefined => {
    refuseUnknown(body, rateFields);
    if (Object.keys(body).length === 0) {
      return refuse('the body', `one of the fields ${rateFields.join(', ')}`);
    }
    const after = (name: (typeof rateFields)[number], value: number | undefined) =>
      body[name] === undefined ? (value ?? null) : rateOf(body, name);
    return toRates({
      requests_per_minute: after('requestsPerMinute', before.requests),
      tokens_per_minute: after('tokensPerMinute', before.tokens),
      parallel_requests: after('parallelRequests', before.parallel),
    });
  };

const refuseUnknown = (value: Fields, known: readonly string[], prefix = '') => {
  for (const name of Object.keys(value)) {
    if (!known.includes(name)) {
      refuse(prefix + name.slice(0, 64), `one of the fields ${known.join(', ')}`);
    }
  }
};

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const nameOf = (value: unknown, parameter: string): string =>
  typeof value === 'string' &&
  value.length <= 200 &&
  /^[^\s\p{Cc}]([^\p{Cc}]*[^\s\p{Cc}])?$/u.test(value)
    ? value
    : refuse(parameter, 'a name of 1 to 200 characters, without space at its ends');

export const environmentOf = (value: unknown): Environment => {
  try {
    return typeof value === 'string' && value !== ''
      ? readEnvironment(value)
      : refuse('environment', '');
  } catch {
    return refuse('environment', 'one of development, staging, production (or dev, uat, prod)');
  }
};

const integerOf = (value: unknown, parameter: string): number =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= integerMax
    ? (value as number)
    : refuse(parameter, `a whole number from 1 to ${integerMax}`);

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
    return {url: urlOf(item, parameter), upstreamModel: name};
  }
  refuseUnknown(item, ['url', 'upstreamModel'], `${parameter}.`);
  return {
    url: urlOf(item.url, `${parameter}.url`),
    upstreamModel:
      item.upstreamModel == null ? name : nameOf(item.upstreamModel, `${parameter}.upstreamModel`),
  };
};

/** The base of the server: `/v1` and slashes at the end are taken off, because clients' base URLs have them and ours do not. */
const urlOf = (value: unknown, parameter: string): string => {
  const url =
    typeof value === 'string' && value.length <= 2048 && URL.canParse(value)
      ? new URL(value)
      : undefined;
  if (
    !url ||
    !['http:', 'https:'].includes(url.protocol) ||
    url.username ||
    url.password ||
    url.search ||
    url.hash
  ) {
    return refuse(parameter, 'an http or https URL without user, query and fragment');
  }
  return url.origin + url.pathname.replace(/\/+$/, '').replace(/\/v1$/, '').replace(/\/+$/, '');
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
