import Anthropic from '@anthropic-ai/sdk';
import test from 'ava';
import OpenAI from 'openai';
import {startGateway} from '../helpers/gateway.ts';

const model = 'simulated-chat';
const question = 'What is the weather in Ulm?';
const messages = [{role: 'user' as const, content: question}];
const parameters = {type: 'object' as const, properties: {said: {type: 'string'}}};

type Options = Parameters<typeof startGateway>[1];

const withOpenAi = async (t: Parameters<typeof startGateway>[0], options?: Options) => {
  const gateway = await startGateway(t, options);
  const client = new OpenAI({
    baseURL: `${gateway.url}/v1`,
    apiKey: gateway.apiKey,
    maxRetries: 0,
  });
  return {gateway, client};
};

const withAnthropic = async (t: Parameters<typeof startGateway>[0], options?: Options) => {
  const gateway = await startGateway(t, options);
  const client = new Anthropic({baseURL: gateway.url, apiKey: gateway.apiKey, maxRetries: 0});
  return {gateway, client};
};

test('openai: responses.create, with a text and with items', async t => {
  const {gateway, client} = await withOpenAi(t);
  const first = await client.responses.create({model, input: question, max_output_tokens: 16});
  t.is(first.usage?.output_tokens, 16);
  t.true(first.output_text.length > 0);
  const second = await client.responses.create({
    model,
    instructions: 'Be brief.',
    input: [...messages, ...first.output, {role: 'user', content: 'And tomorrow?'}] as never,
  });
  t.is(second.status, 'completed');
  const results = await gateway.settled(2);
  t.deepEqual(
    results.map(({inputTokens, outputTokens}) => [inputTokens, outputTokens]),
    [first, second].map(({usage}) => [usage?.input_tokens, usage?.output_tokens]),
  );
});

test('openai: responses.create, streamed', async t => {
  const {gateway, client} = await withOpenAi(t);
  const stream = await client.responses.create({
    model,
    input: question,
    max_output_tokens: 20,
    stream: true,
  });
  let text = '';
  let usage: OpenAI.Responses.ResponseUsage | undefined;
  for await (const event of stream) {
    if (event.type === 'response.output_text.delta') {
      text += event.delta;
    } else if (event.type === 'response.completed') {
      usage = event.response.usage;
      t.is(event.response.output_text ?? text, text);
    }
  }
  const [result] = await gateway.settled();
  t.is(text.length, 80);
  t.is(usage?.output_tokens, 20);
  t.is(result?.outputTokens, 20);
  t.is(result?.inputTokens, usage?.input_tokens);
});

test('openai: responses.stream calls a tool, and its answer goes back', async t => {
  const {gateway, client} = await withOpenAi(t);
  const tools = [{type: 'function' as const, name: 'say', parameters, strict: false}];
  const response = await client.responses
    .stream({model, input: question, tools, tool_choice: 'required', max_output_tokens: 8})
    .finalResponse();
  const [call] = response.output;
  t.is(call?.type, 'function_call');
  if (call?.type !== 'function_call') {
    return;
  }
  t.is(call.name, 'say');
  t.is(JSON.parse(call.arguments).said.length, 32);
  const next = await client.responses.create({
    model,
    tools,
    input: [
      {role: 'user', content: question},
      {type: 'function_call', call_id: call.call_id, name: call.name, arguments: call.arguments},
      {type: 'function_call_output', call_id: call.call_id, output: '18 degrees'},
    ],
  });
  t.true(next.output_text.length > 0);
  t.is((await gateway.settled(2)).length, 2);
});

test('openai: what is remembered by a server is refused, with the parameter', async t => {
  const {gateway, client} = await withOpenAi(t);
  const ask = (more: object) =>
    t.throwsAsync(client.responses.create({model, input: question, ...more}), {
      instanceOf: OpenAI.BadRequestError,
    });
  for (const more of [
    {previous_response_id: 'resp_1'},
    {conversation: 'conv_1'},
    {store: true},
    {background: true},
    {prompt: {id: 'pmpt_1'}},
  ]) {
    const error = await ask(more);
    t.is((error as InstanceType<typeof OpenAI.APIError>).param, Object.keys(more)[0] ?? '');
  }
  t.is((await ask({tools: [{type: 'web_search'}]}))?.message.slice(0, 3), '400');
  t.deepEqual(gateway.intents(), []);
});

test('openai: a stream that breaks off is an error to who reads it', async t => {
  const {client} = await withOpenAi(t, {model: {faults: ['reset-mid-stream']}});
  const stream = await client.responses.create({model, input: question, stream: true});
  await t.throwsAsync(
    async () => {
      for await (const event of stream) {
        t.not(event.type, 'response.completed');
      }
    },
    {instanceOf: OpenAI.APIError, message: /broke the connection/},
  );
});

test('Anthropic: messages.create', async t => {
  const {gateway, client} = await withAnthropic(t);
  const message = await client.messages.create({
    model,
    max_tokens: 16,
    system: [{type: 'text', text: 'Be brief.', cache_control: {type: 'ephemeral'}}],
    messages,
  });
  t.is(message.stop_reason, 'max_tokens');
  const [block] = message.content;
  t.is(block?.type === 'text' ? block.text.length : 0, 64);
  const [result] = await gateway.settled();
  t.is(result?.outputTokens, message.usage.output_tokens);
  t.is(result?.inputTokens, message.usage.input_tokens);
});

test('Anthropic: messages.create, streamed, by a token', async t => {
  const gateway = await startGateway(t, {model: {cachedPromptShare: 0.5}});
  const client = new Anthropic({baseURL: gateway.url, authToken: gateway.apiKey, apiKey: null});
  const stream = await client.messages.create({model, max_tokens: 20, messages, stream: true});
  let text = '';
  for await (const event of stream) {
    if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') {
      text += event.delta.text;
    }
  }
  t.is(text.length, 80);
  const [result] = await gateway.settled();
  t.is(result?.outputTokens, 20);
  t.true((result?.cachedInputTokens ?? 0) > 0);
});

test('Anthropic: messages.stream calls a tool, and its answer goes back', async t => {
  const {gateway, client} = await withAnthropic(t);
  const tools = [{name: 'say', description: 'Says it.', input_schema: parameters}];
  const first = await client.messages
    .stream({model, max_tokens: 100, messages, tools, tool_choice: {type: 'tool', name: 'say'}})
    .finalMessage();
  t.is(first.stop_reason, 'tool_use');
  const [call] = first.content;
  t.is(call?.type, 'tool_use');
  if (call?.type !== 'tool_use') {
    return;
  }
  t.is((call.input as {said: string}).said.length, 128);
  const next = await client.messages.create({
    model,
    max_tokens: 100,
    tools,
    messages: [
      ...messages,
      {role: 'assistant', content: first.content},
      {
        role: 'user',
        content: [{type: 'tool_result', tool_use_id: call.id, content: '18 degrees'}],
      },
    ],
  });
  t.is(next.stop_reason, 'end_turn');
  const results = await gateway.settled(2);
  t.deepEqual(
    results.map(({inputTokens, outputTokens}) => [inputTokens, outputTokens]),
    [first, next].map(({usage}) => [usage.input_tokens, usage.output_tokens]),
  );
});

test('Anthropic: errors are of its classes', async t => {
  const {gateway, client} = await withAnthropic(t, {budgets: {budget: 10}});
  const ask =
    (more: object = {}) =>
    () =>
      client.messages.create({model, max_tokens: 16, messages, ...more} as never);
  await t.throwsAsync(ask(), {instanceOf: Anthropic.APIError, message: /^402 .*billing_error/});
  await t.throwsAsync(ask({model: 'x'}), {instanceOf: Anthropic.NotFoundError});
  await t.throwsAsync(ask({max_tokens: undefined}), {
    instanceOf: Anthropic.BadRequestError,
    message: /max_tokens is required/,
  });
  const stranger = new Anthropic({baseURL: gateway.url, apiKey: 'x', maxRetries: 0});
  await t.throwsAsync(stranger.messages.create({model, max_tokens: 1, messages}), {
    instanceOf: Anthropic.AuthenticationError,
  });
  t.deepEqual(gateway.intents(), []);
});

test('Anthropic: a stream that breaks off is an error to who reads it', async t => {
  const {client} = await withAnthropic(t, {model: {faults: ['reset-mid-stream']}});
  const stream = client.messages.stream({model, max_tokens: 16, messages});
  await t.throwsAsync(stream.finalMessage(), {
    instanceOf: Anthropic.APIError,
    message: /broke the connection/,
  });
});
