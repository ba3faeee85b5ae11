import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import type {EndpointEntry} from '../../functions/registry/catalogue.ts';
import {eventually} from '../helpers/eventually.ts';
import {type GatewayOptions, startGateway} from '../helpers/gateway.ts';
import {chat, startModel} from '../helpers/simulated-model.ts';
import {freePort} from '../runner/server.ts';

type Gateway = Awaited<ReturnType<typeof startGateway>>;

const endpointAt = (url: string, extra: Partial<EndpointEntry> = {}): EndpointEntry => ({
  id: uuidv7(),
  url,
  upstreamModel: 'simulated-chat',
  usage: 'every-chunk',
  tokenize: false,
  health: 'healthy',
  ...extra,
});

const gaugeOf = async (url: string, name: string) =>
  Number(
    new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, 'm').exec(
      await (await fetch(`${url}/metrics`)).text(),
    )?.[1],
  );

const queuedIs = (gateway: Gateway, count: number) =>
  eventually(async () => assert.equal(await gaugeOf(gateway.url, 'sluice_queue_depth'), count));

/** One place, which a slow stream has. */
const startFull = async (t: ExecutionContext, options: GatewayOptions = {}) => {
  const model = await startModel(t, {keepRequests: true, tokenDelayMs: 30});
  const gateway = await startGateway(t, {
    ...options,
    entry: {endpoints: [endpointAt(model.url, {maxConcurrency: 1})], ...options.entry},
  });
  const holder = new AbortController();
  const held = await gateway.post('/v1/chat/completions', chat({stream: true, max_tokens: 2_000}), {
    signal: holder.signal,
  });
  t.is(held.status, 200);
  return {
    model,
    gateway,
    /** The stream ends, and its place is free. */
    free() {
      holder.abort();
      held.body?.cancel().catch(() => {});
    },
  };
};

test('a request waits until the endpoint has room, then it is answered and charged', async t => {
  const {model, gateway, free} = await startFull(t);
  const second = gateway.post('/v1/chat/completions', chat({max_tokens: 5}));
  await queuedIs(gateway, 1);
  t.is(model.requests().length, 1);
  t.is(gateway.intents().length, 2, 'its intent is out');
  free();
  t.is((await second).status, 200);
  const results = await gateway.settled(2);
  t.like(
    results.find(({outcome}) => outcome === 'completed'),
    {outputTokens: 5, endpoint: model.url},
  );
  await queuedIs(gateway, 0);
});

test('who leaves while it waits is charged nothing, and its turn is the next one’s', async t => {
  const {model, gateway, free} = await startFull(t);
  const leaver = new AbortController();
  const left = gateway.post('/v1/chat/completions', chat({max_tokens: 5}), {signal: leaver.signal});
  await queuedIs(gateway, 1);
  leaver.abort();
  await t.throwsAsync(left);
  await queuedIs(gateway, 0);
  const [result] = await eventually(() => {
    assert.equal(gateway.results().length, 1);
    return gateway.results();
  });
  t.like(result, {outcome: 'client_aborted', costNanos: 0, inputTokens: 0, estimated: false});
  const third = gateway.post('/v1/chat/completions', chat({max_tokens: 5}));
  await queuedIs(gateway, 1);
  free();
  t.is((await third).status, 200);
  await gateway.settled(3);
  t.is(model.requests().length, 2);
  await eventually(async () => assert.equal(await gaugeOf(gateway.url, 'sluice_open_requests'), 0));
});

test('who waited in the queue as long as one may is told when to come again, charged nothing', async t => {
  const {gateway, free} = await startFull(t, {limits: {queueMs: 300}});
  const response = await gateway.post('/v1/chat/completions', chat({max_tokens: 5}));
  t.is(response.status, 503);
  t.true(Number(response.headers.get('retry-after')) >= 1);
  t.is(JSON.parse(await response.text()).error.code, 'model_saturated');
  free();
  const results = await gateway.settled(2);
  t.like(
    results.find(({outcome}) => outcome === 'upstream_error'),
    {costNanos: 0, status: 503},
  );
});

test('when the queue is full a request is refused before it has an intent or a hold', async t => {
  const {gateway, free} = await startFull(t, {limits: {queueMax: 1}});
  const second = gateway.post('/v1/chat/completions', chat({max_tokens: 5}));
  await queuedIs(gateway, 1);
  const third = await gateway.post('/v1/chat/completions', chat({max_tokens: 5}));
  t.is(third.status, 503);
  t.is(JSON.parse(await third.text()).error.code, 'model_saturated');
  t.is(gateway.intents().length, 2);
  free();
  t.is((await second).status, 200);
  await gateway.settled(2);
});

test('a fallback takes what the queue does not', async t => {
  const spare = await startModel(t, {keepRequests: true});
  const {gateway, free} = await startFull(t, {
    limits: {queueMax: 1},
    entry: {fallbacks: ['spare']},
    others: entry => [{...entry, id: uuidv7(), name: 'spare', endpoints: [endpointAt(spare.url)]}],
  });
  const second = gateway.post('/v1/chat/completions', chat({max_tokens: 5}));
  await queuedIs(gateway, 1);
  const third = await gateway.post('/v1/chat/completions', chat({max_tokens: 5}));
  t.is(third.status, 200);
  t.is(third.headers.get('x-sluice-model'), 'spare');
  free();
  t.is((await second).status, 200);
  const results = await gateway.settled(3);
  t.is(results.filter(({model}) => model === 'spare').length, 1);
});

test('a model that is taken away while a request waits for it is not asked', async t => {
  const {model, gateway, free} = await startFull(t);
  const second = gateway.post('/v1/chat/completions', chat({max_tokens: 5}));
  await queuedIs(gateway, 1);
  gateway.models.length = 0;
  gateway.catalogue.invalidate();
  const response = await second;
  t.is(response.status, 404);
  t.is(JSON.parse(await response.text()).error.code, 'model_not_found');
  free();
  await gateway.settled(2);
  t.is(model.requests().length, 1);
});

test('a key whose request found no room is free again', async t => {
  const {gateway, free} = await startFull(t, {limits: {queueMs: 300}});
  const ask = () =>
    gateway.post('/v1/chat/completions', chat({max_tokens: 5}), {
      headers: {'idempotency-key': 'patient'},
    });
  t.is((await ask()).status, 503);
  free();
  await eventually(async () => assert.equal((await ask()).status, 200));
  t.pass();
});

const startAsleep = async (t: ExecutionContext, options: GatewayOptions = {}) => {
  const port = await freePort();
  const gateway = await startGateway(t, {
    ...options,
    limits: {firstCommentMs: 300, commentMs: 200, ...options.limits},
    entry: {
      endpoints: [endpointAt(`http://127.0.0.1:${port}`, {health: 'unknown'})],
      startSeconds: 60,
      ...options.entry,
    },
  });
  return {gateway, wake: () => startModel(t, {port, keepRequests: true})};
};

const comments = (text: string) => text.split(': waiting\n\n').length - 1;

test('a stream of a model that starts is sent comments, then its tokens, and is charged once', async t => {
  const {gateway, wake} = await startAsleep(t);
  const response = await gateway.post('/v1/chat/completions', chat({stream: true, max_tokens: 7}));
  t.is(response.status, 200, 'the head comes with the first comment');
  t.is(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  t.is(gateway.intents().length, 1);
  t.is(gateway.results().length, 0);
  const reader = (response.body as ReadableStream<Uint8Array>)
    .pipeThrough(new TextDecoderStream())
    .getReader();
  let text = '';
  const readUntil = async (isEnough: () => boolean) => {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += part.value;
      if (isEnough()) {
        return;
      }
    }
  };
  await readUntil(() => comments(text) >= 3);
  const model = await wake();
  const woken = performance.now();
  await readUntil(() => false);
  t.true(
    performance.now() - woken < 20_000,
    'a start may take 60 s: it is not waited for to its end',
  );
  t.true(text.lastIndexOf(': waiting') < text.indexOf('data:'), 'none comes between tokens');
  t.true(text.includes('[DONE]'));
  const [result] = await gateway.settled();
  t.like(result, {outcome: 'completed', outputTokens: 7, status: 200});
  t.true((result?.timeToFirstTokenMs ?? 0) > 650, 'a comment is no token');
  t.is(model.requests().filter(({method}) => method === 'POST').length, 1);
});

test('a whole answer of a model that starts is waited for in silence', async t => {
  const {gateway, wake} = await startAsleep(t);
  const answer = gateway.post('/v1/chat/completions', chat({max_tokens: 7}));
  await queuedIs(gateway, 1);
  await wake();
  const response = await answer;
  t.is(response.status, 200);
  t.is(JSON.parse(await response.text()).usage.completion_tokens, 7);
  t.is((await gateway.settled())[0]?.outcome, 'completed');
});

test('a model that is taken away while it starts is gone at once for who waits for it', async t => {
  const {gateway} = await startAsleep(t);
  const answer = gateway.post('/v1/chat/completions', chat({max_tokens: 7}));
  await queuedIs(gateway, 1);
  gateway.models.length = 0;
  gateway.catalogue.invalidate();
  const response = await answer;
  t.is(response.status, 404);
  t.like((await gateway.settled())[0], {status: 404, costNanos: 0});
});

test('who leaves while the model starts is charged nothing, comments or not', async t => {
  const {gateway} = await startAsleep(t);
  const leaver = new AbortController();
  const response = await gateway.post('/v1/chat/completions', chat({stream: true, max_tokens: 7}), {
    signal: leaver.signal,
  });
  t.is(response.status, 200);
  leaver.abort();
  t.like((await gateway.settled())[0], {outcome: 'client_aborted', costNanos: 0, estimated: false});
  await queuedIs(gateway, 0);
});

for (const [path, event] of [
  ['/v1/chat/completions', /^data: \{"error":\{.*"code":"unavailable"/],
  ['/v1/responses', /^event: error\ndata: \{"type":"error","code":"unavailable"/],
  ['/v1/messages', /^event: error\ndata: \{"type":"error","error":\{"type":"overloaded_error"/],
] as const) {
  test(`a model that does not start in its time ends a stream of ${path} by an error event`, async t => {
    const {gateway} = await startAsleep(t, {entry: {startSeconds: 1}});
    const body = path === '/v1/responses' ? {model: 'simulated-chat', input: 'Hello.'} : chat();
    const response = await gateway.post(path, {
      ...body,
      stream: true,
      ...(path === '/v1/messages' ? {max_tokens: 5} : {}),
    });
    t.is(response.status, 200);
    const text = await response.text();
    t.true(comments(text) >= 1);
    t.regex(text.replaceAll(': waiting\n\n', ''), event);
    t.like((await gateway.settled())[0], {outcome: 'upstream_error', status: 200, costNanos: 0});
  });
}

test('a model that does not start in its time is a 503 to who waits for a whole answer, and its fallback’s to answer where there is one', async t => {
  const asleep = await startAsleep(t, {entry: {startSeconds: 1}});
  const refused = await asleep.gateway.post('/v1/chat/completions', chat());
  t.is(refused.status, 503);
  t.is((await asleep.gateway.settled())[0]?.costNanos, 0);

  const spare = await startModel(t);
  const {gateway} = await startAsleep(t, {
    entry: {startSeconds: 1, fallbacks: ['spare']},
    others: entry => [{...entry, id: uuidv7(), name: 'spare', endpoints: [endpointAt(spare.url)]}],
  });
  const answered = await gateway.post('/v1/chat/completions', chat());
  t.is(answered.status, 200);
  t.is(answered.headers.get('x-sluice-model'), 'spare');
  await gateway.settled(2);
});

test('a request ends at its deadline, also while its model starts', async t => {
  const {gateway} = await startAsleep(t, {limits: {requestMs: 1_000}});
  const response = await gateway.post('/v1/chat/completions', chat());
  t.true([503, 504].includes(response.status), String(response.status));
  t.like((await gateway.settled())[0], {costNanos: 0, inputTokens: 0});
  await queuedIs(gateway, 0);
});

test('no comment is sent before the intent is durable', async t => {
  const {gateway, wake} = await startAsleep(t, {
    logDelayMs: 1_200,
    limits: {firstCommentMs: 100, commentMs: 100},
  });
  const began = performance.now();
  const response = await gateway.post('/v1/chat/completions', chat({stream: true, max_tokens: 3}));
  // A timer of Node's may fire a millisecond early.
  t.true(performance.now() - began >= 1_190);
  await wake();
  await response.text();
  await gateway.settled();
});
