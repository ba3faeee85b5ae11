/**
GenAI: what OpenTelemetry's conventions for generative AI call what this gateway knows of a request.

In: forms, exchanges and how they ended. Out: attributes of spans, measurements. The conventions are in development; these are
the names of its version 1.41. What they have no name for begins with `sluice.`, and nothing in either is from a prompt or an answer.
*/
import type {SluiceError} from '../../../events/errors.ts';
import type {Attributes, Tracing} from '../../../events/tracing.ts';
import type {EndpointEntry} from '../../registry/catalogue.ts';
import type {Exchange} from '../exchange/admitted.ts';
import type {Ending} from '../exchange/facts.ts';
import type {Form} from '../surface/form.ts';

/** Required, and one of its own: the names that are listed are those of companies whose service one buys. */
const provider = 'sluice';

const places = new WeakMap<EndpointEntry, Attributes>();

/** Host and port of an endpoint; reckoned once, since the catalogue keeps its entries. */
const placeOf = (endpoint: EndpointEntry): Attributes => {
  let place = places.get(endpoint);
  if (!place) {
    const {hostname, port, protocol} = new URL(endpoint.url);
    place = {
      'server.address': hostname,
      'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
    };
    places.set(endpoint, place);
  }
  return place;
};

export const requestAttributes = (convention: Form['convention'], model: string): Attributes => ({
  'gen_ai.operation.name': convention,
  'gen_ai.provider.name': provider,
  'gen_ai.request.model': model,
});

export const endingAttributes = (
  {facts, taken}: Exchange,
  {outcome, tokens, costNanos, estimated}: Ending,
): Attributes => ({
  ...placeOf(facts.endpoint),
  'gen_ai.request.max_tokens': taken.maxTokens,
  'gen_ai.usage.input_tokens': tokens.inputTokens,
  'gen_ai.usage.output_tokens': tokens.outputTokens,
  ...(tokens.cachedInputTokens > 0
    ? {'gen_ai.usage.cache_read.input_tokens': tokens.cachedInputTokens}
    : {}),
  'sluice.outcome': outcome,
  'sluice.tries': facts.tries,
  'sluice.cost_nanos': costNanos,
  'sluice.estimated': estimated,
});

/** The attributes of one endpoint's measurements under one name. */
const attributesOf = (endpoint: EndpointEntry, convention: Form['convention'], model: string) => {
  const about = Object.freeze({...requestAttributes(convention, model), ...placeOf(endpoint)});
  return {
    about,
    input: Object.freeze({...about, 'gen_ai.token.type': 'input'}),
    output: Object.freeze({...about, 'gen_ai.token.type': 'output'}),
  };
};

type Kept = Map<string, ReturnType<typeof attributesOf>>;
const kept = new WeakMap<EndpointEntry, Kept>();

/** The same objects for the same request: the SDK reckons with each once (`events/attribute-memo.ts`). */
const keptAttributes = (endpoint: EndpointEntry, convention: Form['convention'], model: string) => {
  let names = kept.get(endpoint);
  if (!names) {
    names = new Map();
    kept.set(endpoint, names);
  }
  const name = `${convention} ${model}`;
  let attributes = names.get(name);
  if (!attributes) {
    attributes = attributesOf(endpoint, convention, model);
    names.set(name, attributes);
  }
  return attributes;
};

/** The boundaries are those that the conventions name. */
const durationBoundaries = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
const firstTokenBoundaries = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];
const tokenBoundaries = [
  1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216,
  67_108_864,
];

/** Undefined where nobody collects: then a request pays nothing for it. */
export const createMeasure = ({histogram}: Tracing) => {
  if (!histogram) {
    return undefined;
  }
  const duration = histogram('gen_ai.server.request.duration', {
    unit: 's',
    description: 'From arrival to the last byte.',
    boundaries: durationBoundaries,
  });
  const firstToken = histogram('gen_ai.server.time_to_first_token', {
    unit: 's',
    description: 'From arrival to the first byte of an answer.',
    boundaries: firstTokenBoundaries,
  });
  const usage = histogram('gen_ai.client.token.usage', {
    unit: '{token}',
    description: 'Tokens that were charged.',
    boundaries: tokenBoundaries,
  });
  return function measure(
    {facts, operation: {form}}: Exchange,
    {latencyMs, timeToFirstTokenMs, tokens}: Ending,
    error: SluiceError | undefined,
  ) {
    const {about, input, output} = keptAttributes(
      facts.endpoint,
      form.convention,
      facts.model.name,
    );
    duration(latencyMs / 1_000, error ? {...about, 'error.type': error.code} : about);
    if (timeToFirstTokenMs !== undefined) {
      firstToken(timeToFirstTokenMs / 1_000, about);
    }
    usage(tokens.inputTokens, input);
    if (form.convention !== 'embeddings') {
      usage(tokens.outputTokens, output);
    }
  };
};
