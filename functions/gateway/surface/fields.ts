/**
Fields: what a body says, read and checked, whatever its form.

In: the bytes or one member of the parsed body. Out: its value, or a SluiceError that names the parameter and quotes nothing.
*/
import {isUtf8} from 'node:buffer';
import {SluiceError, whereInJson} from '../../../events/errors.ts';
import type {Member} from '../admission/members.ts';

export type Fields = Readonly<Record<string, unknown>>;

export const bad = (message: string, parameter: string) =>
  new SluiceError('bad_request', message, {parameter});

export const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const parseBody = (body: Buffer): Fields => {
  if (!isUtf8(body)) {
    throw new SluiceError('malformed_json', 'the body is not UTF-8');
  }
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new SluiceError('malformed_json', `the body is not JSON: ${whereInJson(error)}`);
  }
  if (!isObject(value)) {
    throw new SluiceError('bad_request', 'the body is a JSON object');
  }
  return value;
};

export const readModel = ({model}: Fields): string => {
  if (typeof model !== 'string' || model === '' || model.length > 200) {
    throw bad('model is the name of a model, a text of 1 to 200 characters', 'model');
  }
  return model;
};

export const readBoolean = (value: Fields, name: string): boolean => {
  const found = value[name] ?? false;
  if (typeof found !== 'boolean') {
    throw bad(`${name} is true or false`, name);
  }
  return found;
};

export const readInteger = (
  value: Fields,
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

/** A list of at least one object, as messages and items are. */
export const readObjects = (found: unknown, name: string, what: string): readonly Fields[] => {
  if (!Array.isArray(found) || found.length === 0) {
    throw bad(`${name} is a list of at least one ${what}`, name);
  }
  for (const item of found) {
    if (!isObject(item)) {
      throw bad(`a ${what} is an object`, name);
    }
  }
  return found as Fields[];
};

export const countTools = ({tools}: Fields): number => (Array.isArray(tools) ? tools.length : 0);

/** Members that no template shows the model, in any form. Any other member may be, so its bytes count. */
const steering = new Set([
  'model', 'stream', 'stream_options', 'n', 'best_of', 'max_tokens', 'max_completion_tokens', 'min_tokens', 'temperature',
  'top_p', 'top_k', 'min_p', 'presence_penalty', 'frequency_penalty', 'repetition_penalty', 'length_penalty', 'seed', 'stop',
  'stop_token_ids', 'logprobs', 'top_logprobs', 'logit_bias', 'user', 'metadata', 'store', 'service_tier', 'ignore_eos',
  'echo', 'skip_special_tokens', 'spaces_between_special_tokens', 'encoding_format', 'dimensions', 'priority',
  'parallel_tool_calls', 'safety_identifier', 'prompt_cache_key', 'truncate_prompt_tokens', 'use_beam_search',
  'max_output_tokens', 'max_tool_calls', 'truncation', 'include', 'background', 'stop_sequences', 'prompt_cache_retention',
]); // biome-ignore format: a list reads better dense

/** Members whose effect on the prompt cannot be counted in bytes: the whole context is held. */
const unbounded = new Set([
  'chat_template',
  'documents',
  'prompt_embeds',
  'mm_processor_kwargs',
  'media_io_kwargs',
]);

/** What members other than the prompt itself can add to it: twice their bytes, because a template may print them indented. */
export const extraOf = (
  members: readonly Member[],
  value: Fields,
  own: readonly string[],
): number => {
  let bytes = 0;
  for (const {key, valueStart, valueEnd} of members) {
    if (own.includes(key) || steering.has(key) || value[key] === null) {
      continue;
    }
    if (unbounded.has(key)) {
      return Number.POSITIVE_INFINITY;
    }
    bytes += 2 * (valueEnd - valueStart);
  }
  return bytes;
};
