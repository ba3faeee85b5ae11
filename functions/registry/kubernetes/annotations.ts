/**
Annotations: the registration that an object of Kubernetes asks for.

In: an object with the label `sluice.dev/model`, the URL at which it is served. Out: the body of a registration and the registration, or
the reason why there is none, which names the annotation. Everything is a text there; what a registration may say and may not is one
rule for both (`registration.ts`).
*/
import {SluiceError} from '../../../events/errors.ts';
import {parseRegistration, type Registration} from '../registration.ts';
import {type KubeObject, modelLabel, prefix} from './objects.ts';

export type Body = Readonly<Record<string, unknown>>;
export type Wished = Readonly<{body: Body; registration: Registration} | {refused: string}>;

/** A model's Service is called `{model}-{environment}`, unless an annotation says which environment is meant. */
const environmentInName = /-(development|staging|production|dev|uat|prod)(?:\.|$)/;

const integers = {
  'context-length': 'contextLength',
  'default-max-tokens': 'defaultMaxTokens',
  'max-output-tokens': 'maxOutputTokens',
  'start-seconds': 'startSeconds',
} as const;
const prices = {
  'price-input': 'inputPerMillion',
  'price-output': 'outputPerMillion',
  'price-cached-input': 'cachedInputPerMillion',
} as const;
const gpuPrices = {
  'price-input-gpu-ms': 'inputGpuMsPerMillion',
  'price-output-gpu-ms': 'outputGpuMsPerMillion',
} as const;
const texts = [
  'model-name',
  'environment',
  'price',
  'upstream-model',
  'fallbacks',
  'max-concurrency',
];
/** `port` is read where the URL is made. */
const names: readonly string[] = [
  ...texts,
  'port',
  ...Object.keys(integers),
  ...Object.keys(prices),
  ...Object.keys(gpuPrices),
];

export const wishOf = (
  {metadata = {}}: KubeObject,
  url: string,
  {startSeconds}: {startSeconds?: number} = {},
): Wished => {
  const all = metadata.annotations ?? {};
  const unknown = Object.keys(all).find(
    name => name.startsWith(prefix) && !names.includes(name.slice(prefix.length)),
  );
  if (unknown !== undefined) {
    return {
      refused: `${unknown.slice(0, 100)}: expected one of ${names.join(', ')} behind ${prefix}`,
    };
  }
  const said = (name: string): string | undefined => all[prefix + name]?.trim() || undefined;
  const name = said('model-name') ?? metadata.labels?.[modelLabel];
  const upstreamModel = said('upstream-model');
  const maxConcurrency = numberOf(said('max-concurrency'));
  const body = {
    name,
    environment: said('environment') ?? environmentInName.exec(metadata.name ?? '')?.[1],
    namespace: metadata.namespace,
    endpoints: [
      {
        url,
        ...(upstreamModel === undefined ? {} : {upstreamModel}),
        ...(maxConcurrency === undefined ? {} : {maxConcurrency}),
      },
    ],
    price: priceOf(said),
    ...fieldsOf(said, integers, numberOf),
    ...(said('start-seconds') === undefined && startSeconds !== undefined ? {startSeconds} : {}),
    ...(said('fallbacks') === undefined
      ? {}
      : {
          fallbacks: said('fallbacks')
            ?.split(',')
            .map(one => one.trim()),
        }),
  };
  try {
    return {body, registration: parseRegistration(body)};
  } catch (error) {
    if (error instanceof SluiceError) {
      return {refused: inAnnotations(error)};
    }
    throw error;
  }
};

/** What is no number stays the text that it is, which the registration then refuses by its name. */
const numberOf = (text: string | undefined): number | string | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : text;

const fieldsOf = (
  said: (name: string) => string | undefined,
  fields: Readonly<Record<string, string>>,
  read: (text: string) => unknown,
) =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([name, field]) => {
      const text = said(name);
      return text === undefined ? [] : [[field, read(text)] as const];
    }),
  );

const priceOf = (said: (name: string) => string | undefined) => {
  const parts = {
    ...fieldsOf(said, prices, text => text),
    ...fieldsOf(said, gpuPrices, text => numberOf(text)),
  };
  const whole = said('price');
  if (Object.keys(parts).length === 0) {
    return whole;
  }
  // Free and a price is neither; it is refused as what is no price.
  return whole === undefined ? parts : `${whole} and more`;
};

/** The same refusal, in the words of whoever wrote the object. */
const inAnnotations = ({message, parameter = ''}: SluiceError): string => {
  const fields = {...integers, ...prices, ...gpuPrices};
  const last = parameter.split('.').at(-1) ?? '';
  const name =
    Object.entries(fields).find(([, field]) => field === last)?.[0] ??
    {
      upstreamModel: 'upstream-model',
      maxConcurrency: 'max-concurrency',
      environment: 'environment',
      name: 'model-name',
      price: 'price',
    }[last] ??
    (parameter.startsWith('fallbacks') ? 'fallbacks' : undefined);
  if (name === undefined) {
    return message;
  }
  return name === 'price'
    ? `${prefix}price: expected "free", or in its place ${prefix}price-input and ${prefix}price-output in USD a million tokens`
    : `${prefix}${name}${message.slice(parameter.length)}`;
};
