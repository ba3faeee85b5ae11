import test from 'ava';
import OpenAI from 'openai';
import {type Chunk, chat, readStream, startModel, until} from '../helpers/simulated-model.ts';

const textOf = (chunks: Chunk[]) =>
  chunks.map(({choices}) => choices[0]?.delta?.content ?? choices[0]?.text ?? '').join('');

test('a chat answers with words, usage and the mark of a simulation', async t => {
  const model = await startModel(t);
  const response = await model.post('/v1/chat/completions', chat({max_tokens: 5}));
  const body = JSON.parse(await response.text());
  t.is(response.status, 200);
  t.is(response.headers.get('x-simulated-model'), 'true');
  t.is(body.object, 'chat.completion');
  t.is(body.choices[0].message.role, 'assistant');
  t.is(body.choices[0].message.content.trim().split(' ').length, 5);
  t.is(body.choices[0].finish_reason, 'length');
  t.is(body.usage.completion_tokens, 5);
  t.is(body.usage.prompt_tokens, 4 + 4 + 3);
  t.is(body.usage.total_tokens, 16);
});

test('the same request gets the same words, another prompt gets others', async t => {
  const model = await startModel(t);
  const ask = async (content: string) => {
    const {body} = await model.postJson(
      '/v1/chat/completions',
      chat({messages: [{role: 'user', content}]}),
    );
    return body.choices[0].message.content;
  };
  t.is(await ask('one'), await ask('one'));
  t.not(await ask('one'), await ask('two'));
});

test('a stream has one token a chunk and says the same as the whole answer', async t => {
  const model = await startModel(t);
  const whole = await model.postJson('/v1/chat/completions', chat());
  const response = await model.post('/v1/chat/completions', chat({stream: true}));
  t.regex(response.headers.get('content-type') ?? '', /^text\/event-stream/);
  t.is(response.headers.get('x-simulated-model'), 'true');
  const {chunks, done} = await readStream(response);
  t.true(done);
  t.is(chunks.length, 1 + 32);
  t.is(chunks[0]?.choices[0]?.delta?.role, 'assistant');
  t.is(textOf(chunks), whole.body.choices[0].message.content);
  t.is(chunks.at(-1)?.choices[0]?.finish_reason, 'stop');
  t.true(chunks.every(({usage}) => usage === undefined));
  t.is(model.counters().tokensGenerated, 64);
  t.is(model.counters().tokensSent, 64);
});

test('include_usage adds a last chunk with the sum of every choice', async t => {
  const model = await startModel(t);
  const body = chat({stream: true, n: 3, max_tokens: 4, stream_options: {include_usage: true}});
  const {chunks} = await readStream(await model.post('/v1/chat/completions', body));
  t.deepEqual(chunks.at(-1)?.choices, []);
  t.is(chunks.at(-1)?.usage?.completion_tokens, 12);
  t.is(chunks.filter(({usage}) => usage).length, 1);
  t.is(chunks.length, 3 + 12 + 1);
});

test('continuous_usage_stats reports each choice by itself in every chunk', async t => {
  const model = await startModel(t);
  const stream_options = {include_usage: true, continuous_usage_stats: true};
  const body = chat({stream: true, n: 2, max_tokens: 3, stream_options});
  const {chunks} = await readStream(await model.post('/v1/chat/completions', body));
  const reports = chunks.map(({usage}) => usage?.completion_tokens);
  t.deepEqual(reports, [0, 0, 1, 1, 2, 2, 3, 3, 6]);
});

const usageSeen = async (
  t: Parameters<typeof startModel>[0],
  usage: 'every-chunk' | 'last-chunk' | 'none',
) => {
  const model = await startModel(t, {usage});
  const stream_options = {include_usage: true, continuous_usage_stats: true};
  const response = await model.post('/v1/chat/completions', chat({stream: true, stream_options}));
  const {chunks} = await readStream(response);
  return chunks.filter(chunk => chunk.usage).length;
};

test('a server of each usage ability reports as often as it can', async t => {
  t.is(await usageSeen(t, 'every-chunk'), 34);
  t.is(await usageSeen(t, 'last-chunk'), 1);
  t.is(await usageSeen(t, 'none'), 0);
});

test('completions take texts and token ids, n and best_of, and count what nobody sees', async t => {
  const model = await startModel(t);
  const prompt = [
    [1, 2, 3],
    [4, 5, 6, 7],
  ];
  const body = {model: 'simulated-chat', prompt, n: 2, best_of: 3, max_tokens: 5};
  const {body: answer} = await model.postJson('/v1/completions', body);
  t.deepEqual(
    answer.choices.map(({index}: {index: number}) => index),
    [0, 1, 2, 3],
  );
  t.is(answer.usage.prompt_tokens, 7);
  t.is(answer.usage.completion_tokens, 2 * 3 * 5);
  t.is(model.counters().tokensGenerated, 2 * 3 * 5);
  t.is(model.counters().tokensSent, 2 * 2 * 5);
});

test('a completion without max_tokens stops at vLLM’s 16', async t => {
  const model = await startModel(t);
  const {body} = await model.postJson('/v1/completions', {model: 'simulated-chat', prompt: 'Hi'});
  t.is(body.usage.completion_tokens, 16);
  t.is(body.choices[0].finish_reason, 'length');
});

test('a client that goes away stops the generation at once and is counted', async t => {
  const model = await startModel(t, {tokenDelayMs: 20, defaultTokens: 1_000});
  const abort = new AbortController();
  const init = {signal: abort.signal};
  const response = await model.post('/v1/chat/completions', chat({stream: true}), init);
  await response.body?.getReader().read();
  t.is(model.counters().running, 1);
  abort.abort();
  await until(() => model.counters().aborted === 1);
  const {tokensGenerated, running} = model.counters();
  t.is(running, 0);
  t.true(tokensGenerated < 900);
  await model.postJson('/v1/chat/completions', chat({max_tokens: 3}));
  t.is(model.counters().tokensGenerated, tokensGenerated + 3);
});

test('an aborted whole answer has generated what its time allowed and sent nothing', async t => {
  const model = await startModel(t, {tokenDelayMs: 5, defaultTokens: 1_000});
  const abort = new AbortController();
  const asked = model.post('/v1/chat/completions', chat(), {signal: abort.signal});
  await until(() => model.counters().tokensGenerated > 3);
  abort.abort();
  await t.throwsAsync(asked);
  await until(() => model.counters().aborted === 1);
  t.true(model.counters().tokensGenerated < 900);
  t.is(model.counters().tokensSent, 0);
});

test('a client that does not read holds the generation back', async t => {
  const model = await startModel(t, {
    defaultTokens: 500_000,
    models: [{name: 'm', maxModelLength: 1_000_000}],
  });
  const abort = new AbortController();
  const body = {...chat({stream: true}), model: 'm'};
  const response = await model.post('/v1/chat/completions', body, {signal: abort.signal});
  let before = -1;
  let looksWithoutChange = 0;
  await until(() => {
    const now = model.counters().tokensGenerated;
    looksWithoutChange = now === before ? looksWithoutChange + 1 : 0;
    before = now;
    return looksWithoutChange === 20;
  });
  t.true(model.counters().tokensGenerated < 300_000);
  t.is(model.counters().running, 1);
  t.false(response.bodyUsed);
  abort.abort();
  await until(() => model.counters().aborted === 1);
});

test('hundreds of streams run at their pace beside each other', async t => {
  const model = await startModel(t, {firstTokenDelayMs: 20, tokenDelayMs: 5});
  const started = performance.now();
  const streams = await Promise.all(
    Array.from({length: 300}, async () =>
      readStream(await model.post('/v1/chat/completions', chat({stream: true}))),
    ),
  );
  t.true(performance.now() - started > 100);
  t.true(streams.every(({chunks, done}) => done && chunks.length === 33));
  t.is(model.counters().tokensSent, 300 * 32);
});

test('a change of pace reaches a stream that runs', async t => {
  const model = await startModel(t, {
    tokenDelayMs: 1,
    defaultTokens: 100_000,
    models: [{name: 'm', maxModelLength: 200_000}],
  });
  const body = {...chat({stream: true}), model: 'm'};
  const read = model.post('/v1/chat/completions', body).then(readStream);
  await until(() => model.counters().tokensSent > 1);
  model.set({tokenDelayMs: 0});
  t.is((await read).chunks.length, 100_001);
});

test('metrics carry vLLM’s names with the counts of each model', async t => {
  const model = await startModel(t, {models: [{name: 'a"b', maxModelLength: 100}]});
  await model.postJson('/v1/chat/completions', {...chat({max_tokens: 7}), model: 'a"b'});
  const text = await (await fetch(`${model.url}/metrics`)).text();
  const labels = 'engine="0",model_name="a\\"b"';
  t.true(text.includes(`vllm:prompt_tokens_total{${labels}} 11\n`));
  t.true(text.includes(`vllm:generation_tokens_total{${labels}} 7\n`));
  t.true(text.includes(`vllm:num_requests_running{${labels}} 0\n`));
  t.true(text.includes(`vllm:num_requests_waiting{${labels}} 0\n`));
  t.true(text.includes(`vllm:request_success_total{${labels},finished_reason="length"} 1\n`));
  t.true(text.includes(`simulated_tokens_sent_total{${labels}} 7\n`));
  t.true(text.includes(`simulated_requests_aborted_total{${labels}} 0\n`));
});

test('the unmodified OpenAI client chats, streams, embeds and lists', async t => {
  const model = await startModel(t);
  const client = new OpenAI({baseURL: `${model.url}/v1`, apiKey: 'none', maxRetries: 0});
  const messages = [{role: 'user' as const, content: 'Say something.'}];
  const whole = await client.chat.completions.create({model: 'simulated-chat', messages});
  let streamed = '';
  const stream = await client.chat.completions.create({
    model: 'simulated-chat',
    messages,
    stream: true,
  });
  for await (const chunk of stream) streamed += chunk.choices[0]?.delta.content ?? '';
  t.is(streamed, whole.choices[0]?.message.content ?? '');
  const asked = {model: 'simulated-embedding', input: ['the sea', 'a sea', 'tax law']};
  const {data} = await client.embeddings.create(asked);
  const exact = await client.embeddings.create({...asked, encoding_format: 'float'});
  const near = (left = data[0], right = data[1]) =>
    (left?.embedding ?? []).reduce((sum, part, at) => sum + part * (right?.embedding[at] ?? 0), 0);
  t.is(data[0]?.embedding.length, 256);
  t.true(near() > near(data[0], data[2]));
  t.true(Math.abs((data[0]?.embedding[0] ?? 9) - (exact.data[0]?.embedding[0] ?? 0)) < 1e-6);
  const names = (await client.models.list()).data.map(({id, owned_by}) => [id, owned_by]);
  t.deepEqual(names, [
    ['simulated-chat', 'simulated'],
    ['simulated-embedding', 'simulated'],
  ]);
  await t.throwsAsync(client.chat.completions.create({model: 'nobody', messages}), {
    instanceOf: OpenAI.NotFoundError,
  });
});
