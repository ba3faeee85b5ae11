import assert from 'node:assert/strict';
import {createOpenAI} from '@ai-sdk/openai';
import {createOpenAICompatible} from '@ai-sdk/openai-compatible';
import {
  APICallError,
  embed,
  embedMany,
  generateObject,
  generateText,
  jsonSchema,
  type LanguageModel,
  Output,
  stepCountIs,
  streamObject,
  streamText,
  tool,
} from 'ai';
import test, {type ExecutionContext} from 'ava';
import {z} from 'zod';
import {eventually} from '../../helpers/eventually.ts';
import {errand, question, weather} from './asks.ts';
import {type Tenant, useSluice} from './world.ts';

const world = useSluice(test);
const place = z.object({name: z.string(), inhabitants: z.int(), rivers: z.array(z.string())});

const openAiOf = ({baseURL, apiKey}: Tenant) => createOpenAI({baseURL, apiKey});
const compatibleOf = ({baseURL, apiKey}: Tenant) =>
  createOpenAICompatible({
    name: 'sluice',
    baseURL,
    apiKey,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });

/** The ways by which the AI SDK asks a model: OpenAI's newer route, its chats, and the chats of any other server. */
const ways: Readonly<Record<string, (tenant: Tenant) => LanguageModel>> = {
  'openai responses': tenant => openAiOf(tenant)(tenant.model),
  'openai chat': tenant => openAiOf(tenant).chat(tenant.model),
  'openai-compatible': tenant => compatibleOf(tenant)(tenant.model),
};

const weatherTool = (given: unknown[]) =>
  tool({
    description: weather.description,
    inputSchema: jsonSchema<{city: string; days: number}>(weather.parameters as never),
    execute: async input => {
      given.push(input);
      return {degrees: 18};
    },
  });

const isPlace = (t: ExecutionContext, value: unknown) =>
  t.true(place.safeParse(value).success, JSON.stringify(value));

for (const [name, modelOf] of Object.entries(ways)) {
  test(`AI SDK, ${name}: generateText and streamText say the same`, async t => {
    const tenant = await world.tenant();
    const model = modelOf(tenant);
    const ask = {model, prompt: question, maxOutputTokens: 20};
    const {text, usage, finishReason} = await generateText(ask);
    t.is(text.length, 80);
    t.is(finishReason, 'length');
    tenant.saw(usage);
    const stream = streamText(ask);
    t.is((await Array.fromAsync(stream.textStream)).join(''), text);
    tenant.saw(await stream.usage);
    await t.notThrowsAsync(tenant.charged());
  });

  test(`AI SDK, ${name}: a tool is called and answered, whole and streamed`, async t => {
    const tenant = await world.tenant();
    const given: unknown[] = [];
    const ask = {
      model: modelOf(tenant),
      prompt: errand,
      tools: {[weather.name]: weatherTool(given)},
      stopWhen: stepCountIs(4),
    };
    const whole = await generateText(ask);
    const stream = streamText(ask);
    t.true((await stream.text).length > 0);
    t.is(given.length, 2);
    t.deepEqual(given[0], given[1]);
    for (const steps of [whole.steps, await stream.steps]) {
      t.deepEqual(
        steps.map(({finishReason}) => finishReason),
        ['tool-calls', 'stop'],
      );
      for (const {usage} of steps) {
        tenant.saw(usage);
      }
    }
    await t.notThrowsAsync(tenant.charged());
  });

  test(`AI SDK, ${name}: an answer keeps to a schema`, async t => {
    const tenant = await world.tenant();
    const ask = {model: modelOf(tenant), prompt: question};
    const whole = await generateObject({...ask, schema: place});
    isPlace(t, whole.object);
    tenant.saw(whole.usage);
    const stream = streamObject({...ask, schema: place});
    const partial = await Array.fromAsync(stream.partialObjectStream);
    t.true(partial.length > 1);
    t.deepEqual(await stream.object, whole.object);
    tenant.saw(await stream.usage);
    const output = await generateText({...ask, output: Output.object({schema: place})});
    t.deepEqual(output.output, whole.object);
    tenant.saw(output.usage);
    await t.notThrowsAsync(tenant.charged());
  });
}

test('AI SDK: embed and embedMany', async t => {
  const tenant = await world.tenant();
  for (const model of [
    openAiOf(tenant).embedding(tenant.embedding),
    compatibleOf(tenant).embeddingModel(tenant.embedding),
  ]) {
    const {embedding, usage} = await embed({model, value: 'the sun'});
    t.is(embedding.length, 256);
    tenant.saw({prompt_tokens: usage.tokens});
    const many = await embedMany({model, values: ['the sun', 'the sea', 'the sky']});
    t.deepEqual(many.embeddings[0], embedding);
    t.is(many.embeddings.length, 3);
    tenant.saw({prompt_tokens: many.usage.tokens});
  }
  await t.notThrowsAsync(tenant.charged());
});

test('AI SDK: a stream that is aborted is charged what was sent', async t => {
  const tenant = await world.tenant();
  const slow = await world.model(t, 'slow-ai-sdk', {tokenDelayMs: 20, defaultTokens: 1_000});
  const before = slow.counters();
  const gone = new AbortController();
  const stream = streamText({
    model: openAiOf(tenant).chat('slow-ai-sdk'),
    prompt: question,
    maxOutputTokens: 1_000,
    abortSignal: gone.signal,
    onError: () => {},
  });
  let parts = 0;
  for await (const _part of stream.textStream) {
    parts += 1;
    if (parts === 3) {
      gone.abort();
    }
  }
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

test('AI SDK: a refusal has its status, and is tried again only where that may help', async t => {
  const tenant = await world.tenant({limit: '0.000001'});
  const refused = async (model: LanguageModel, status: number, code: string) => {
    const error = await t.throwsAsync(generateText({model, prompt: question}));
    assert(APICallError.isInstance(error), String(error));
    t.is(error.statusCode, status);
    t.false(error.isRetryable);
    const {error: told} = JSON.parse(error.responseBody ?? '') as {error: {code: string}};
    t.is(told.code, code);
  };
  for (const modelOf of Object.values(ways)) {
    await refused(modelOf(tenant), 402, 'insufficient_quota');
    await refused(modelOf({...tenant, apiKey: 'sk-none'}), 401, 'unauthorized');
    await refused(modelOf({...tenant, model: 'nope'}), 404, 'model_not_found');
  }
  await t.notThrowsAsync(tenant.charged());
});

test('AI SDK: a key over its limit is served when its time has come', async t => {
  const tenant = await world.tenant();
  // One more is there after two seconds.
  const apiKey = await tenant.key({requestsPerMinute: 30});
  const model = compatibleOf({...tenant, apiKey})(tenant.model);
  const ask = {model, prompt: question, maxOutputTokens: 1};
  const outcomes = await Promise.allSettled(
    Array.from({length: 60}, () => generateText({...ask, maxRetries: 0})),
  );
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') {
      tenant.saw(outcome.value.usage);
    }
  }
  const refused = outcomes.filter(outcome => outcome.status === 'rejected');
  t.true(refused.length > 0);
  t.true(refused.every(({reason}) => reason.statusCode === 429 && reason.isRetryable));
  tenant.saw((await generateText(ask)).usage);
  await t.notThrowsAsync(tenant.charged());
});
