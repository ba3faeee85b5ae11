/**
Message bytes: the most bytes of prompt that one message of a chat can become, without a tokenizer.

In: a message as JSON.parse gave it. Out: bytes, or Infinity where only the model's context bounds it. Rather too much than
too little: what is held and not used goes back, what slips past is overage.
*/
import {SluiceError} from '../../events/errors.ts';

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

/** Bytes of everything in a message that a template may print: texts, keys and numbers. Media take the whole context. */
export const messageBytes = (value: unknown, depth = 0): number => {
  if (depth > depthMax) {
    throw new SluiceError('bad_request', `messages are nested at most ${depthMax} levels deep`, {
      parameter: 'messages',
    });
  }
  if (typeof value === 'string') {
    return Buffer.byteLength(value);
  }
  if (typeof value === 'number') {
    return digitsOf(value);
  }
  if (typeof value === 'boolean') {
    return 24;
  }
  if (typeof value !== 'object' || value === null) {
    return 4;
  }
  let bytes = 0;
  if (Array.isArray(value)) {
    for (const item of value) {
      bytes += messageBytes(item, depth + 1) + 2;
    }
    return bytes;
  }
  const {type} = value as {type?: unknown};
  if (
    type !== undefined &&
    typeof type === 'string' &&
    type !== 'text' &&
    type !== 'function' &&
    type !== 'refusal' &&
    type !== 'tool_result'
  ) {
    return Number.POSITIVE_INFINITY;
  }
  if (media.some(key => Object.hasOwn(value, key))) {
    return Number.POSITIVE_INFINITY;
  }
  for (const key in value) {
    bytes += key.length * 3 + 6 + messageBytes((value as Record<string, unknown>)[key], depth + 1);
  }
  return bytes;
};

/** A model server may keep a whole number with all its digits where JavaScript has only their power of ten. */
const digitsOf = (value: number): number =>
  Number.isFinite(value)
    ? 24 + Math.ceil(Math.log10(Math.max(Math.abs(value), 1)))
    : Number.POSITIVE_INFINITY;
