/** What runs is cut off: an organisation is suspended, a key revoked, while its requests are at every stage. */
import assert from 'node:assert/strict';
import {request as sendRequest} from 'node:http';
import test, {type ExecutionContext} from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {createOpenExchanges} from '../../functions/gateway/exchange/open-exchanges.ts';
import type {EndpointEntry} from '../../functions/registry/catalogue.ts';
import {eventually} from '../helpers/eventually.ts';
import {type GatewayOptions, startGateway} from '../helpers/gateway.ts';
import {chat, startModel} from '../helpers/simulated-model.ts';
import {openStream} from '../helpers/streams.ts';

const start = async (t: ExecutionContext, options: GatewayOptions = {}) => {
  const openExchanges = createOpenExchanges();
  const world = await startGateway(t, {...options, parts: {...options.parts, openExchanges}});
  const {principal} = world;
  const change = (kind: 'cut' | 'org' | 'key', subject: string) => {
    const changes = [{revision: 1, kind, subject, orgId: principal.org}];
    world.principals.onChanges(changes);
    openExchanges.onChanges(changes);
  };
  const stream = (maxTokens = 2_000) =>
    openStream({url: world.url, apiKey: world.apiKey, model: 'simulated-chat', maxTokens});
  return {...world, change, stream};
};

for (const [what, outcome, code] of [
  ['org', 'suspended', 'forbidden'],
  ['key', 'revoked', 'unauthorized'],
] as const) {
  test(`a stream is cut off by its ${what}, told so, and charged what was sent`, async t => {
    const {change, stream, principal, settled, model, lines} = await start(t, {
      model: {tokenDelayMs: 5, defaultTokens: 5_000},
    });
    const running = await stream();
    await eventually(() => assert.ok(running.tokens() > 5));
    change('cut', uuidv7());
    const before = running.tokens();
    await eventually(() => assert.ok(running.tokens() > before + 5));
    change('cut', principal[what]);
    t.is(await running.ended, 'cut');
    t.true(running.text().includes(`"code":"${code}"`), running.text().slice(-300));
    const [result] = await settled();
    const counted = model.requestCounters(running.request);
    t.like(result, {outcome, status: 200, outputTokens: counted?.tokensSent});
    t.true((result?.outputTokens ?? 0) >= running.tokens());
    await eventually(() => assert.ok(lines.some(line => line.includes(`"outcome":"${outcome}"`))));
  });
}

test('who waits for the first byte is told by the status', async t => {
  const {change, post, principal, settled, model} = await start(t, {
    model: {firstTokenDelayMs: 30_000},
  });
  const answer = post('/v1/chat/completions', chat({max_tokens: 5}));
  await eventually(() => assert.equal(model.counters().running, 1));
  change('cut', principal.org);
  const {status} = await answer;
  t.is(status, 403);
  const [result] = await settled();
  t.like(result, {outcome: 'suspended', outputTokens: 0});
});

test('other requests go on', async t => {
  const {change, stream, settled} = await start(t, {model: {tokenDelayMs: 5}});
  const running = await stream(60);
  change('cut', uuidv7());
  t.is(await running.ended, 'whole');
  t.like((await settled())[0], {outcome: 'completed'});
});

for (const [title, after, status] of [
  ['is revoked', {revoked: true}, 401],
  ['loses the scope', {scopes: ['models']}, 403],
] as const) {
  test(`a key that ${title} while the body comes begins nothing`, async t => {
    const {change, url, apiKey, principal, model, intents} = await start(t);
    const body = JSON.stringify(chat({max_tokens: 5}));
    const answered = Promise.withResolvers<number>();
    const call = sendRequest(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${apiKey}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      },
    });
    call.on('response', response => {
      response.resume();
      answered.resolve(response.statusCode ?? 0);
    });
    call.write(body.slice(0, 10));
    const asked = await fetch(`${url}/v1/models`, {headers: {authorization: `Bearer ${apiKey}`}});
    t.is(asked.status, 200);
    Object.assign(principal, after);
    change('key', principal.key);
    call.end(body.slice(10));
    t.is(await answered.promise, status);
    t.is(model.counters().requests, 0);
    t.is(intents().length, 0);
  });
}

for (const [title, kind, status, outcome] of [
  ['is cut off while it waits', 'cut', 401, 'revoked'],
  ['is revoked while it waits', 'key', 401, 'revoked'],
  ['is suspended while it waits', 'org', 403, 'suspended'],
] as const) {
  test(`a request that ${title} for an endpoint is sent to none, and charged nothing`, async t => {
    const server = await startModel(t, {tokenDelayMs: 20, defaultTokens: 5_000});
    const endpoint: EndpointEntry = {
      id: uuidv7(),
      url: server.url,
      upstreamModel: 'simulated-chat',
      usage: 'every-chunk',
      tokenize: false,
      health: 'healthy',
      maxConcurrency: 1,
    };
    const {change, post, stream, principal, intents, results} = await start(t, {
      entry: {endpoints: [endpoint]},
    });
    const first = await stream();
    const second = post('/v1/chat/completions', chat({max_tokens: 5}));
    await eventually(() => assert.equal(intents().length, 2));
    if (kind === 'cut') {
      change('cut', principal.key);
    } else {
      Object.assign(principal, kind === 'key' ? {revoked: true} : {suspended: true});
      change(kind, principal[kind]);
      first.destroy();
    }
    t.is((await second).status, status);
    await eventually(() => assert.equal(results().length, 2));
    const waited = results().find(({request}) => request !== first.request);
    t.like(waited, {outcome, outputTokens: 0, inputTokens: 0, costNanos: 0});
    t.is(server.counters().requests, 1);
  });
}

test('a key without the scope is refused, and models are a scope of their own', async t => {
  const {post, url, apiKey, principal} = await start(t);
  const list = () => fetch(`${url}/v1/models`, {headers: {authorization: `Bearer ${apiKey}`}});
  for (const [scopes, metered, models] of [
    [['inference'], 200, 403],
    [['models'], 403, 200],
    [['events'], 403, 403],
  ] as const) {
    Object.assign(principal, {scopes});
    const answer = await post('/v1/chat/completions', chat({max_tokens: 1}));
    const text = await answer.text();
    t.is(answer.status, metered, scopes[0]);
    if (metered === 403) {
      t.like(JSON.parse(text), {error: {code: 'forbidden', type: 'permission_error'}});
    }
    const anthropic = await post('/v1/messages', {
      model: 'simulated-chat',
      max_tokens: 1,
      messages: [{role: 'user', content: 'a'}],
    });
    t.is(anthropic.status, metered);
    if (metered === 403) {
      t.like(await anthropic.json(), {type: 'error', error: {type: 'permission_error'}});
    }
    t.is((await list()).status, models, scopes[0]);
  }
});
