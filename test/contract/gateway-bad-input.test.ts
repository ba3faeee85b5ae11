import assert from 'node:assert/strict';
import {once} from 'node:events';
import {connect} from 'node:net';
import test from 'ava';
import {makeApiKey} from '../../events/api-key.ts';
import {eventually} from '../helpers/eventually.ts';
import {startGateway} from '../helpers/gateway.ts';
import {chat} from '../helpers/simulated-model.ts';

type OpenAiError = {error: {message: string; type: string; code: string; param: string | null}};

const table: [title: string, body: unknown, status: number, code: string][] = [
  ['not JSON', '{"model":', 400, 'malformed_json'],
  ['nothing', '', 400, 'malformed_json'],
  ['a list', '[]', 400, 'bad_request'],
  ['null', 'null', 400, 'bad_request'],
  ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 400, 'malformed_json'],
  ['no model', {messages: [{role: 'user', content: 'x'}]}, 400, 'bad_request'],
  ['a model that is a number', chat({model: 7}), 400, 'bad_request'],
  ['an unknown model', chat({model: 'nope'}), 404, 'model_not_found'],
  ['a model name with NUL', chat({model: 'a\u0000b'}), 404, 'model_not_found'],
  [
    'a model name with a lone surrogate',
    '{"model":"\\ud800","messages":[{"role":"user","content":"x"}]}',
    404,
    'model_not_found',
  ],
  ['no messages', {model: 'simulated-chat'}, 400, 'bad_request'],
  ['messages that are a text', chat({messages: 'hi'}), 400, 'bad_request'],
  ['no message at all', chat({messages: []}), 400, 'bad_request'],
  ['a message that is null', chat({messages: [null]}), 400, 'bad_request'],
  ['a message without a role', chat({messages: [{content: 'x'}]}), 400, 'bad_request'],
  ['max_tokens of zero', chat({max_tokens: 0}), 400, 'bad_request'],
  ['max_tokens below zero', chat({max_tokens: -5}), 400, 'bad_request'],
  ['max_tokens that is a fraction', chat({max_tokens: 1.5}), 400, 'bad_request'],
  ['max_tokens that is a text', chat({max_tokens: '5'}), 400, 'bad_request'],
  [
    'max_tokens beyond numbers',
    '{"model":"simulated-chat","max_tokens":1e400,"messages":[{"role":"user","content":"x"}]}',
    400,
    'bad_request',
  ],
  ['n of zero', chat({n: 0}), 400, 'bad_request'],
  ['n of a million', chat({n: 1_000_000}), 400, 'bad_request'],
  ['stream that is a text', chat({stream: 'yes'}), 400, 'bad_request'],
  ['stream_options that are a list', chat({stream: true, stream_options: []}), 400, 'bad_request'],
];

for (const [title, body, status, code] of table) {
  test(`${title} is ${status} ${code}, and nothing goes upstream`, async t => {
    const gateway = await startGateway(t);
    const response = await gateway.post('/v1/chat/completions', body);
    const answer = (await response.json()) as OpenAiError;
    t.is(response.status, status);
    t.is(answer.error.code, code);
    t.truthy(answer.error.message);
    t.truthy(response.headers.get('x-request-id'));
    t.is(gateway.model.requests().length, 0);
    t.is(gateway.intents().length, 0);
  });
}

test('a prompt or input of a wrong type is refused', async t => {
  const gateway = await startGateway(t);
  for (const prompt of [undefined, 7, {}, [], [[]], [['a']], ['a', 7], [1, 'b'], [1.5]]) {
    t.is((await gateway.post('/v1/completions', {model: 'simulated-chat', prompt})).status, 400);
    t.is(
      (await gateway.post('/v1/embeddings', {model: 'simulated-chat', input: prompt})).status,
      400,
    );
  }
});

test('NUL and lone surrogates in a prompt are an answer, never a fault of ours', async t => {
  const gateway = await startGateway(t);
  const response = await gateway.post(
    '/v1/chat/completions',
    '{"model":"simulated-chat","max_tokens":3,"messages":[{"role":"user","content":"a\\u0000b\\ud800c"}],"user":"\\u0000"}',
    {headers: {'x-request-id': 'label'}},
  );
  t.is(response.status, 200);
  t.is((await gateway.settled())[0]?.label, 'label');
});

test('no key, a wrong key, a revoked, expired or suspended one: each is told what it may know', async t => {
  const gateway = await startGateway(t);
  const ask = async (authorization: string) => {
    const response = await gateway.post('/v1/chat/completions', chat(), {headers: {authorization}});
    return [response.status, ((await response.json()) as OpenAiError).error.code];
  };
  t.deepEqual(await ask(''), [401, 'unauthorized']);
  t.deepEqual(await ask('Bearer sk-nope'), [401, 'unauthorized']);
  t.deepEqual(await ask(`Bearer ${makeApiKey().text}`), [401, 'unauthorized']);
  t.deepEqual(await ask(`Bearer ${gateway.apiKey.slice(0, -1)}!`), [401, 'unauthorized']);
  t.deepEqual(await ask(`Basic ${gateway.apiKey}`), [401, 'unauthorized']);
  for (const [principal, expected] of [
    [{revoked: true}, [401, 'unauthorized']],
    [{expiresAtMs: 1}, [401, 'unauthorized']],
    [{suspended: true}, [403, 'forbidden']],
    [{environments: ['production']}, [403, 'forbidden']],
    [{models: ['other']}, [403, 'model_not_allowed']],
  ] as const) {
    const other = await startGateway(t, {principal});
    const response = await other.post('/v1/chat/completions', chat());
    t.deepEqual(
      [response.status, ((await response.json()) as OpenAiError).error.code],
      [...expected],
    );
  }
});

test('a gateway that has not read the changes for too long serves nobody', async t => {
  const gateway = await startGateway(t, {limits: {staleMaxMs: 1_000}});
  gateway.staleness.ms = 1_001;
  t.is((await gateway.post('/v1/chat/completions', chat())).status, 503);
});

test('a body over the limit is 413, whether it says its length or not', async t => {
  const gateway = await startGateway(t, {limits: {bodyBytes: 1_000}});
  t.is((await gateway.post('/v1/chat/completions', 'x'.repeat(1_001))).status, 413);
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('x'.repeat(2_000)));
      controller.close();
    },
  });
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    body: stream,
    duplex: 'half',
    headers: {authorization: `Bearer ${gateway.apiKey}`},
  } as RequestInit);
  t.is(response.status, 413);
});

const speak = async (url: string, text: string) => {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(text);
  let answer = '';
  socket.on('data', data => {
    answer += data;
  });
  await once(socket, 'close');
  return answer;
};

test('a client that sends half a body and stops is told 408 and let go', async t => {
  const gateway = await startGateway(t, {limits: {clientBodyMs: 300}});
  const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${gateway.apiKey}\r\ncontent-length: 100\r\n\r\n{"model"`;
  t.regex(await speak(gateway.url, head), /^HTTP\/1\.1 408 /);
  t.is(gateway.intents().length, 0);
});

test('a bomb of headers is 431, and what is not HTTP is 400', async t => {
  const gateway = await startGateway(t);
  t.regex(
    await speak(
      gateway.url,
      `GET /v1/models HTTP/1.1\r\nhost: x\r\nx-bomb: ${'x'.repeat(20_000)}\r\n\r\n`,
    ),
    /^HTTP\/1\.1 431 .*headers_too_large/s,
  );
  t.regex(await speak(gateway.url, 'hello\r\n\r\n'), /^HTTP\/1\.1 400 /);
});

test('unknown routes are 404, known ones with another method 405 with Allow', async t => {
  const gateway = await startGateway(t);
  const headers = {authorization: `Bearer ${gateway.apiKey}`};
  t.is((await gateway.post('/v1/audio/speech', {})).status, 404);
  t.is((await fetch(`${gateway.url}/v1/constructor`, {headers})).status, 404);
  t.is((await fetch(`${gateway.url}/v1/models/%ff`, {headers})).status, 400);
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {headers});
  t.is(response.status, 405);
  t.is(response.headers.get('allow'), 'POST');
});

test('a request that could cost more than a request may is refused', async t => {
  const price = {
    free: false,
    inputPerMillion: 1e15,
    outputPerMillion: 1e15,
    inputGpuMsPerMillion: 0,
    outputGpuMsPerMillion: 0,
  };
  const gateway = await startGateway(t, {entry: {price}});
  const response = await gateway.post('/v1/chat/completions', chat({n: 128, max_tokens: 8_000}));
  t.deepEqual(
    [response.status, ((await response.json()) as OpenAiError).error.code],
    [400, 'unbounded_request'],
  );
});

test('more open requests than a process takes are told to come again, before anything is read of them', async t => {
  const gateway = await startGateway(t, {limits: {openRequests: 0}});
  const response = await gateway.post('/v1/chat/completions', chat());
  t.is(response.status, 429);
  t.is(response.headers.get('retry-after'), '1');
});

test('while too much waits to be recorded, nothing new begins', async t => {
  const gateway = await startGateway(t, {
    limits: {outboxRows: 10, leaseTtlMs: 400, leaseMarginMs: 100},
    backlog: 11,
  });
  await eventually(async () =>
    assert.equal((await gateway.post('/v1/chat/completions', chat())).status, 503),
  );
  t.regex(await (await fetch(`${gateway.url}/healthz`)).text(), /11 events wait/);
});
