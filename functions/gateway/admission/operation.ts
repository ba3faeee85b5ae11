/**
Operation: what a body asks for, checked, and the most that it can cost in tokens.

In: the bytes of a request body, which of the forms it has. Out: model, stream, bounds of prompt and output; or a
SluiceError. No tokenizer: a byte-level vocabulary never makes more tokens than there are bytes, a message or tool adds at
most 16 of the template's. What cannot be bounded takes the whole context; what has no bound at all is refused.
*/

import {
  bad,
  extraOf,
  type Fields,
  isObject,
  parseBody,
  readBoolean,
  readInteger,
  readModel,
} from '../surface/fields.ts';
import type {Form, OperationName} from '../surface/form.ts';
import {forms} from '../surface/routes.ts';
import {checkFields} from './check-fields.ts';
import {type Member, membersOf} from './members.ts';

export type {OperationName} from '../surface/form.ts';

export type Operation = Readonly<{
  name: OperationName;
  form: Form;
  model: string;
  stream: boolean;
  /** The client's own stream_options. */
  streamOptions: Fields | undefined;
  /** UTF-8 bytes of each prompt that can reach the model, or Infinity where only the context bounds it. */
  prompts: readonly number[];
  /** Tokens of prompts given as token ids. */
  promptTokenIds: boolean;
  /** Answers a prompt. */
  copies: number;
  /** Undefined: the client named none. */
  maxTokens: number | undefined;
  minTokens: number;
  /** What the form always sets in the body. */
  fixed: Readonly<Record<string, string>>;
}> & {
  /** Empty, both, from when they are of no more use: a prompt is most of what a request keeps. */
  body: Buffer;
  members: readonly Member[];
};

export const readOperation = (name: OperationName, body: Buffer): Operation => {
  const form = forms[name];
  const value = parseBody(body);
  const members = membersOf(body);
  const model = readModel(value);
  const stream = readBoolean(value, 'stream');
  const streamOptions = value.stream_options ?? undefined;
  if (streamOptions !== undefined && !isObject(streamOptions)) {
    throw bad('stream_options is an object', 'stream_options');
  }
  checkFields(value);
  const {prompts, tokenIds} = form.prompts(value);
  const extra = extraOf(members, value, form.own);
  const generates = form.maxima.length > 0;
  return {
    name,
    form,
    body,
    members,
    model,
    stream: stream && generates,
    streamOptions,
    prompts: prompts.map(bytes => bytes + extra),
    promptTokenIds: tokenIds,
    copies: generates ? copiesOf(form, value) * prompts.length : 0,
    maxTokens: maximumOf(form, value),
    minTokens: form.hasCopies ? (readInteger(value, 'min_tokens', 0) ?? 0) : 0,
    fixed: form.fixed?.(value) ?? {},
  };
};

const copiesOf = (form: Form, value: Fields): number =>
  form.hasCopies
    ? Math.max(readInteger(value, 'n', 1, 128) ?? 1, readInteger(value, 'best_of', 1, 128) ?? 1)
    : 1;

const maximumOf = (form: Form, value: Fields): number | undefined => {
  const most = Math.max(0, ...form.maxima.map(name => readInteger(value, name, 1) ?? 0));
  if (most === 0 && form.isMaximumRequired) {
    const [name = ''] = form.maxima;
    throw bad(`${name} is required: a whole number from 1`, name);
  }
  return most === 0 ? undefined : most;
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
