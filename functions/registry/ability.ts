/**
Ability: what a streamed answer shows about where its server reports usage.

In: the body of an answer that was asked for usage in every chunk. Out: where it was, or undefined when it is no stream of
chunks at all. One chunk alone cannot tell every chunk from the last, and is taken as the last: asking for less is safe.
*/
import type {Ability} from './model.ts';

type Chunk = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Chunk =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Server-sent events: the JSON of their `data` lines up to `[DONE]`; undefined where one is not a chunk. */
export const parseChunks = (text: string): Chunk[] | undefined => {
  const chunks: Chunk[] = [];
  for (const line of text.split(/\r\n|\n|\r/)) {
    const data = /^data: ?(.*)$/.exec(line)?.[1];
    if (data === '[DONE]') {
      break;
    }
    if (data !== undefined && data !== '') {
      const chunk = parse(data);
      if (!isObject(chunk) || 'error' in chunk) {
        return undefined;
      }
      chunks.push(chunk);
    }
  }
  return chunks;
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

export const abilityOf = (chunks: readonly Chunk[]): Ability | undefined => {
  const withChoices = chunks.filter(({choices}) => Array.isArray(choices) && choices.length > 0);
  if (withChoices.length === 0) {
    return undefined;
  }
  if (withChoices.length > 1 && withChoices.every(hasUsage)) {
    return 'every-chunk';
  }
  return chunks.some(hasUsage) ? 'last-chunk' : 'none';
};

export const hasUsage = ({usage}: Chunk) =>
  isObject(usage) && Number.isInteger(usage.prompt_tokens);
