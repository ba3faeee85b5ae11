import assert from 'node:assert/strict';
import {ChatAnthropic} from '@langchain/anthropic';
import type {BaseChatModel} from '@langchain/core/language_models/chat_models';
import {
  type AIMessage,
  type AIMessageChunk,
  HumanMessage,
  ToolMessage,
} from '@langchain/core/messages';
import {StringOutputParser} from '@langchain/core/output_parsers';
import {ChatPromptTemplate} from '@langchain/core/prompts';
import {tool} from '@langchain/core/tools';
import {ChatOpenAI, OpenAI, OpenAIEmbeddings} from '@langchain/openai';
import test from 'ava';
import {z} from 'zod';
import {errand, question} from './asks.ts';
import {type Tenant, useSluice} from './world.ts';

const world = useSluice(test);
const place = z.object({name: z.string(), inhabitants: z.int(), rivers: z.array(z.string())});

const chatOf = ({baseURL, apiKey, model}: Tenant, more: object = {}) =>
  new ChatOpenAI({model, apiKey, configuration: {baseURL}, ...more});

/** The ways by which LangChain asks a model. */
const ways: Readonly<
  Record<string, (tenant: Tenant) => BaseChatModel & Pick<ChatOpenAI, 'bindTools'>>
> = {
  ChatOpenAI: tenant => chatOf(tenant) as never,
  'ChatOpenAI by responses': tenant => chatOf(tenant, {useResponsesApi: true}) as never,
  ChatAnthropic: ({url, apiKey, model}) =>
    new ChatAnthropic({model, apiKey, anthropicApiUrl: url, maxTokens: 200}) as never,
};

const usageOf = ({usage_metadata: usage}: AIMessage | AIMessageChunk) => usage;

const lookUp = tool(async ({city}: {city: string}) => `18 degrees in ${city}`, {
  name: 'get_weather',
  description: 'The weather of a city.',
  schema: z.object({city: z.string(), days: z.int()}),
});

for (const [name, modelOf] of Object.entries(ways)) {
  test(`LangChain, ${name}: invoke, stream and batch`, async t => {
    const tenant = await world.tenant();
    const model = modelOf(tenant);
    const whole = await model.invoke([['system', 'Be brief.'], new HumanMessage(question)]);
    t.true(whole.text.length > 0);
    tenant.saw(usageOf(whole));
    let sum: AIMessageChunk | undefined;
    let chunks = 0;
    for await (const chunk of await model.stream([
      ['system', 'Be brief.'],
      ['human', question],
    ])) {
      sum = sum?.concat(chunk) ?? chunk;
      chunks += 1;
    }
    assert(sum);
    t.true(chunks > 3);
    t.is(sum.text, whole.text);
    tenant.saw(usageOf(sum));
    for (const message of await model.batch(['One?', 'Two?'])) {
      tenant.saw(usageOf(message));
    }
    await t.notThrowsAsync(tenant.charged());
  });

  test(`LangChain, ${name}: a bound tool is called by a stream, and its answer goes back`, async t => {
    const tenant = await world.tenant();
    const model = modelOf(tenant).bindTools([lookUp]);
    const asked = new HumanMessage(errand);
    let called: AIMessageChunk | undefined;
    for await (const chunk of await model.stream([asked])) {
      called = called?.concat(chunk) ?? chunk;
    }
    assert(called);
    const [call] = called.tool_calls ?? [];
    assert(call);
    t.is(call.name, lookUp.name);
    t.is(typeof call.args.city, 'string');
    tenant.saw(usageOf(called));
    const told = (await lookUp.invoke({...call, type: 'tool_call'} as never)) as ToolMessage;
    t.true(told instanceof ToolMessage);
    const answer = await model.invoke([asked, called, told]);
    t.deepEqual(answer.tool_calls ?? [], []);
    t.true(answer.text.length > 0);
    tenant.saw(usageOf(answer));
    await t.notThrowsAsync(tenant.charged());
  });

  test(`LangChain, ${name}: withStructuredOutput keeps to its schema`, async t => {
    const tenant = await world.tenant();
    const model = modelOf(tenant).withStructuredOutput(place, {name: 'place', includeRaw: true});
    const {raw, parsed} = await model.invoke(question);
    t.true(place.safeParse(parsed).success, JSON.stringify(parsed));
    tenant.saw(usageOf(raw as AIMessage));
    await t.notThrowsAsync(tenant.charged());
  });
}

test('LangChain: a chain of prompt, model and parser streams its text', async t => {
  const tenant = await world.tenant();
  const usages: unknown[] = [];
  const chain = ChatPromptTemplate.fromTemplate('What is the weather in {city}?')
    .pipe(chatOf(tenant))
    .pipe(new StringOutputParser());
  const callbacks = [
    {
      handleLLMEnd: ({generations}: {generations: unknown[][]}) => {
        const [[generation] = []] = generations;
        usages.push((generation as {message: AIMessage}).message.usage_metadata);
      },
    },
  ];
  const parts = await Array.fromAsync(await chain.stream({city: 'Ulm'}, {callbacks}));
  t.is(parts.join('').length, 128);
  t.is(usages.length, 1);
  tenant.saw(usages[0] as never);
  await t.notThrowsAsync(tenant.charged());
});

test('LangChain: function calling and completions of the older kind', async t => {
  const tenant = await world.tenant();
  const structured = chatOf(tenant).withStructuredOutput(place, {
    method: 'functionCalling',
    includeRaw: true,
    name: 'place',
  });
  const {raw, parsed} = await structured.invoke(question);
  t.true(place.safeParse(parsed).success);
  tenant.saw(usageOf(raw as AIMessage));
  const {baseURL, apiKey, model} = tenant;
  const older = new OpenAI({model, apiKey, configuration: {baseURL}, maxTokens: 8});
  const {generations, llmOutput} = await older.generate(['Once']);
  t.is(generations[0]?.[0]?.text.length, 32);
  const {promptTokens, completionTokens} = (llmOutput?.tokenUsage ?? {}) as Record<string, number>;
  tenant.saw({prompt_tokens: promptTokens ?? 0, completion_tokens: completionTokens ?? 0});
  await t.notThrowsAsync(tenant.charged());
});

test('LangChain: embeddings of documents and of a query', async t => {
  const tenant = await world.tenant();
  const {baseURL, apiKey, embedding} = tenant;
  const embeddings = new OpenAIEmbeddings({
    model: embedding,
    apiKey,
    configuration: {baseURL},
    dimensions: 32,
    batchSize: 2,
  });
  const documents = await embeddings.embedDocuments(['the sun', 'the sea', 'the sky']);
  t.deepEqual(
    documents.map(vector => vector.length),
    [32, 32, 32],
  );
  t.deepEqual(await embeddings.embedQuery('the sun'), documents[0]);
  // Of their usage it tells nothing: a text of 7 bytes is two tokens here.
  for (const texts of [2, 1, 1]) {
    tenant.saw({prompt_tokens: texts * 2});
  }
  await t.notThrowsAsync(tenant.charged());
});

test('LangChain: a refusal is an error with its status, and is not tried again', async t => {
  const tenant = await world.tenant({limit: '0.000001'});
  for (const [asked, status] of [
    [tenant, 402],
    [{...tenant, apiKey: 'sk-none'}, 401],
    [{...tenant, model: 'nope'}, 404],
  ] as const) {
    for (const modelOf of Object.values(ways)) {
      t.like(await t.throwsAsync(modelOf(asked).invoke(question)), {status});
    }
  }
  await t.notThrowsAsync(tenant.charged());
});
