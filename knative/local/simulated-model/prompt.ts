/**
Prompt: what of a request reaches the model's prompt, and how many tokens that is.

In: the body of a chat, completion, embedding or tokenize request. Out: one Prompt per sequence to start.
The chat template of this model adds 4 tokens a message and 3 for the answer's own head; tools and documents go in as
JSON; a picture, sound or film counts 256 tokens whatever its bytes.
*/
import {badRequest} from './errors.ts';
import {type Body, isObject} from './fields.ts';
import {countTokens, seedOf, tokenIds} from './tokens.ts';

export type Prompt = Readonly<{tokens: number; seed: number; ids: () => readonly number[]}>;

const messageTokens = 4;
const answerTokens = 3;
const mediaTokens = 256;
const promptsMax = 2_048;

const fromText = (text: string): Prompt => ({
  tokens: countTokens(text),
  seed: seedOf(text),
  ids: () => tokenIds(text),
});

const fromIds = (ids: readonly number[]): Prompt => ({
  tokens: ids.length,
  seed: seedOf(ids.slice(0, 32).join(' ')) ^ ids.length,
  ids: () => ids,
});

/** As text, for what the template renders as JSON. A nesting too deep to write is the client's doing. */
const asJson = (value: unknown) => {
  try {
    return JSON.stringify(value);
  } catch {
    throw badRequest('Expected less nesting in tools, tool_calls and documents.');
  }
};

/** The texts of a message's content and the tokens of what is not text. */
const contentOf = (content: unknown): {texts: string[]; other: number} => {
  if (content === undefined || content === null) return {texts: [], other: 0};
  if (typeof content === 'string') return {texts: [content], other: 0};
  if (!Array.isArray(content)) {
    throw badRequest('messages[].content must be a string or a list of parts.', 'messages');
  }
  const texts: string[] = [];
  let other = 0;
  for (const part of content) {
    if (!isObject(part)) throw badRequest('A content part must be an object.', 'messages');
    if (typeof part.text === 'string') texts.push(part.text);
    else other += mediaTokens;
  }
  return {texts, other};
};

export const readMessages = (body: Body): Prompt => {
  const {messages, tools, documents} = body;
  if (!Array.isArray(messages) || messages.length === 0) {
    throw badRequest('messages must be a list of at least one message.', 'messages');
  }
  const texts: string[] = [];
  let template = answerTokens;
  for (const message of messages) {
    if (!isObject(message) || typeof message.role !== 'string') {
      throw badRequest('A message must be an object with a role.', 'messages');
    }
    const content = contentOf(message.content);
    for (const text of content.texts) texts.push(text);
    if (message.tool_calls) texts.push(asJson(message.tool_calls));
    template += messageTokens + content.other;
  }
  for (const extra of [tools, documents]) {
    if (Array.isArray(extra)) for (const item of extra) texts.push(asJson(item));
  }
  return {
    tokens: texts.reduce((sum, text) => sum + countTokens(text), template),
    seed: seedOf(texts.at(-1) ?? ''),
    ids: () => [...Array(template).keys(), ...texts.flatMap(tokenIds)],
  };
};

const isIds = (value: unknown): value is number[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every(id => Number.isSafeInteger(id) && (id as number) >= 0);

/** `prompt` or `input`: a text, texts, token ids, or lists of token ids. */
export const readPrompts = (body: Body, name: 'prompt' | 'input'): readonly Prompt[] => {
  const value = body[name];
  if (typeof value === 'string') return [fromText(value)];
  if (isIds(value)) return [fromIds(value)];
  if (Array.isArray(value) && value.length > 0 && value.length <= promptsMax) {
    if (value.every(item => typeof item === 'string')) return value.map(fromText);
    if (value.every(isIds)) return value.map(fromIds);
  }
  throw badRequest(
    `${name} must be a string, a list of token ids, or a list of at most ${promptsMax} of either.`,
    name,
  );
};
