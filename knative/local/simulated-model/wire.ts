/**
Wire: how a chat and a text completion look, whole and in chunks.

In: ids, names, texts. Out: strings, put together from prebuilt parts, because a JSON.stringify a token is what would
keep this server from outrunning the gateway in front of it. Every text here is made of characters that JSON need not
escape; the model's name is escaped by its caller.
*/
import type {Finish} from './plan.ts';

export type Wire = Readonly<{
  idPrefix: string;
  wholeObject: string;
  chunkObject: string;
  /** What a chunk's choice says before its text, and after it. */
  chunkStart: (index: number) => string;
  chunkEnd: (finish: Finish | null) => string;
  /** The first chunk of a choice, which has no text yet. */
  opening?: (index: number) => string;
  whole: (index: number, text: string, finish: Finish) => string;
}>;

export const chatWire: Wire = {
  idPrefix: 'chatcmpl-',
  wholeObject: 'chat.completion',
  chunkObject: 'chat.completion.chunk',
  chunkStart: index => `{"index":${index},"delta":{"content":"`,
  chunkEnd: finish =>
    finish === null
      ? '"},"logprobs":null,"finish_reason":null}'
      : `"},"logprobs":null,"finish_reason":"${finish}","stop_reason":null}`,
  opening: index =>
    `{"index":${index},"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}`,
  whole: (index, text, finish) =>
    `{"index":${index},"message":{"role":"assistant","content":"${text}","tool_calls":[]},` +
    `"logprobs":null,"finish_reason":"${finish}","stop_reason":null}`,
};

/** A chat that calls a tool: the first chunk names it, the others have its arguments. */
export const callWire = (nameJson: string, id: string): Wire => {
  const ended = (finish: Finish) => (finish === 'stop' ? 'tool_calls' : finish);
  const call = (index: number) => `"id":"chatcmpl-tool-${id}-${index}","type":"function"`;
  const begin = (index: number, argumentsJson: string) =>
    `${call(index)},"function":{"name":${nameJson},"arguments":"${argumentsJson}"}`;
  return {
    ...chatWire,
    opening: index =>
      `{"index":${index},"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,` +
      `${begin(index, '')}}]},"logprobs":null,"finish_reason":null}`,
    chunkStart: index =>
      `{"index":${index},"delta":{"tool_calls":[{"index":0,"function":{"arguments":"`,
    chunkEnd: finish =>
      finish === null
        ? '"}}]},"logprobs":null,"finish_reason":null}'
        : `"}}]},"logprobs":null,"finish_reason":"${ended(finish)}","stop_reason":null}`,
    whole: (index, text, finish) =>
      `{"index":${index},"message":{"role":"assistant","content":null,"tool_calls":[{` +
      `${begin(index, text)}}]},"logprobs":null,"finish_reason":"${ended(finish)}","stop_reason":null}`,
  };
};

export const completionWire: Wire = {
  idPrefix: 'cmpl-',
  wholeObject: 'text_completion',
  chunkObject: 'text_completion',
  chunkStart: index => `{"index":${index},"text":"`,
  chunkEnd: finish =>
    `","logprobs":null,"finish_reason":${finish ? `"${finish}"` : 'null'},"stop_reason":null}`,
  whole: (index, text, finish) =>
    `{"index":${index},"text":"${text}","logprobs":null,"finish_reason":"${finish}",` +
    '"stop_reason":null,"prompt_logprobs":null}',
};

/** The fields that every object of one answer opens with, up to the list of choices. */
export const head = (id: string, object: string, created: number, modelJson: string) =>
  `{"id":"${id}","object":"${object}","created":${created},"model":${modelJson},"choices":[`;
