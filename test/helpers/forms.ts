/**
Forms: for every form that the gateway knows, a request that its model server answers with a number of tokens, and what tests read
out of its streams. A form that is new has no line in here, and then this file does not compile.
*/
import type {OperationName} from '../../functions/gateway/surface/form.ts';

const model = 'simulated-chat';
const messages = [{role: 'user', content: 'Say something, please.'}];

/** `tokens`: of the answer. */
export const requestOf: Readonly<Record<OperationName, (tokens: number) => object>> = {
  'chat.completions': tokens => ({model, messages, max_tokens: tokens}),
  completions: tokens => ({model, prompt: 'Say something, please.', max_tokens: tokens}),
  embeddings: () => ({model, input: 'Say something, please.'}),
  responses: tokens => ({model, input: 'Say something, please.', max_output_tokens: tokens}),
  messages: tokens => ({model, messages, max_tokens: tokens}),
};

export const generating = ['chat.completions', 'completions', 'responses', 'messages'] as const;

type Event = Readonly<{name: string | undefined; data: Record<string, unknown>}>;

/** The events of a finished stream, less [DONE]. */
export const eventsOf = (text: string): readonly Event[] =>
  text.split('\n\n').flatMap(block => {
    const lines = block.split('\n');
    const data = lines.find(line => line.startsWith('data: '))?.slice(6);
    return data === undefined || data === '[DONE]'
      ? []
      : [
          {
            name: lines.find(line => line.startsWith('event: '))?.slice(7),
            data: JSON.parse(data) as Record<string, unknown>,
          },
        ];
  });
