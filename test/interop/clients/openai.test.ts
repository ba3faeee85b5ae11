import assert from 'node:assert/strict';
import test from 'ava';
import OpenAI from 'openai';
import {eventually} from '../../helpers/eventually.ts';
import {errand, place, question, weather} from './asks.ts';
import {type Tenant, useSluice} from './world.ts';

const world = useSluice(test);
const messages = [{role: 'user' as const, content: question}];
const tools = [{type: 'function' as const, function: weather}];

/** With its own defaults: two more tries. */
const clientOf = ({baseURL, apiKey}: Tenant) => new OpenAI({baseURL, apiKey});

const isWeather = (text: string) => {
  const {city, days} = JSON.parse(text) as {city: unknown; days: unknown};
  return typeof city === 'string' && Number.isInteger(days);
};

test('openai: chats, whole, with several choices, and their headers', async t => {
  const tenant = await world.tenant();
  const client = clientOf(tenant);
  const {data, response, request_id} = await client.chat.completions
    .create({model: tenant.model, messages, max_tokens: 12})
    .withResponse();
  t.is(data.choices[0]?.message.content?.length, 48);
  t.is(data.choices[0]?.finish_reason, 'length');
  t.is(request_id, response.headers.get('x-request-id'));
  t.truthy(response.headers.get('x-sluice-budget-remaining-usd'));
  tenant.saw(data.usage);
  const two = await client.chat.completions.create({model: tenant.model, messages, n: 2});
  t.is(two.choices.length, 2);
  tenant.saw(two.usage);
  await t.notThrowsAsync(tenant.charged());
});

test('openai: chats, streamed, with usage and without', async t => {
  const tenant = await world.tenant();
  const client = clientOf(tenant);
  const ask = {model: tenant.model, messages, max_tokens: 15, stream: true} as const;
  const read = async (stream: AsyncIterable<OpenAI.ChatCompletionChunk>) => {
    const chunks = await Array.fromAsync(stream);
    const text = chunks.map(({choices}) => choices[0]?.delta.content ?? '').join('');
    return {text, usages: chunks.map(({usage}) => usage), last: chunks.at(-1)};
  };
  const told = await read(
    await client.chat.completions.create({...ask, stream_options: {include_usage: true}}),
  );
  t.is(told.text.length, 60);
  t.deepEqual(told.last?.choices, []);
  t.true(told.usages.slice(0, -1).every(usage => usage === null));
  tenant.saw(told.last?.usage);
  const untold = await read(await client.chat.completions.create(ask));
  t.is(untold.text, told.text);
  t.is(untold.last?.choices[0]?.finish_reason, 'length');
  t.true(untold.usages.every(usage => usage === undefined));
  tenant.saw(told.last?.usage);
  await t.notThrowsAsync(tenant.charged());
});

test('openai: a tool is called, and its answer goes back', async t => {
  const tenant = await world.tenant();
  const client = clientOf(tenant);
  const asked = {role: 'user' as const, content: errand};
  const first = await client.chat.completions.create({
    model: tenant.model,
    messages: [asked],
    tools,
  });
  const [choice] = first.choices;
  t.is(choice?.finish_reason, 'tool_calls');
  assert(choice);
  const [call] = choice.message.tool_calls ?? [];
  assert(call?.type === 'function');
  t.is(call.function.name, weather.name);
  t.true(isWeather(call.function.arguments));
  tenant.saw(first.usage);
  const next = await client.chat.completions.create({
    model: tenant.model,
    messages: [asked, choice.message, {role: 'tool', tool_call_id: call.id, content: '18 degrees'}],
    tools,
  });
  t.is(next.choices[0]?.finish_reason, 'stop');
  t.truthy(next.choices[0]?.message.content);
  tenant.saw(next.usage);
  await t.notThrowsAsync(tenant.charged());
});

test('openai: runTools calls a function by streams until there is an answer', async t => {
  const tenant = await world.tenant();
  const asked: unknown[] = [];
  const runner = clientOf(tenant).chat.completions.runTools({
    model: tenant.model,
    messages: [{role: 'user', content: errand}],
    stream: true,
    stream_options: {include_usage: true},
    tools: [
      {
        type: 'function',
        function: {
          ...weather,
          parse: JSON.parse,
          function: (given: unknown) => {
            asked.push(given);
            return '18 degrees';
          },
        },
      },
    ],
  });
  const deltas: string[] = [];
  runner.on('chunk', ({choices, usage}) => {
    deltas.push(choices[0]?.delta.tool_calls?.[0]?.function?.arguments ?? '');
    if (usage) {
      tenant.saw(usage);
    }
  });
  t.truthy(await runner.finalContent());
  t.is(asked.length, 1);
  t.deepEqual(JSON.parse(deltas.join('')), asked[0]);
  t.true(deltas.filter(text => text !== '').length > 1);
  await t.notThrowsAsync(tenant.charged());
});

test('openai: a tool may have the name of what the gateway looks for in a stream', async t => {
  const tenant = await world.tenant();
  const properties = {usage: {type: 'string'}};
  const parameters = {type: 'object', properties, required: ['usage']};
  const stream = await clientOf(tenant).chat.completions.create({
    model: tenant.model,
    messages,
    tools: [{type: 'function', function: {name: 'usage', parameters}}],
    tool_choice: 'required',
    stream: true,
    stream_options: {include_usage: true},
  });
  const chunks = await Array.fromAsync(stream);
  const calls = chunks.flatMap(({choices}) => choices[0]?.delta.tool_calls ?? []);
  t.is(calls[0]?.function?.name, 'usage');
  const given = calls.map(call => call.function?.arguments ?? '').join('');
  t.deepEqual(Object.keys(JSON.parse(given)), ['usage']);
  tenant.saw(chunks.at(-1)?.usage);
  await t.notThrowsAsync(tenant.charged());
});

test('openai: an answer keeps to a schema, parsed by the client', async t => {
  const tenant = await world.tenant();
  const client = clientOf(tenant);
  const format = {
    type: 'json_schema' as const,
    json_schema: {name: 'place', schema: place, strict: true},
  };
  const parsed = await client.chat.completions.parse({
    model: tenant.model,
    messages,
    response_format: format,
  });
  const found = parsed.choices[0]?.message.parsed as {rivers?: unknown} | null | undefined;
  t.true(Array.isArray(found?.rivers));
  tenant.saw(parsed.usage);
  const stream = client.chat.completions.stream({
    model: tenant.model,
    messages,
    response_format: format,
    stream_options: {include_usage: true},
  });
  const streamed = await stream.finalChatCompletion();
  t.deepEqual(streamed.choices[0]?.message.parsed as unknown, found);
  tenant.saw(streamed.usage);
  await t.notThrowsAsync(tenant.charged());
});

test('openai: completions and embeddings', async t => {
  const tenant = await world.tenant();
  const client = clientOf(tenant);
  const completion = await client.completions.create({model: tenant.model, prompt: 'Once'});
  t.is(completion.choices[0]?.text.length, 64);
  tenant.saw(completion.usage);
  const stream = await client.completions.create({
    model: tenant.model,
    prompt: ['Once', 'Twice'],
    max_tokens: 5,
    stream: true,
    stream_options: {include_usage: true},
  });
  const chunks = await Array.fromAsync(stream);
  const texts = [0, 1].map(wanted =>
    chunks
      .flatMap(({choices}) => choices)
      .filter(({index}) => index === wanted)
      .map(({text}) => text)
      .join(''),
  );
  t.deepEqual(
    texts.map(text => text.length),
    [20, 20],
  );
  tenant.saw(chunks.at(-1)?.usage);
  // The client asks for base64 by itself, and decodes it.
  const one = await client.embeddings.create({model: tenant.embedding, input: 'the sun'});
  t.is(one.data[0]?.embedding.length, 256);
  t.true(one.data[0]?.embedding.every(part => typeof part === 'number'));
  tenant.saw(one.usage);
  const more = await client.embeddings.create({
    model: tenant.embedding,
    input: ['the sun', 'the sea'],
    dimensions: 16,
    encoding_format: 'float',
  });
  t.deepEqual(
    more.data.map(({embedding}) => embedding.length),
    [16, 16],
  );
  tenant.saw(more.usage);
  await t.notThrowsAsync(tenant.charged());
});

test('openai: responses, whole, streamed, with a tool and with a schema', async t => {
  const tenant = await world.tenant();
  const client = clientOf(tenant);
  const {model} = tenant;
  const whole = await client.responses.create({model, input: question, max_output_tokens: 16});
  t.is(whole.output_text.length, 64);
  tenant.saw(whole.usage);
  const events = await Array.fromAsync(
    await client.responses.create({model, input: question, max_output_tokens: 16, stream: true}),
  );
  const deltas = events.filter(event => event.type === 'response.output_text.delta');
  t.is(deltas.map(({delta}) => delta).join(''), whole.output_text);
  const end = events.at(-1);
  assert(end?.type === 'response.completed');
  tenant.saw(end.response.usage);
  const called = await client.responses
    .stream({model, input: errand, tools: [{type: 'function', strict: true, ...weather}]})
    .finalResponse();
  const [call] = called.output;
  assert(call?.type === 'function_call');
  t.true(isWeather(call.arguments));
  tenant.saw(called.usage);
  const {output_parsed: parsed, usage} = await client.responses.parse({
    model,
    input: question,
    text: {format: {type: 'json_schema', name: 'place', schema: place, strict: true}},
  });
  t.deepEqual(Object.keys(parsed ?? {}), place.required);
  tenant.saw(usage);
  await t.notThrowsAsync(tenant.charged());
});

test('openai: models are listed by pages and shown by name', async t => {
  const tenant = await world.tenant();
  const client = clientOf(tenant);
  const names: string[] = [];
  for await (const {id, object} of client.models.list()) {
    t.is(object, 'model');
    names.push(id);
  }
  t.true(names.includes(tenant.model) && names.includes(tenant.embedding));
  t.is((await client.models.retrieve(tenant.model)).id, tenant.model);
  await t.throwsAsync(client.models.retrieve('nope'), {instanceOf: OpenAI.NotFoundError});
});

test('openai: a stream that the client leaves is charged what was sent, and the model stops', async t => {
  const tenant = await world.tenant();
  const slow = await world.model(t, 'slow-openai', {tokenDelayMs: 20, defaultTokens: 1_000});
  const before = slow.counters();
  const stream = await clientOf(tenant).chat.completions.create({
    model: 'slow-openai',
    messages,
    max_tokens: 1_000,
    stream: true,
  });
  let chunks = 0;
  for await (const _chunk of stream) {
    chunks += 1;
    if (chunks === 4) {
      break;
    }
  }
  const after = await eventually(() => {
    const counters = slow.counters();
    assert.equal(counters.aborted, 1);
    return counters;
  });
  const sent = after.tokensSent - before.tokensSent;
  t.true(sent < 900, `${sent}`);
  const prompt = after.promptTokens - before.promptTokens;
  tenant.saw({prompt_tokens: prompt, completion_tokens: sent});
  await t.notThrowsAsync(tenant.charged());
  const gone = new AbortController();
  const waiting = clientOf(tenant).chat.completions.create(
    {model: 'slow-openai', messages, max_tokens: 1_000},
    {signal: gone.signal},
  );
  await eventually(() => assert.equal(slow.counters().running, 1));
  gone.abort();
  await t.throwsAsync(waiting, {instanceOf: OpenAI.APIUserAbortError});
  await eventually(() => assert.equal(slow.counters().running, 0));
});

test('openai: refusals are of its classes', async t => {
  const tenant = await world.tenant({limit: '0.000001'});
  const client = clientOf(tenant);
  const ask = (more: object = {}) => ({model: tenant.model, messages, ...more});
  await t.throwsAsync(
    new OpenAI({
      baseURL: tenant.baseURL,
      apiKey: `${tenant.apiKey.slice(0, -4)}AAAA`,
    }).models.list(),
    {instanceOf: OpenAI.AuthenticationError},
  );
  await t.throwsAsync(client.chat.completions.create(ask({model: 'nope'})), {
    instanceOf: OpenAI.NotFoundError,
    code: 'model_not_found',
  });
  const wrong = await t.throwsAsync(client.chat.completions.create(ask({messages: 'x'})), {
    instanceOf: OpenAI.BadRequestError,
  });
  t.is((wrong as InstanceType<typeof OpenAI.APIError>).param, 'messages');
  const poor = await t.throwsAsync(client.chat.completions.create(ask()), {
    instanceOf: OpenAI.APIError,
    code: 'insufficient_quota',
  });
  t.like(poor, {status: 402});
  t.regex((poor as InstanceType<typeof OpenAI.APIError>).requestID ?? '', /^[0-9a-f-]{36}$/);
  await t.notThrowsAsync(tenant.charged());
});

test('openai: a key over its limit is told when to come again, and the client does by itself', async t => {
  const tenant = await world.tenant();
  // One more is there after two seconds.
  const apiKey = await tenant.key({requestsPerMinute: 30});
  const client = new OpenAI({baseURL: tenant.baseURL, apiKey, maxRetries: 0});
  const ask = {model: tenant.model, messages, max_tokens: 1} as const;
  const outcomes = await Promise.allSettled(
    Array.from({length: 60}, () => client.chat.completions.create(ask)),
  );
  const refused = outcomes.flatMap(outcome =>
    outcome.status === 'rejected' ? [outcome.reason as InstanceType<typeof OpenAI.APIError>] : [],
  );
  t.true(refused.length > 0);
  t.true(refused.every(error => error instanceof OpenAI.RateLimitError));
  t.is(refused[0]?.headers?.get('x-ratelimit-limit-requests'), '30');
  const waitMs = Number(refused.at(-1)?.headers?.get('retry-after-ms'));
  t.true(waitMs > 0 && waitMs <= 2_000, `${waitMs}`);
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') {
      tenant.saw(outcome.value.usage);
    }
  }
  const patient = new OpenAI({baseURL: tenant.baseURL, apiKey});
  tenant.saw((await patient.chat.completions.create(ask)).usage);
  await t.notThrowsAsync(tenant.charged());
});
