/**
Messages: `/v1/messages`, Anthropic's form, as vLLM serves it.

In: system, messages of content blocks, tools, and a maximum, which this form demands. Out: their bytes, 16 more for each; usage from
the stream's beginning (prompt) and its last delta (answer), else the deltas that passed. `input_tokens` is without what was
cached: a prompt is all three counts together.
*/
import type {Tokens} from '../../budget/cost.ts';
import {type MessageRules, messageBytes, perItemTokens} from '../admission/message-bytes.ts';
import {estimate, tokensOf} from '../exchange/usage.ts';
import {anthropicErrors} from './errors.ts';
import {bad, countTools, type Fields, isObject, readObjects} from './fields.ts';
import type {Form} from './form.ts';
import {createTypedMeter} from './typed-meter.ts';
import {checkTools, checkUnbounded} from './unbounded.ts';

const rules: MessageRules = {
  texts: new Set(['text', 'tool_use', 'tool_result', 'thinking', 'redacted_thinking', 'ephemeral']),
  parameter: 'messages',
};

const readSystem = ({system}: Fields): number => {
  if (system === undefined || system === null) {
    return 0;
  }
  if (typeof system !== 'string' && !Array.isArray(system)) {
    throw bad('system is a text or a list of blocks', 'system');
  }
  return perItemTokens + messageBytes(system, {...rules, parameter: 'system'});
};

/** Undefined where the counts are none that can be believed. */
const inputOf = ({
  input_tokens: fresh = 0,
  cache_read_input_tokens: read,
  cache_creation_input_tokens: created,
}: Fields) =>
  // `tokensOf` looks at each by itself, since a sum would hide one that is negative.
  [fresh, read ?? 0, created ?? 0].every(count => tokensOf(count, 0, 0) !== undefined)
    ? tokensOf((fresh as number) + Number(read ?? 0) + Number(created ?? 0), read ?? 0, 0)
    : undefined;

export const readMessagesUsage = (value: unknown): Tokens | undefined => {
  if (!isObject(value) || value.input_tokens === undefined) {
    return undefined;
  }
  const input = inputOf(value);
  return input && tokensOf(input.inputTokens, input.cachedInputTokens, value.output_tokens);
};

const meter = () => {
  let start: Fields = {};
  let prompt: Tokens | undefined;
  let usage: Tokens | undefined;
  return createTypedMeter({
    isPiece: name => name === 'content_block_delta',
    mayReport: name => name === 'message_start' || name === 'message_delta',
    read(name, event) {
      if (name === 'message_start') {
        const message = isObject(event.message) ? event.message : {};
        start = isObject(message.usage) ? message.usage : {};
        prompt = inputOf(start);
      } else if (isObject(event.usage)) {
        // The last delta may leave out what the beginning has said, or say 0 of it.
        const said = Object.entries(event.usage).filter(
          ([name, count]) => count !== null && (count !== 0 || name === 'output_tokens'),
        );
        usage = readMessagesUsage({...start, ...Object.fromEntries(said)}) ?? usage;
      }
    },
    reported: () => usage,
    counted(pieces, promptBytes) {
      if (prompt && prompt.inputTokens > 0) {
        return {...prompt, outputTokens: pieces};
      }
      return pieces > 0 ? estimate(promptBytes, pieces) : undefined;
    },
  });
};

const textOf = ({text, thinking, input}: Fields): unknown =>
  text ?? thinking ?? (input === undefined ? undefined : JSON.stringify(input));

export const messages: Form = {
  name: 'messages',
  path: '/v1/messages',
  convention: 'chat',
  own: ['messages', 'system'],
  prompts(value) {
    checkUnbounded(value, ['mcp_servers', 'container', 'context_management']);
    checkTools(value, [undefined, null, 'custom']);
    let bytes = readSystem(value) + countTools(value) * perItemTokens;
    for (const message of readObjects(value.messages, 'messages', 'message')) {
      if (typeof message.role !== 'string') {
        throw bad('a message is an object with a role', 'messages');
      }
      bytes += perItemTokens + messageBytes(message, rules);
    }
    return {prompts: [bytes], tokenIds: false};
  },
  maxima: ['max_tokens'],
  isMaximumRequired: true,
  hasCopies: false,
  asksForUsage: false,
  // A maximum is always named, so no room has to be found.
  toCount: () => undefined,
  meter,
  usage: readMessagesUsage,
  written: ({content}) => (Array.isArray(content) ? content.filter(isObject).map(textOf) : []),
  errors: anthropicErrors,
};
