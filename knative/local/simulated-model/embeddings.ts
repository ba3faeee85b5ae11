/**
Embeddings: a vector for each input, the same one every time, near that of a text that shares its words.

In: the body of an embeddings request. Out: the answer, or a RequestError.
A vector is a feature hash: every word, or token id, adds or takes 1 at a place that its hash names; the sum has length 1.
*/
import {badRequest} from './errors.ts';
import type {Answer, Exchange} from './exchange.ts';
import {type Body, integerField} from './fields.ts';
import {sendWhole} from './generate.ts';
import type {Model} from './plan.ts';
import {readPrompts} from './prompt.ts';
import {seedOf} from './tokens.ts';

export const defaultDimensions = 256;
const dimensionsMax = 4_096;

type Input = string | readonly number[];

const features = (input: Input) =>
  typeof input === 'string' ? input.toLowerCase().split(/[^\p{L}\p{N}]+/u) : input.map(String);

/** Components rounded to 6 places, as JSON and as 32-bit floats the same. */
export const embed = (input: Input, dimensions: number) => {
  const vector = new Array<number>(dimensions).fill(0);
  for (const feature of features(input)) {
    if (feature === '') continue;
    const hash = Math.imul(seedOf(feature) ^ 0x9e3779b9, 0x85ebca6b) >>> 0;
    const place = hash % dimensions;
    vector[place] = (vector[place] ?? 0) + (hash & 0x80000000 ? 1 : -1);
  }
  const length = Math.hypot(...vector);
  if (length === 0) vector[0] = 1;
  return vector.map(part => Math.round((part / (length || 1)) * 1e6) / 1e6);
};

const encode = (vector: readonly number[], format: string) =>
  format === 'base64'
    ? `"${Buffer.from(new Float32Array(vector).buffer).toString('base64')}"`
    : `[${vector.join(',')}]`;

const inputsOf = (body: Body): readonly Input[] => {
  const {input} = body;
  if (typeof input === 'string') return [input];
  const list = input as readonly Input[] | readonly number[];
  return typeof list[0] === 'number' ? [list as readonly number[]] : (list as readonly Input[]);
};

export const prepareEmbeddings = (body: Body, model: Model): Answer => {
  const prompts = readPrompts(body, 'input');
  const inputs = inputsOf(body);
  const bounds = {minimum: 1, maximum: dimensionsMax, fallback: defaultDimensions};
  const dimensions = integerField(body, 'dimensions', bounds);
  const format = body.encoding_format ?? 'float';
  if (format !== 'float' && format !== 'base64') {
    throw badRequest('encoding_format must be float or base64.', 'encoding_format');
  }
  const longest = Math.max(...prompts.map(({tokens}) => tokens));
  if (longest > model.maxModelLength) {
    throw badRequest(
      `This model's maximum context length is ${model.maxModelLength} tokens. However, you ` +
        `requested ${longest} tokens in the input for embedding generation.`,
      'input',
    );
  }
  const promptTokens = prompts.reduce((sum, {tokens}) => sum + tokens, 0);

  const send = (exchange: Exchange) => {
    const {id, created, life, usage} = exchange;
    life.prompt(promptTokens);
    const data = inputs.map((input, index) => {
      const vector = encode(embed(input, dimensions), format);
      return `{"index":${index},"object":"embedding","embedding":${vector}}`;
    });
    const body =
      `{"id":"embd-${id}","object":"list","created":${created},"model":${exchange.model.json},` +
      `"data":[${data.join(',')}]${usage(promptTokens, null)}}`;
    if (sendWhole(exchange, body)) life.finish('stop');
  };
  return function answer(exchange) {
    const delayMs = exchange.settings().firstTokenDelayMs;
    const timer = delayMs > 0 ? setTimeout(send, delayMs, exchange) : undefined;
    if (timer === undefined) send(exchange);
    return () => clearTimeout(timer);
  };
};
