/**
Responses: `/v1/responses`, OpenAI's newer form, as vLLM serves it. Without a memory: every request brings its whole prompt.

In: input as a text or items, instructions, function tools. Out: their bytes, 16 more for each; usage from the event that ends a
stream, else the deltas that passed. What needs an answer of before, or a tool that runs at the server, has no bound and is refused.
*/
import type {Tokens} from '../../budget/cost.ts';
import {type MessageRules, messageBytes, perItemTokens} from '../admission/message-bytes.ts';
import {estimate, tokensOf} from '../exchange/usage.ts';
import {responsesErrors} from './errors.ts';
import {bad, countTools, type Fields, isObject, readBoolean, readObjects} from './fields.ts';
import type {Form} from './form.ts';
import {createTypedMeter} from './typed-meter.ts';
import {checkTools} from './unbounded.ts';

const rules: MessageRules = {
  texts: new Set([
    'message',
    'input_text',
    'output_text',
    'refusal',
    'reasoning',
    'reasoning_text',
    'summary_text',
    'function_call',
    'function_call_output',
    'custom_tool_call',
    'custom_tool_call_output',
  ]),
  parameter: 'input',
};

/** Members that bring in what was said before, from where only the model server could know. */
const remembered = [
  'previous_response_id',
  'conversation',
  'prompt',
  'previous_response',
  'previous_input_messages',
];

const readInput = (input: unknown): number => {
  if (typeof input === 'string') {
    return Buffer.byteLength(input) + perItemTokens;
  }
  let bytes = 0;
  for (const item of readObjects(input, 'input', 'item')) {
    if (item.type === 'item_reference') {
      throw bad('nothing is stored here: send the item instead of its reference', 'input');
    }
    if (typeof item.type !== 'string' && typeof item.role !== 'string') {
      throw bad('an item has a type or a role', 'input');
    }
    bytes += perItemTokens + messageBytes(item, rules);
  }
  return bytes;
};

const readInstructions = ({instructions}: Fields): number => {
  if (instructions === undefined || instructions === null) {
    return 0;
  }
  if (typeof instructions !== 'string') {
    throw bad('instructions are a text', 'instructions');
  }
  return Buffer.byteLength(instructions) + perItemTokens;
};

const checkMemory = (value: Fields) => {
  for (const name of remembered) {
    if ((value[name] ?? null) !== null) {
      throw bad(`${name} is not taken: nothing is stored here, send the whole input`, name);
    }
  }
  for (const name of ['store', 'background']) {
    if (readBoolean(value, name)) {
      throw bad(`${name} is false here: answers are not stored`, name);
    }
  }
};

export const readResponsesUsage = (value: unknown): Tokens | undefined => {
  if (!isObject(value)) {
    return undefined;
  }
  const {input_tokens: input, output_tokens: output, input_tokens_details: details} = value;
  return tokensOf(input, isObject(details) ? details.cached_tokens : 0, output);
};

const meter = () => {
  let usage: Tokens | undefined;
  return createTypedMeter({
    isPiece: name => name.endsWith('.delta'),
    mayReport: name => /^response\.(?:completed|incomplete|failed)$/.test(name),
    read(_name, {response}) {
      usage = readResponsesUsage(isObject(response) ? response.usage : undefined) ?? usage;
    },
    reported: () => usage,
    counted: (pieces, promptBytes) => (pieces > 0 ? estimate(promptBytes, pieces) : undefined),
  });
};

const textsOf = ({content, arguments: given}: Fields): readonly unknown[] =>
  Array.isArray(content) ? content.map(part => part?.text) : [given];

export const responses: Form = {
  name: 'responses',
  path: '/v1/responses',
  convention: 'chat',
  own: ['input', 'instructions'],
  prompts(value) {
    checkMemory(value);
    checkTools(value, ['function', 'custom']);
    const bytes = readInput(value.input) + readInstructions(value);
    return {prompts: [bytes + countTools(value) * perItemTokens], tokenIds: false};
  },
  maxima: ['max_output_tokens'],
  hasCopies: false,
  asksForUsage: false,
  // A server that stores would store unless it is told not to.
  fixed: () => ({store: 'false'}),
  toCount({input, instructions, tools}) {
    if (typeof input !== 'string' || tools) {
      return undefined;
    }
    const system = instructions ? [{role: 'system', content: instructions}] : [];
    return {messages: [...system, {role: 'user', content: input}]};
  },
  meter,
  usage: readResponsesUsage,
  written: ({output}) => (Array.isArray(output) ? output.filter(isObject).flatMap(textsOf) : []),
  errors: responsesErrors,
};
