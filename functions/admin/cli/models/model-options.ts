/**
Model options: what `sluice model register` and `update` are told, as the API takes it.

In: options of the command line. Out: a body; else a failure that names the option.
*/
import type {Command} from 'commander';
import {Failure} from '../shell/failure.ts';
import {numberOrNone, wholeNumber} from '../shell/numbers.ts';

/** In both commands; `update` takes `none`, too. */
type RoutingOptions = Readonly<{
  startSeconds?: string;
  fallback?: string[] | boolean;
  maxOutputTokens?: string;
  maxConcurrency?: string;
}>;
export type RegisterOptions = RoutingOptions &
  Readonly<{
    json?: boolean;
    csv?: boolean;
    environment: string;
    endpoint: string[];
    price: string;
    gpuMs?: string;
    contextLength?: string;
    defaultMaxTokens?: string;
    namespace?: string;
  }>;
export type UpdateOptions = RoutingOptions & Readonly<{endpoint?: string[]}>;

export const withRouting = (command: Command) =>
  command
    .option('--start-seconds <number>', 'it scales to zero, and starts within this time')
    .option('--fallback <name...>', 'models that are tried in this order when it takes no request')
    .option('--max-output-tokens <number>', 'the most that a client may ask for')
    .option('--max-concurrency <number>', 'requests at once, of each endpoint');

const given = <Value>(name: string, text: string | undefined, read: (text: string) => Value) =>
  text === undefined ? {} : {[name]: read(text)};

const toRouting = ({startSeconds, fallback, maxOutputTokens}: RoutingOptions) => ({
  ...given('startSeconds', startSeconds, text => numberOrNone('--start-seconds', text)),
  ...given('maxOutputTokens', maxOutputTokens, text => numberOrNone('--max-output-tokens', text)),
  ...(Array.isArray(fallback) ? {fallbacks: fallback} : {}),
  ...(fallback === false ? {fallbacks: []} : {}),
});

const toBound = (text: string) => ({maxConcurrency: numberOrNone('--max-concurrency', text)});

export const toRegistration = (name: string, options: RegisterOptions) => {
  const {environment, endpoint, price, gpuMs, contextLength, defaultMaxTokens, namespace} = options;
  const bound = options.maxConcurrency === undefined ? undefined : toBound(options.maxConcurrency);
  return {
    name,
    environment,
    endpoints: bound ? endpoint.map(url => ({url, ...bound})) : endpoint,
    price: toPrice(price, gpuMs),
    ...given('contextLength', contextLength, text => wholeNumber('--context-length', text)),
    ...given('defaultMaxTokens', defaultMaxTokens, text =>
      wholeNumber('--default-max-tokens', text),
    ),
    ...given('namespace', namespace, text => text),
    ...toRouting(options),
  };
};

/** `urls` asks for those that the model has, where a bound is for all of them. */
export const toChange = async (options: UpdateOptions, urls: () => Promise<string[]>) => {
  const {maxConcurrency, endpoint} = options;
  if (endpoint && maxConcurrency === undefined) {
    throw new Failure('usage', '--endpoint: give --max-concurrency with it; register changes URLs');
  }
  const bound = maxConcurrency === undefined ? undefined : toBound(maxConcurrency);
  const change = {
    ...toRouting(options),
    ...(bound ? {endpoints: (endpoint ?? (await urls())).map(url => ({url, ...bound}))} : {}),
  };
  if (Object.keys(change).length === 0) {
    throw new Failure(
      'usage',
      'give --start-seconds, --fallback, --no-fallback, --max-output-tokens or --max-concurrency',
    );
  }
  return change;
};

const toPrice = (text: string, gpuMs: string | undefined) => {
  if (text === 'free' && gpuMs !== undefined) {
    throw new Failure('usage', '--gpu-ms: a model that is free costs no time of a GPU either');
  }
  if (text === 'free') {
    return text;
  }
  const [inputPerMillion, outputPerMillion, cachedInputPerMillion, ...more] = text
    .split(',')
    .map(part => part.trim());
  if (outputPerMillion === undefined || more.length > 0) {
    throw new Failure('usage', `--price: expected free or IN,OUT[,CACHED], got "${text}"`);
  }
  return {
    inputPerMillion,
    outputPerMillion,
    ...(cachedInputPerMillion === undefined ? {} : {cachedInputPerMillion}),
    ...(gpuMs === undefined ? {} : toGpuMs(gpuMs)),
  };
};

const toGpuMs = (text: string) => {
  const [input = '', output = '', ...more] = text.split(',').map(part => part.trim());
  if (more.length > 0) {
    throw new Failure('usage', `--gpu-ms: expected IN,OUT, got "${text}"`);
  }
  return {
    inputGpuMsPerMillion: wholeNumber('--gpu-ms', input),
    outputGpuMsPerMillion: wholeNumber('--gpu-ms', output),
  };
};
