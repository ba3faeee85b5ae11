import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import test from 'ava';
import {eventually} from '../../helpers/eventually.ts';
import {errand, question, weather} from './asks.ts';
import {type Tenant, useSluice} from './world.ts';

const world = useSluice(test);
const messages = [{role: 'user' as const, content: question}];
const {name, description, parameters} = weather;
const tools = [{name, description, input_schema: parameters}];

/** With its own defaults: two more tries. */
const clientOf = ({url, apiKey}: Tenant) => new Anthropic({baseURL: url, apiKey});

test('Anthropic: messages, whole and streamed, and their headers', async t => {
  const tenant = await world.tenant();
  const {model} = tenant;
  const client = clientOf(tenant);
  const ask = {model, max_tokens: 16, system: 'Be brief.', messages};
  const {data, response, request_id} = await client.messages.create(ask).withResponse();
  t.is(data.stop_reason, 'max_tokens');
  const [block] = data.content;
  assert(block?.type === 'text');
  t.is(block.text.length, 64);
  t.is(request_id?.length, 36);
  t.is(request_id, response.headers.get('x-request-id'));
  tenant.saw(data.usage);

  const events = await Array.fromAsync(await client.messages.create({...ask, stream: true}));
  const texts = events.map(event =>
    event.type === 'content_block_delta' && event.delta.type === 'text_delta'
      ? event.delta.text
      : '',
  );
  t.is(texts.join(''), block.text);
  const [first, last] = [events[0], events.at(-2)];
  assert(first?.type === 'message_start' && last?.type === 'message_delta');
  tenant.saw({
    input_tokens: first.message.usage.input_tokens,
    output_tokens: last.usage.output_tokens,
  });

  const stream = client.messages.stream(ask);
  const words: string[] = [];
  stream.on('text', text => words.push(text));
  const final = await stream.finalMessage();
  t.is(words.join(''), await stream.finalText());
  tenant.saw(final.usage);
  await t.notThrowsAsync(tenant.charged());
});

test('Anthropic: a tool is called by a stream, and its answer goes back', async t => {
  const tenant = await world.tenant();
  const {model} = tenant;
  const client = clientOf(tenant);
  const asked = {role: 'user' as const, content: errand};
  const stream = client.messages.stream({model, max_tokens: 100, messages: [asked], tools});
  const parts: string[] = [];
  stream.on('inputJson', part => parts.push(part));
  const first = await stream.finalMessage();
  t.is(first.stop_reason, 'tool_use');
  const [call] = first.content;
  assert(call?.type === 'tool_use');
  t.is(call.name, name);
  t.is(typeof (call.input as {city: unknown}).city, 'string');
  t.deepEqual(JSON.parse(parts.join('')), call.input);
  tenant.saw(first.usage);
  const result = {type: 'tool_result' as const, tool_use_id: call.id, content: '18 degrees'};
  const next = await client.messages.create({
    model,
    max_tokens: 100,
    tools,
    messages: [
      asked,
      {role: 'assistant', content: first.content},
      {role: 'user', content: [result]},
    ],
  });
  t.is(next.stop_reason, 'end_turn');
  tenant.saw(next.usage);
  const whole = await client.messages.create({
    model,
    max_tokens: 100,
    tools,
    tool_choice: {type: 'any'},
    messages: [asked],
  });
  t.deepEqual(
    whole.content.map(block => block.type === 'tool_use' && block.input),
    [call.input],
  );
  tenant.saw(whole.usage);
  await t.notThrowsAsync(tenant.charged());
});

test('Anthropic: a tool runner calls a function until there is an answer', async t => {
  const tenant = await world.tenant();
  const given: unknown[] = [];
  const runner = clientOf(tenant).beta.messages.toolRunner({
    model: tenant.model,
    max_tokens: 100,
    messages: [{role: 'user', content: errand}],
    tools: [
      {
        name,
        description,
        input_schema: parameters,
        parse: value => value,
        run: value => {
          given.push(value);
          return '18 degrees';
        },
      },
    ],
  });
  for await (const message of runner) {
    tenant.saw(message.usage);
  }
  t.is(given.length, 1);
  await t.notThrowsAsync(tenant.charged());
});

test('Anthropic: models are listed and shown', async t => {
  const tenant = await world.tenant();
  const client = clientOf(tenant);
  const names: string[] = [];
  for await (const model of client.models.list()) {
    names.push(model.id);
  }
  t.true(names.includes(tenant.model));
  t.is((await client.models.retrieve(tenant.model)).id, tenant.model);
  // As the client did before 1.0.
  const headers = {'x-api-key': tenant.apiKey};
  const older = new Anthropic({
    baseURL: tenant.url,
    apiKey: null,
    authToken: null,
    defaultHeaders: headers,
  });
  t.is((await older.models.retrieve(tenant.model)).id, tenant.model);
});

test('Anthropic: a stream that the client leaves is charged what was sent', async t => {
  const tenant = await world.tenant();
  const slow = await world.model(t, 'slow-anthropic', {tokenDelayMs: 20, defaultTokens: 1_000});
  const before = slow.counters();
  const stream = clientOf(tenant).messages.stream({
    model: 'slow-anthropic',
    max_tokens: 1_000,
    messages,
  });
  await new Promise<void>(resolve => stream.once('text', () => resolve()));
  stream.abort();
  await t.throwsAsync(stream.finalMessage(), {instanceOf: Anthropic.APIUserAbortError});
  const after = await eventually(() => {
    const counters = slow.counters();
    assert.equal(counters.aborted, 1);
    return counters;
  });
  tenant.saw({
    input_tokens: after.promptTokens - before.promptTokens,
    output_tokens: after.tokensSent - before.tokensSent,
  });
  await t.notThrowsAsync(tenant.charged());
});

test('Anthropic: refusals are of its classes', async t => {
  const tenant = await world.tenant({limit: '0.000001'});
  const {model} = tenant;
  const client = clientOf(tenant);
  const ask = (more: object = {}) =>
    client.messages.create({model, max_tokens: 16, messages, ...more} as never);
  const poor = await t.throwsAsync(ask(), {instanceOf: Anthropic.APIError});
  t.like(poor, {status: 402, type: 'billing_error'});
  t.regex((poor as InstanceType<typeof Anthropic.APIError>).message, /billing_error/);
  await t.throwsAsync(ask({model: 'nope'}), {instanceOf: Anthropic.NotFoundError});
  await t.throwsAsync(ask({messages: 'x'}), {instanceOf: Anthropic.BadRequestError});
  const stranger = new Anthropic({baseURL: tenant.url, apiKey: 'sk-none'});
  await t.throwsAsync(stranger.messages.create({model, max_tokens: 1, messages}), {
    instanceOf: Anthropic.AuthenticationError,
  });
  await t.throwsAsync(client.messages.countTokens({model, messages}), {
    instanceOf: Anthropic.NotFoundError,
  });
  await t.notThrowsAsync(tenant.charged());
});

test('Anthropic: a key over its limit is told when to come again, and the client does by itself', async t => {
  const tenant = await world.tenant();
  // One more is there after two seconds.
  const apiKey = await tenant.key({requestsPerMinute: 30});
  const ask = {model: tenant.model, messages, max_tokens: 1};
  const client = new Anthropic({baseURL: tenant.url, apiKey, maxRetries: 0});
  const outcomes = await Promise.allSettled(
    Array.from({length: 60}, () => client.messages.create(ask)),
  );
  const refused = outcomes.filter(outcome => outcome.status === 'rejected');
  t.true(refused.length > 0);
  t.true(refused.every(({reason}) => reason instanceof Anthropic.RateLimitError));
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') {
      tenant.saw(outcome.value.usage);
    }
  }
  const patient = new Anthropic({baseURL: tenant.url, apiKey});
  tenant.saw((await patient.messages.create(ask)).usage);
  await t.notThrowsAsync(tenant.charged());
});
