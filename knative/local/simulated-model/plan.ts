/**
Plan: how many tokens a request gets, in which sequences, and which usage reports go with them.

In: the body, its prompts, the model, and what the server is set to. Out: a Plan, or the RequestError vLLM would give.
By default a sequence ends by itself (`stop`) after `defaultTokens`; `max_tokens` or the end of the context cuts it
(`length`); `ignore_eos` and `min_tokens` prolong it.
*/
import {badRequest} from './errors.ts';
import {type Body, booleanField, integerField, isObject, stringsField} from './fields.ts';
import type {Prompt} from './prompt.ts';
import {bytesPerToken, completionText, countTokens} from './tokens.ts';

export type Model = Readonly<{name: string; maxModelLength: number}>;
export type Finish = 'stop' | 'length';

/** What a model server can say about usage in a stream: `none` ignores `stream_options`, `last-chunk` half of it. */
export type UsageAbility = 'every-chunk' | 'last-chunk' | 'none';

/**
`shown` is false for what `best_of` generates and nobody receives. `text` is there when a stop string cut it, or when it is JSON, whose
characters other JSON has to escape.
*/
export type Sequence = Readonly<{
  index: number;
  promptTokens: number;
  seed: number;
  tokens: number;
  finish: Finish;
  shown: boolean;
  text?: string;
  isJson?: boolean;
}>;

export type Plan = Readonly<{
  model: Model;
  sequences: readonly Sequence[];
  promptTokens: number;
  stream: boolean;
  lastUsage: boolean;
  everyUsage: boolean;
}>;

export type PlanSettings = Readonly<{
  defaultTokens: number;
  usage: UsageAbility;
  maxTokensFallback?: number;
  /** To be said instead of words, in ASCII. */
  json?: string | undefined;
}>;

const sequencesMax = 4_096;

const maxTokensOf = (body: Body, fallback: number | undefined) => {
  const bounds = {minimum: 1, maximum: Number.MAX_SAFE_INTEGER, fallback: undefined};
  const plain = integerField(body, 'max_tokens', bounds);
  return integerField(body, 'max_completion_tokens', bounds) ?? plain ?? fallback;
};

/** How many tokens may follow this prompt. */
const roomFor = (prompt: Prompt, model: Model, maxTokens: number | undefined) => {
  const room = model.maxModelLength - prompt.tokens;
  if (room < 1) {
    throw badRequest(
      `This model's maximum context length is ${model.maxModelLength} tokens. However, your ` +
        `request has ${prompt.tokens} input tokens. Please reduce the length of the input.`,
    );
  }
  if (maxTokens === undefined) return room;
  if (maxTokens <= room) return maxTokens;
  throw badRequest(
    `'max_tokens' or 'max_completion_tokens' is too large: ${maxTokens}. This model's maximum ` +
      `context length is ${model.maxModelLength} tokens and your request has ${prompt.tokens} ` +
      `input tokens (${maxTokens} > ${model.maxModelLength} - ${prompt.tokens}).`,
    'max_tokens',
  );
};

/** As vLLM does, the stop string itself is generated and counted but not shown. */
const cutAtStop = (sequence: Sequence, stops: readonly string[]): Sequence => {
  const full = sequence.text ?? completionText(sequence.seed, sequence.tokens);
  let end = Number.POSITIVE_INFINITY;
  let length = 0;
  for (const stop of stops) {
    const at = stop === '' ? -1 : full.indexOf(stop);
    if (at >= 0 && at + stop.length < end + length) [end, length] = [at, stop.length];
  }
  if (end === Number.POSITIVE_INFINITY) return sequence;
  const tokens = Math.ceil((end + length) / 4);
  return {...sequence, tokens, finish: 'stop', text: full.slice(0, end)};
};

const usageOf = (body: Body, stream: boolean, ability: UsageAbility) => {
  const options = body.stream_options ?? undefined;
  if (options === undefined) return {lastUsage: false, everyUsage: false};
  if (!isObject(options)) throw badRequest('stream_options must be an object.', 'stream_options');
  if (!stream) {
    throw badRequest('Stream options can only be defined when `stream=True`.', 'stream_options');
  }
  const last = booleanField(options, 'include_usage') && ability !== 'none';
  const every = booleanField(options, 'continuous_usage_stats') && ability === 'every-chunk';
  return {lastUsage: last, everyUsage: last && every};
};

export const plan = (
  body: Body,
  prompts: readonly Prompt[],
  model: Model,
  {defaultTokens, usage, maxTokensFallback, json}: PlanSettings,
): Plan => {
  const stream = booleanField(body, 'stream');
  const n = integerField(body, 'n', {minimum: 1, maximum: 128, fallback: 1});
  const best = integerField(body, 'best_of', {minimum: n, maximum: 128, fallback: n});
  if (stream && best > n) throw badRequest('best_of above n cannot be streamed.', 'best_of');
  if (prompts.length * best > sequencesMax) {
    throw badRequest(`Expected at most ${sequencesMax} sequences a request.`, 'n');
  }
  const maxTokens = maxTokensOf(body, maxTokensFallback);
  const bounds = {minimum: 0, maximum: Number.MAX_SAFE_INTEGER, fallback: 0};
  const minTokens = integerField(body, 'min_tokens', bounds);
  if (maxTokens !== undefined && minTokens > maxTokens) {
    throw badRequest('min_tokens must be at most max_tokens.', 'min_tokens');
  }
  const stops = stringsField(body, 'stop');
  const endless = booleanField(body, 'ignore_eos');
  const sequences: Sequence[] = [];
  for (const [promptIndex, prompt] of prompts.entries()) {
    const room = roomFor(prompt, model, maxTokens);
    const wanted = json === undefined ? Math.max(defaultTokens, minTokens) : countTokens(json);
    const isEndless = endless && json === undefined;
    const tokens = isEndless ? room : Math.min(room, wanted);
    for (let choice = 0; choice < best; choice++) {
      const sequence: Sequence = {
        index: promptIndex * n + choice,
        promptTokens: prompt.tokens,
        seed: (prompt.seed + choice * 11) >>> 0,
        tokens,
        finish: tokens === room && (json === undefined || wanted > room) ? 'length' : 'stop',
        shown: choice < n,
        ...(json === undefined ? {} : {text: json.slice(0, tokens * bytesPerToken), isJson: true}),
      };
      sequences.push(stops.length > 0 ? cutAtStop(sequence, stops) : sequence);
    }
  }
  const promptTokens = prompts.reduce((sum, prompt) => sum + prompt.tokens, 0);
  return {model, sequences, promptTokens, stream, ...usageOf(body, stream, usage)};
};
