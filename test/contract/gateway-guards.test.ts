/** What every answer says to browsers and caches, ceilings of answers, members of a body, and what is asked without a key. */
import test from 'ava';
import {forms} from '../../functions/gateway/surface/routes.ts';
import {requestOf} from '../helpers/forms.ts';
import {startGateway} from '../helpers/gateway.ts';
import {chat} from '../helpers/simulated-model.ts';

type OpenAiError = {error: {message: string; code: string; param: string | null}};

test('every answer says not to guess its type and not to keep it, and none what serves it', async t => {
  const gateway = await startGateway(t);
  const answers = await Promise.all([
    gateway.post('/v1/chat/completions', chat({max_tokens: 2})),
    gateway.post('/v1/chat/completions', chat({max_tokens: 2, stream: true})),
    gateway.post('/v1/chat/completions', '{'),
    gateway.post('/v1/chat/completions', chat(), {headers: {authorization: ''}}),
    gateway.post('/v1/chat/completions', chat(), {headers: {'idempotency-key': 'one'}}),
    ...['/v1/models', '/v1/nowhere', '/healthz', '/readyz', '/metrics', '/nowhere'].map(path =>
      fetch(gateway.url + path),
    ),
  ]);
  for (const {headers, url} of answers) {
    t.is(headers.get('x-content-type-options'), 'nosniff', url);
    t.is(headers.get('cache-control'), 'no-store', url);
    t.is(headers.get('server'), null);
    t.is(headers.get('x-powered-by'), null);
    t.truthy(headers.get('x-request-id'), url);
  }
});

test('an error is OpenAI’s object under /v1, and beside it a problem with that object in it', async t => {
  const gateway = await startGateway(t);
  for (const [path, init, type] of [
    ['/v1/nowhere', {}, 'application/json'],
    ['/v1', {}, 'application/json'],
    ['/v1/chat/completions', {}, 'application/json'],
    ['/chat/completions', {method: 'POST', body: '{}'}, 'application/problem+json'],
    ['/nowhere', {}, 'application/problem+json'],
    ['/metrics', {method: 'POST'}, 'application/problem+json'],
  ] as const) {
    const response = await fetch(gateway.url + path, init);
    t.is(response.headers.get('content-type'), type, path);
    const body = (await response.json()) as OpenAiError & Record<string, unknown>;
    t.true(body.error.message.length > 0);
    if (type === 'application/problem+json') {
      t.like(body, {status: response.status, code: body.error.code, detail: body.error.message});
      t.regex(String(body.type), /^https:/);
    }
  }
});

test('who reaches only /v1 asks for its state there, without a key', async t => {
  const gateway = await startGateway(t, {limits: {openRequests: 0}});
  const ask = async (path: string, method = 'GET') => {
    const response = await fetch(gateway.url + path, {method});
    return [response.status, response.headers.get('allow')];
  };
  t.deepEqual(await ask('/v1/status/healthz'), [200, null]);
  t.deepEqual(await ask('/v1/status/readyz'), [200, null]);
  t.deepEqual(await ask('/v1/status/readyz', 'HEAD'), [200, null]);
  t.deepEqual(await ask('/v1/status/readyz', 'POST'), [405, 'GET, HEAD']);
  t.deepEqual(await ask('/v1/status/metrics'), [404, null]);
  gateway.gateway.drain();
  t.deepEqual(await ask('/v1/status/readyz'), [503, null]);
  t.deepEqual(await ask('/v1/status/healthz'), await ask('/healthz'));
});

test('more tokens than the model, the project or the key answers with are 400, and the ceiling is named', async t => {
  for (const [entry, principal] of [
    [{maxOutputTokens: 50}, {}],
    [{}, {maxOutputTokens: 50}],
    [{maxOutputTokens: 50}, {maxOutputTokens: 70}],
    [{maxOutputTokens: 70}, {maxOutputTokens: 50}],
  ]) {
    const gateway = await startGateway(t, {entry: entry ?? {}, principal: principal ?? {}});
    const refused = await gateway.post('/v1/chat/completions', chat({max_completion_tokens: 51}));
    t.is(refused.status, 400);
    const {error} = (await refused.json()) as OpenAiError;
    t.like(error, {code: 'max_tokens_too_large', param: 'max_completion_tokens'});
    t.regex(error.message, /: 50$/);
    t.is(gateway.intents().length, 0);
    t.is((await gateway.post('/v1/chat/completions', chat({max_tokens: 50}))).status, 200);
  }
});

test('a default above the ceiling is lowered to it, in the body too, also where no budget wants it named', async t => {
  const gateway = await startGateway(t, {
    entry: {maxOutputTokens: 7, defaultMaxTokens: 256},
    budgets: {},
  });
  const response = await gateway.post('/v1/chat/completions', chat({max_tokens: undefined}));
  t.is(response.status, 200);
  await response.text();
  t.is((await gateway.settled())[0]?.outputTokens, 7);
  t.is(JSON.parse(String(gateway.model.requests()[0]?.body)).max_tokens, 7);
});

test('a ceiling holds on every route that answers with tokens, in its own error', async t => {
  const gateway = await startGateway(t, {entry: {maxOutputTokens: 8}});
  for (const {name, path, maxima, errors} of Object.values(forms)) {
    const response = await gateway.post(path, requestOf[name](9));
    const text = await response.text();
    t.is(response.status, maxima.length > 0 ? 400 : 200, path);
    if (maxima.length > 0) {
      t.regex(text, new RegExp(`${maxima[0]} is over what this key may ask of this model: 8`));
      t.is(errors === forms.messages.errors, text.startsWith('{"type":"error"'));
    }
  }
});

const wrong: [name: string, value: unknown][] = [
  ['temperature', '0.7'],
  ['temperature', -1],
  ['temperature', {}],
  ['top_p', 2],
  ['presence_penalty', 3],
  ['frequency_penalty', true],
  ['seed', 1.5],
  ['tools', {}],
  ['tools', ['search']],
  ['tool_choice', 7],
  ['stop', [1]],
  ['response_format', 'json'],
  ['logit_bias', []],
  ['model', null],
  ['messages', {}],
  ['stream', 1],
  ['max_tokens', '9'],
  ['n', 1.5],
];
test('a member of a wrong type is 400 and named, before anything is held or sent', async t => {
  const gateway = await startGateway(t);
  for (const [name, value] of wrong) {
    const response = await gateway.post('/v1/chat/completions', chat({[name]: value}));
    const {error} = (await response.json()) as OpenAiError;
    t.deepEqual([response.status, error.param], [400, name], JSON.stringify({[name]: value}));
  }
  t.is(gateway.model.requests().length, 0);
});

test('null is as good as absent, and what nobody knows reaches the model server as it came', async t => {
  const gateway = await startGateway(t);
  const nothing = Object.fromEntries(
    ['temperature', 'top_p', 'seed', 'tools', 'tool_choice', 'stop', 'response_format'].map(
      name => [name, null],
    ),
  );
  const body = chat({max_tokens: 2, ...nothing, some_extension: {deep: [1, '2']}, min_p: 0.1});
  t.is((await gateway.post('/v1/chat/completions', body)).status, 200);
  t.like(JSON.parse(String(gateway.model.requests()[0]?.body)), {
    some_extension: {deep: [1, '2']},
    min_p: 0.1,
  });
});

test('members nested a hundred thousand levels deep are an answer, never a fault of ours', async t => {
  const gateway = await startGateway(t);
  const deep = '['.repeat(100_000) + ']'.repeat(100_000);
  for (const [member, status] of [
    [`"messages":[{"role":"user","content":${deep}}]`, 400],
    [`"messages":[{"role":"user","content":"x"}],"tools":${deep}`, 400],
    [`"messages":[{"role":"user","content":"x"}],"other":${deep}`, 200],
  ] as const) {
    const response = await gateway.post(
      '/v1/chat/completions',
      `{"model":"simulated-chat","max_tokens":2,${member}}`,
    );
    t.is(response.status, status, member.slice(0, 60));
  }
});
