/**
Chat: `/v1/chat/completions`.

In: messages and tools. Out: their bytes, 16 more for each; usage as OpenAI reports it, in every chunk where it can be had.
*/
import {messageBytes, perItemTokens} from '../admission/message-bytes.ts';
import {createStreamMeter} from '../exchange/stream-meter.ts';
import {readUsage} from '../exchange/usage.ts';
import {openAiErrors} from './errors.ts';
import {bad, countTools, type Fields, readObjects} from './fields.ts';
import type {Form, Meter} from './form.ts';

export const openAiMeter = (streamOptions: Fields | undefined): Meter =>
  createStreamMeter({
    keepFinal: streamOptions?.include_usage === true,
    keepEvery: streamOptions?.continuous_usage_stats === true,
  });

export const chat: Form = {
  name: 'chat.completions',
  path: '/v1/chat/completions',
  convention: 'chat',
  own: ['messages'],
  prompts(value) {
    let bytes = countTools(value) * perItemTokens;
    for (const message of readObjects(value.messages, 'messages', 'message')) {
      if (typeof message.role !== 'string') {
        throw bad('a message is an object with a role', 'messages');
      }
      bytes += perItemTokens + messageBytes(message);
    }
    return {prompts: [bytes], tokenIds: false};
  },
  maxima: ['max_tokens', 'max_completion_tokens'],
  hasCopies: true,
  asksForUsage: true,
  toCount: ({messages, tools, chat_template_kwargs: templateArguments}) => ({
    messages,
    ...(tools ? {tools} : {}),
    ...(templateArguments ? {chat_template_kwargs: templateArguments} : {}),
  }),
  meter: openAiMeter,
  usage: readUsage,
  written: ({choices}) =>
    Array.isArray(choices) ? choices.map(choice => choice?.message?.content) : [],
  errors: openAiErrors,
};
