/**
Prompts: `/v1/completions` and `/v1/embeddings`, whose prompts are texts or token ids, one or many.

In: `prompt` or `input`. Out: the bytes of each text, or the number of its ids; every prompt has a context of its own.
*/
import {perItemTokens} from '../admission/message-bytes.ts';
import {readUsage} from '../exchange/usage.ts';
import {openAiMeter} from './chat.ts';
import {openAiErrors} from './errors.ts';
import {bad, type Fields} from './fields.ts';
import type {Form, Prompts} from './form.ts';

const readPrompts = (value: Fields, name: 'prompt' | 'input'): Prompts => {
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

export const completions: Form = {
  name: 'completions',
  path: '/v1/completions',
  convention: 'text_completion',
  own: ['prompt'],
  prompts: value => readPrompts(value, 'prompt'),
  maxima: ['max_tokens', 'max_completion_tokens'],
  // What OpenAI's endpoint generates when the client names no maximum.
  defaultMaxTokens: 16,
  hasCopies: true,
  asksForUsage: true,
  toCount: ({prompt}) => ({prompt}),
  meter: openAiMeter,
  usage: readUsage,
  written: ({choices}) => (Array.isArray(choices) ? choices.map(choice => choice?.text) : []),
  errors: openAiErrors,
};

export const embeddings: Form = {
  name: 'embeddings',
  path: '/v1/embeddings',
  convention: 'embeddings',
  own: ['input'],
  prompts: value => readPrompts(value, 'input'),
  maxima: [],
  hasCopies: false,
  asksForUsage: false,
  toCount: () => undefined,
  meter: openAiMeter,
  usage: readUsage,
  written: () => [],
  errors: openAiErrors,
};
