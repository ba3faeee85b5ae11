/**
Operation: what a body asks for, checked, and the most that it can cost in tokens.

In: the bytes of a request body, which of the three operations it is. Out: model, stream, bounds of prompt and output; or a
SluiceError. No tokenizer: a byte-level vocabulary never makes more tokens than there are bytes, a message or tool adds at
most 16 of the template's. What cannot be bounded takes the whole context; what has no bound at all is refused.
*/
import {isUtf8} from 'node:buffer';
import {SluiceError, whereInJson} from '../../events/errors.ts';
import {type Member, membersOf} from './members.ts';
import {messageBytes, perItemTokens} from './message-bytes.ts';

export type OperationName = 'chat.completions' | 'completions' | 'embeddings';

export type Operation = Readonly<{
  name: OperationName;
  body: Buffer;
  members: readonly Member[];
  model: string;
  stream: boolean;
  /** The client's own stream_options. */
  streamOptions: Readonly<Record<string, unknown>> | undefined;
  /** UTF-8 bytes of each prompt that can reach the model, or Infinity where only the context bounds it. */
  prompts: readonly number[];
  /** Tokens of prompts given as token ids. */
  promptTokenIds: boolean;
  /** Answers a prompt. */
  copies: number;
  /** Undefined: the client named none. */
  maxTokens: number | undefined;
  minTokens: number;
}>;

const bad = (message: string, parameter: string) =>
  new SluiceError('bad_request', message, {parameter});

/** Members that no template shows the model. Any other member may be, so its bytes count. */
const notPrompt = new Set([
  'model', 'stream', 'stream_options', 'n', 'best_of', 'max_tokens', 'max_completion_tokens', 'min_tokens', 'temperature',
  'top_p', 'top_k', 'min_p', 'presence_penalty', 'frequency_penalty', 'repetition_penalty', 'length_penalty', 'seed', 'stop',
  'stop_token_ids', 'logprobs', 'top_logprobs', 'logit_bias', 'user', 'metadata', 'store', 'service_tier', 'ignore_eos',
  'echo', 'skip_special_tokens', 'spaces_between_special_tokens', 'encoding_format', 'dimensions', 'priority',
  'parallel_tool_calls', 'safety_identifier', 'prompt_cache_key', 'truncate_prompt_tokens', 'use_beam_search',
]); // biome-ignore format: a list reads better dense

/** Members whose effect on the prompt cannot be counted in bytes: the whole context is held. */
const unbounded = new Set([
  'chat_template',
  'documents',
  'prompt_embeds',
  'mm_processor_kwargs',
  'media_io_kwargs',
]);

export const readOperation = (name: OperationName, body: Buffer): Operation => {
  const value = parse(body);
  const members = membersOf(body);
  const model = value.model;
  if (typeof model !== 'string' || model === '' || model.length > 200) {
    throw bad('model is the name of a model, a text of 1 to 200 characters', 'model');
  }
  const stream = readBoolean(value, 'stream');
  const streamOptions = value.stream_options ?? undefined;
  if (
    streamOptions !== undefined &&
    (typeof streamOptions !== 'object' || Array.isArray(streamOptions))
  ) {
    throw bad('stream_options is an object', 'stream_options');
  }
  const {prompts, tokenIds} =
    name === 'chat.completions'
      ? readChat(value)
      : readPrompts(value, name === 'completions' ? 'prompt' : 'input');
  const extra = extraOf(members, value, name);
  const maxTokens = Math.max(
    readInteger(value, 'max_tokens', 1) ?? 0,
    readInteger(value, 'max_completion_tokens', 1) ?? 0,
  );
  const copies =
    name === 'embeddings'
      ? 0
      : Math.max(readInteger(value, 'n', 1, 128) ?? 1, readInteger(value, 'best_of', 1, 128) ?? 1);
  return {
    name,
    body,
    members,
    model,
    stream: stream && name !== 'embeddings',
    streamOptions: streamOptions as Record<string, unknown> | undefined,
    prompts: prompts.map(bytes => bytes + extra),
    promptTokenIds: tokenIds,
    copies: copies * prompts.length,
    maxTokens: maxTokens === 0 ? undefined : maxTokens,
    minTokens: readInteger(value, 'min_tokens', 0) ?? 0,
  };
};

const parse = (body: Buffer): Record<string, unknown> => {
  if (!isUtf8(body)) {
    throw new SluiceError('malformed_json', 'the body is not UTF-8');
  }
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new SluiceError('malformed_json', `the body is not JSON: ${whereInJson(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SluiceError('bad_request', 'the body is a JSON object');
  }
  return value as Record<string, unknown>;
};

const readBoolean = (value: Record<string, unknown>, name: string): boolean => {
  const found = value[name] ?? false;
  if (typeof found !== 'boolean') {
    throw bad(`${name} is true or false`, name);
  }
  return found;
};

const readInteger = (
  value: Record<string, unknown>,
  name: string,
  min: number,
  max = 1_000_000_000,
): number | undefined => {
  const found = value[name] ?? undefined;
  if (found === undefined) {
    return undefined;
  }
  if (typeof found !== 'number' || !Number.isSafeInteger(found) || found < min || found > max) {
    throw bad(`${name} is a whole number from ${min} to ${max}`, name);
  }
  return found;
};

const readChat = (value: Record<string, unknown>) => {
  const {messages} = value;
  if (!Array.isArray(messages) || messages.length === 0) {
    throw bad('messages is a list of at least one message', 'messages');
  }
  let bytes = 0;
  for (const message of messages) {
    if (
      typeof message !== 'object' ||
      message === null ||
      Array.isArray(message) ||
      typeof (message as {role?: unknown}).role !== 'string'
    ) {
      throw bad('a message is an object with a role', 'messages');
    }
    bytes += perItemTokens + messageBytes(message);
  }
  const tools = Array.isArray(value.tools) ? value.tools.length : 0;
  return {prompts: [bytes + tools * perItemTokens], tokenIds: false};
};

const readPrompts = (value: Record<string, unknown>, name: 'prompt' | 'input') => {
  const found = value[name];
  if (typeof found === 'string') {
    return {prompts: [Buffer.byteLength(found) + perItemTokens], tokenIds: false};
  }
  if (name === 'prompt' && found === undefined && value.prompt_embeds !== undefined) {
    return {prompts: [Number.POSITIVE_INFINITY], tokenIds: false};
  }
  if (
    !Array.isArray(found) ||
    found.length === 0 ||
    (found.length > 2_048 && typeof found[0] !== 'number')
  ) {
    throw bad(`${name} is a text, a list of token ids, or a list of 1 to 2048 of these`, name);
  }
  if (typeof found[0] === 'number') {
    return {prompts: [checkTokenIds(found, name)], tokenIds: true};
  }
  return {
    prompts: found.map(item => {
      if (typeof item === 'string') {
        return Buffer.byteLength(item) + perItemTokens;
      }
      if (Array.isArray(item) && item.length > 0) {
        return checkTokenIds(item, name);
      }
      throw bad(`${name} is a text, a list of token ids, or a list of these`, name);
    }),
    tokenIds: found.every(Array.isArray),
  };
};

const checkTokenIds = (ids: readonly unknown[], name: string) => {
  if (!ids.every(id => Number.isSafeInteger(id) && (id as number) >= 0)) {
    throw bad(`${name} has token ids that are not whole numbers`, name);
  }
  return ids.length + perItemTokens;
};

/** What members other than the prompt itself can add to it: twice their bytes, because a template may print them indented. */
const extraOf = (
  members: readonly Member[],
  value: Record<string, unknown>,
  name: OperationName,
): number => {
  const own =
    name === 'chat.completions' ? 'messages' : name === 'completions' ? 'prompt' : 'input';
  let bytes = 0;
  for (const {key, valueStart, valueEnd} of members) {
    if (key === own || notPrompt.has(key) || value[key] === null) {
      continue;
    }
    if (unbounded.has(key)) {
      return Number.POSITIVE_INFINITY;
    }
    bytes += 2 * (valueEnd - valueStart);
  }
  return bytes;
};

export type Bounds = Readonly<{promptTokens: number; promptBytes: number}>;

/** Prompt tokens at most, for a model of this context length. `promptBytes` is what the policy for a lost result prices. */
export const promptBounds = (
  {prompts, promptTokenIds}: Operation,
  {contextLength, tokensPerByteMax}: {contextLength: number; tokensPerByteMax: number},
): Bounds => {
  let promptTokens = 0;
  let promptBytes = 0;
  for (const bytes of prompts) {
    promptTokens += Math.min(
      Math.ceil(bytes * (promptTokenIds ? 1 : Math.max(tokensPerByteMax, 1))),
      contextLength,
    );
    promptBytes += Math.min(bytes, contextLength * 4) * (promptTokenIds ? 4 : 1);
  }
  return {promptTokens, promptBytes: Math.ceil(promptBytes)};
};
