/**
Message bytes: the most bytes of prompt that one message of a chat can become, without a tokenizer.

In: a message as JSON.parse gave it. Out: bytes, or Infinity where only the model's context bounds it. Rather too much than
too little: what is held and not used goes back, what slips past is overage.
*/
import {SluiceError} from '../../../events/errors.ts';

/** What a template may add to a message, a tool or a prompt. */
export const perItemTokens = 16;

/** A part that has one of these is media even where it names no type: model servers tell it by them. */
const media = [
  'image_url',
  'image_pil',
  'image_embeds',
  'audio_url',
  'audio_embeds',
  'input_audio',
  'video_url',
];

/** No message needs more, and the walk through it has only the stack. */
const depthMax = 64;

/** What a form says of the objects in its messages. */
export type MessageRules = Readonly<{
  /** Types of objects that are texts; any other takes the whole context. */
  texts: ReadonlySet<string>;
  /** The member that names them in errors. */
  parameter: string;
}>;

const chatRules: MessageRules = {
  texts: new Set(['text', 'function', 'refusal', 'tool_result']),
  parameter: 'messages',
};

/** Bytes of everything in a message that a template may print: texts, keys and numbers. Media take the whole context. */
export const messageBytes = (value: unknown, rules = chatRules, depth = 0): number => {
  if (depth > depthMax) {
    throw tooDeep(rules.parameter);
  }
  if (typeof value !== 'object' || value === null) {
    return typeof value === 'string' ? Buffer.byteLength(value) : scalarBytes(value);
  }
  let bytes = 0;
  if (Array.isArray(value)) {
    for (const item of value) {
      bytes += messageBytes(item, rules, depth + 1) + 2;
    }
    return bytes;
  }
  const {type} = value as {type?: unknown};
  if (typeof type === 'string' && !rules.texts.has(type)) {
    return Number.POSITIVE_INFINITY;
  }
  if (media.some(key => Object.hasOwn(value, key))) {
    return Number.POSITIVE_INFINITY;
  }
  for (const key in value) {
    const inner = (value as Record<string, unknown>)[key];
    // What a tool was called with is JSON of the client's own: its types are not ours.
    const innerBytes =
      type === 'tool_use' && key === 'input'
        ? jsonBytes(inner, rules.parameter, depth + 1)
        : messageBytes(inner, rules, depth + 1);
    bytes += key.length * 3 + 6 + innerBytes;
  }
  return bytes;
};

/** Bytes of any JSON, where a model server writes it again with all but ASCII escaped. */
export const jsonBytes = (value: unknown, parameter: string, depth = 0): number => {
  if (depth > depthMax) {
    throw tooDeep(parameter);
  }
  if (typeof value === 'string') {
    return escapedBytes(value);
  }
  if (typeof value !== 'object' || value === null) {
    return scalarBytes(value);
  }
  let bytes = 2;
  if (Array.isArray(value)) {
    for (const item of value) {
      bytes += jsonBytes(item, parameter, depth + 1) + 2;
    }
    return bytes;
  }
  for (const key in value) {
    const inner = (value as Record<string, unknown>)[key];
    bytes += escapedBytes(key) + 4 + jsonBytes(inner, parameter, depth + 1);
  }
  return bytes;
};

const tooDeep = (parameter: string) =>
  new SluiceError('bad_request', `${parameter} are nested at most ${depthMax} levels deep`, {
    parameter,
  });

/** Quotes, and six characters for each that is not printable ASCII. Counted by hand: a search would make a list as long as the text. */
const escapedBytes = (text: string): number => {
  let bytes = 2 + text.length;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c) {
      bytes += 5;
    }
  }
  return bytes;
};

const scalarBytes = (value: unknown): number => {
  if (typeof value === 'number') {
    return digitsOf(value);
  }
  return typeof value === 'boolean' ? 24 : 4;
};

/** A model server may keep a whole number with all its digits where JavaScript has only their power of ten. */
const digitsOf = (value: number): number =>
  Number.isFinite(value)
    ? 24 + Math.ceil(Math.log10(Math.max(Math.abs(value), 1)))
    : Number.POSITIVE_INFINITY;
