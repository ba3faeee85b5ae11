import assert from 'node:assert/strict';
import test from 'ava';
import {costOf} from '../../functions/budget/cost.ts';
import {eventually} from '../helpers/eventually.ts';
import {startGateway} from '../helpers/gateway.ts';
import {chat, readStream} from '../helpers/simulated-model.ts';

test('a whole answer reaches the client as the model server wrote it, and is charged by its usage', async t => {
  const gateway = await startGateway(t);
  const response = await gateway.post('/v1/chat/completions', chat({max_tokens: 12}));
  t.is(response.status, 200);
  const body = (await response.json()) as {
    usage: {prompt_tokens: number; completion_tokens: number};
  };
  t.is(body.usage.completion_tokens, 12);
  const [result] = await gateway.settled();
  t.is(result?.outcome, 'completed');
  t.is(result?.outputTokens, 12);
  t.is(result?.inputTokens, body.usage.prompt_tokens);
  t.false(result?.estimated);
  const tokens = {inputTokens: body.usage.prompt_tokens, cachedInputTokens: 0, outputTokens: 12};
  t.is(result?.costNanos, costOf('usd', gateway.entry.price, tokens));
  t.is(result?.budgets[0]?.amount, result?.costNanos);
  t.true((result?.budgets[0]?.hold ?? 0) >= (result?.costNanos ?? 0));
});

test('the intent is durable before the first byte, and has the same id as the answer', async t => {
  const gateway = await startGateway(t);
  const response = await gateway.post('/v1/chat/completions', chat({stream: true}));
  t.is(gateway.intents().length, 1);
  t.is(response.headers.get('x-request-id'), gateway.intents()[0]?.request ?? '');
  await readStream(response);
});

test('a stream reaches the client without the usage it did not ask for, and is charged by it', async t => {
  const gateway = await startGateway(t);
  const {chunks, done} = await readStream(
    await gateway.post('/v1/chat/completions', chat({stream: true, max_tokens: 9})),
  );
  t.true(done);
  t.true(chunks.every(chunk => chunk.usage === undefined && chunk.choices.length > 0));
  const [result] = await gateway.settled();
  t.is(result?.outputTokens, 9);
  t.true(result?.streamed);
  t.true((result?.timeToFirstTokenMs ?? -1) >= 0);
});

test('who asks for usage gets it once, at the end', async t => {
  const gateway = await startGateway(t);
  const body = chat({stream: true, max_tokens: 9, stream_options: {include_usage: true}});
  const {chunks} = await readStream(await gateway.post('/v1/chat/completions', body));
  t.is(chunks.at(-1)?.usage?.completion_tokens, 9);
  t.true(chunks.slice(0, -1).every(chunk => (chunk.usage ?? null) === null));
});

test('a model server that reports in the last chunk only is charged by that', async t => {
  const gateway = await startGateway(t, {usage: 'last-chunk', model: {usage: 'last-chunk'}});
  const {chunks} = await readStream(
    await gateway.post('/v1/chat/completions', chat({stream: true, max_tokens: 7})),
  );
  t.true(chunks.every(chunk => chunk.usage === undefined));
  t.is((await gateway.settled())[0]?.outputTokens, 7);
});

test('without any report the chunks are counted, and the charge is marked estimated', async t => {
  const gateway = await startGateway(t, {usage: 'none', model: {usage: 'none'}});
  await readStream(await gateway.post('/v1/chat/completions', chat({stream: true, max_tokens: 7})));
  const [result] = await gateway.settled();
  t.is(result?.outputTokens, 7);
  t.true(result?.estimated);
});

test('several choices are charged together, also when the client leaves in the middle', async t => {
  const gateway = await startGateway(t, {model: {tokenDelayMs: 20, defaultTokens: 500}});
  const leaving = new AbortController();
  const response = await gateway.post(
    '/v1/chat/completions',
    chat({stream: true, n: 3, max_tokens: 400}),
    {signal: leaving.signal},
  );
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  for (let read = 0; read < 5; read += 1) {
    await reader.read();
  }
  leaving.abort();
  const [result] = await gateway.settled();
  const {tokensGenerated} = gateway.model.counters();
  t.is(result?.outcome, 'client_aborted');
  t.true((result?.outputTokens ?? 0) >= 3 && (result?.outputTokens ?? 0) <= tokensGenerated);
  t.true(tokensGenerated < 3 * 400, 'the model server was stopped');
});

test('embeddings and completions are charged too', async t => {
  const gateway = await startGateway(t);
  const embedding = await gateway.post('/v1/embeddings', {
    model: 'simulated-chat',
    input: ['one', 'two'],
  });
  t.is(((await embedding.json()) as {data: unknown[]}).data.length, 2);
  await (
    await gateway.post('/v1/completions', {model: 'simulated-chat', prompt: 'Once', max_tokens: 5})
  ).arrayBuffer();
  const results = await gateway.settled(2);
  t.deepEqual(results.map(({operation}) => operation).sort(), ['completions', 'embeddings']);
  t.true(results.every(({costNanos}) => costNanos > 0));
});

test('a body reaches the model server byte for byte but for what must be set', async t => {
  const gateway = await startGateway(t, {usage: 'none'});
  const body =
    '{ "model":"simulated-chat", "seed":12345678901234567890, "x":1.0e+2,\n "x":"twice", "max_tokens":4,"messages":[{"role":"user","content":"h\\u00e9"}] }';
  t.is((await gateway.post('/v1/chat/completions', body)).status, 200);
  t.is(gateway.model.requests()[0]?.body.toString(), body);
});

test('under a budget a request without a maximum gets the default, and a header says so', async t => {
  const gateway = await startGateway(t);
  const response = await gateway.post('/v1/chat/completions', chat());
  t.is(response.headers.get('x-sluice-max-tokens'), '256');
  t.is(JSON.parse(String(gateway.model.requests()[0]?.body)).max_tokens, 256);
  t.regex(response.headers.get('x-sluice-budget-remaining-usd') ?? '', /^[45]\.\d{9}$/);
});

test('a completion without a maximum keeps the default of its API', async t => {
  const gateway = await startGateway(t);
  await gateway.post('/v1/completions', {model: 'simulated-chat', prompt: 'x'});
  t.is(JSON.parse(String(gateway.model.requests()[0]?.body)).max_tokens, 16);
});

test('a prompt whose bytes fill the context is counted by the model server, once', async t => {
  const gateway = await startGateway(t);
  const response = await gateway.post(
    '/v1/chat/completions',
    chat({messages: [{role: 'user', content: 'word '.repeat(1_600)}]}),
  );
  t.is(response.status, 200);
  t.is(response.headers.get('x-sluice-max-tokens'), '256');
  t.is(gateway.model.requests().filter(({path}) => path === '/tokenize').length, 1);
});

test('where the money covers only a short answer, the answer is clamped to it', async t => {
  const gateway = await startGateway(t, {budgets: {budget: 40_000}});
  const response = await gateway.post('/v1/chat/completions', chat({max_tokens: 2_000}));
  t.is(response.status, 200);
  const clamped = Number(response.headers.get('x-sluice-max-tokens'));
  t.true(clamped > 0 && clamped < 67);
  t.is(JSON.parse(String(gateway.model.requests()[0]?.body)).max_tokens, clamped);
});

test('a spent budget is 402 insufficient_quota; one that is held is 429 with Retry-After', async t => {
  const spent = await startGateway(t, {budgets: {budget: 100}});
  const refused = await spent.post('/v1/chat/completions', chat());
  t.is(refused.status, 402);
  t.is(((await refused.json()) as {error: {code: string}}).error.code, 'insufficient_quota');
  t.is(spent.intents().length, 0);

  const busy = await startGateway(t, {
    budgets: {budget: 200_000},
    model: {firstTokenDelayMs: 60_000},
  });
  const holding = new AbortController();
  const running = busy
    .post('/v1/chat/completions', chat({max_tokens: 250}), {signal: holding.signal})
    .catch(() => {});
  await eventually(() => assert.equal(busy.intents().length, 1));
  const second = await busy.post('/v1/chat/completions', chat({max_tokens: 250}));
  t.is(second.status, 429);
  t.is(second.headers.get('retry-after'), '1');
  holding.abort();
  await running;
});

test('a request counts in all of its budgets or in none', async t => {
  const gateway = await startGateway(t, {
    budgets: {org: 5_000_000_000, project: 1_000_000_000, key: 100},
  });
  t.is((await gateway.post('/v1/chat/completions', chat())).status, 402);
  await gateway.gateway.close();
  t.is(gateway.leases.leasedOf('org'), 0);
});

test('when the client leaves, the model server stops at once and the hold is settled', async t => {
  const gateway = await startGateway(t, {model: {tokenDelayMs: 10, defaultTokens: 2_000}});
  const leaving = new AbortController();
  const response = await gateway.post(
    '/v1/chat/completions',
    chat({stream: true, max_tokens: 2_000}),
    {signal: leaving.signal},
  );
  await (response.body as ReadableStream<Uint8Array>).getReader().read();
  leaving.abort();
  await eventually(() => assert.equal(gateway.model.counters().aborted, 1));
  const [result] = await gateway.settled();
  t.is(result?.outcome, 'client_aborted');
  t.true((result?.outputTokens ?? 0) > 0);
  await gateway.gateway.close();
  t.is(gateway.leases.leasedOf('budget'), result?.costNanos ?? -1);
});

test('a client that leaves before a whole answer came is charged its prompt', async t => {
  const gateway = await startGateway(t, {model: {firstTokenDelayMs: 60_000}});
  const leaving = new AbortController();
  const running = gateway
    .post('/v1/chat/completions', chat(), {signal: leaving.signal})
    .catch(() => {});
  await eventually(() => assert.equal(gateway.model.counters().running, 1));
  leaving.abort();
  await running;
  const [result] = await gateway.settled();
  t.true(result?.estimated);
  t.is(result?.outputTokens, 0);
  t.true((result?.inputTokens ?? 0) > 0);
});

test('a request whose intent cannot be made durable sends the client nothing and costs nothing', async t => {
  const gateway = await startGateway(t);
  await (await gateway.post('/v1/chat/completions', chat())).arrayBuffer();
  gateway.log.state.fail = true;
  const response = await gateway.post('/v1/chat/completions', chat());
  t.is(response.status, 503);
  gateway.log.state.fail = false;
  const results = await eventually(() => {
    assert.equal(gateway.results().length, 2);
    return gateway.results();
  });
  t.is(results.at(-1)?.costNanos, 0);
});

test('models are listed as the key may see them', async t => {
  const gateway = await startGateway(t);
  const headers = {authorization: `Bearer ${gateway.apiKey}`};
  const list = (await (await fetch(`${gateway.url}/v1/models`, {headers})).json()) as {
    data: {id: string; max_model_len: number; state: string}[];
  };
  t.deepEqual(
    list.data.map(({id, max_model_len: length, state}) => [id, length, state]),
    [['simulated-chat', 8_192, 'ready']],
  );
  t.is((await fetch(`${gateway.url}/v1/models/simulated-chat`, {headers})).status, 200);
  t.is((await fetch(`${gateway.url}/v1/models/other`, {headers})).status, 404);
});

test('no prompt and no answer is in an event, a log line or a metric', async t => {
  const canary = 'canary-8f14e45f';
  const gateway = await startGateway(t);
  await readStream(
    await gateway.post(
      '/v1/chat/completions',
      chat({stream: true, messages: [{role: 'user', content: canary}]}),
    ),
  );
  await gateway.post(
    '/v1/chat/completions',
    `{"model":"simulated-chat","messages":[{"role":"user","content":"${canary}"`,
  );
  await gateway.settled();
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  t.true(gateway.lines.length > 0 && metrics.includes('sluice_requests_total'));
  t.false(
    JSON.stringify([gateway.log.events, gateway.lines, gateway.told, metrics]).includes(canary),
  );
});

test('a gateway that drains says so to whoever asks for its health', async t => {
  const gateway = await startGateway(t);
  t.is((await fetch(`${gateway.url}/healthz`)).status, 200);
  gateway.gateway.drain();
  t.is((await fetch(`${gateway.url}/healthz`)).status, 503);
});

test('every request has one log line that says who called, how long it took and how it ended', async t => {
  const gateway = await startGateway(t);
  const headers = {'user-agent': 'a-client/1.0'};
  await (await gateway.post('/v1/chat/completions', chat(), {headers})).arrayBuffer();
  await (await gateway.post('/v1/chat/completions', '{', {headers})).arrayBuffer();
  await gateway.settled();
  await eventually(() => assert.equal(gateway.lines.length, 2));
  const lines = gateway.lines
    .map(line => JSON.parse(line))
    .sort((one, other) => one.status - other.status);
  for (const [index, status] of [200, 400].entries()) {
    t.like(lines[index], {status, client: '127.0.0.1', userAgent: 'a-client/1.0'});
    t.is(typeof lines[index].durationMs, 'number');
  }
  t.regex(lines[0].trace, /^[0-9a-f]{32}$/);
});
