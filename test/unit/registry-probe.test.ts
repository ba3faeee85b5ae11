import test from 'ava';
import {createProbe} from '../../functions/registry/probe.ts';
import {createHttpTestServer, nowhere} from '../helpers/http.ts';
import {startModel} from '../helpers/simulated-model.ts';

const upstreamModel = 'simulated-chat';
const probe = createProbe();

for (const usage of ['every-chunk', 'last-chunk', 'none'] as const) {
  test(`a server that reports usage ${usage} is found out`, async t => {
    const {url} = await startModel(t, {usage});
    t.deepEqual(await probe({url, upstreamModel, known: false}), {
      health: 'healthy',
      reason: null,
      contextLength: 8192,
      usage,
      tokenize: true,
    });
  });
}

test('a server that does not know the model is not healthy', async t => {
  const {url} = await startModel(t);
  t.like(await probe({url, upstreamModel: 'other', known: true}), {
    health: 'unhealthy',
    reason: 'its server does not know the model other',
  });
});

test('a port where nobody listens is not healthy, and the reason is for people', async t => {
  const url = nowhere;
  t.deepEqual(await probe({url, upstreamModel, known: true}), {
    health: 'unhealthy',
    reason: 'connection refused',
    contextLength: null,
    usage: null,
    tokenize: null,
  });
});

const unwell = (fault: Parameters<typeof startModel>[1] & object, reason: RegExp) =>
  test(`with ${JSON.stringify(fault)} it is not healthy, known or not`, async t => {
    const {url} = await startModel(t, fault);
    for (const known of [false, true]) {
      const finding = await probe({url, upstreamModel, known});
      t.is(finding.health, 'unhealthy');
      t.regex(finding.reason ?? '', reason);
    }
  });

unwell({faults: ['error-500']}, /^answered \/v1\/chat\/completions with status 500$/);
unwell({faults: ['error-503']}, /status 503$/);
unwell({faults: ['garbage']}, /with what is no answer$/);
unwell({faults: ['garbage-stream']}, /with what is no answer$/);
unwell({faults: ['reset']}, /connection (reset|closed in the middle)$/);
unwell({faults: ['huge-chunk']}, /answered more than 1048576 bytes$/);

test('a server too slow to answer a request is ill until it has answered one', async t => {
  const {url} = await startModel(t, {faults: ['hang']});
  const probe = createProbe({stepMs: 3_000});
  t.like(await probe({url, upstreamModel, known: false}), {
    health: 'unhealthy',
    reason: '/v1/chat/completions: no answer within 3 s',
    usage: null,
  });
});

test('one that has answered, answers /health and generates nothing for anybody, is ill', async t => {
  const {url} = await startModel(t, {faults: ['hang']});
  const probe = createProbe({stepMs: 5_000});
  const found = await probe({url, upstreamModel, known: true});
  t.like(found, {health: 'unhealthy', usage: null, contextLength: 8192});
  t.regex(found.reason ?? '', /^it answers and generates nothing, for nobody: .*5 s\)$/);
});

test('one that has answered and is slow to, while it generates for others, is busy and well', async t => {
  const model = await startModel(t, {defaultTokens: 4_000, tokenDelayMs: 20});
  const other = new AbortController();
  t.teardown(() => other.abort());
  const streaming = fetch(`${model.url}/v1/chat/completions`, {
    method: 'POST',
    signal: other.signal,
    headers: {'content-type': 'application/json'},
    body: JSON.stringify({
      model: upstreamModel,
      messages: [{role: 'user', content: 'Hi'}],
      max_tokens: 4_000,
      stream: true,
    }),
  });
  const {body} = await streaming;
  body?.pipeTo(new WritableStream()).catch(() => {});
  model.set({firstTokenDelayMs: 60_000});
  const probe = createProbe({stepMs: 5_000});
  t.like(await probe({url: model.url, upstreamModel, known: true}), {
    health: 'healthy',
    reason: '/v1/chat/completions: no answer within 5 s',
    usage: null,
  });
});

test('one that has answered and says nothing of its tokens is busy and well', async t => {
  const {url} = await startModel(t, {faults: ['hang']});
  const {port} = new URL(url);
  const silent = await createHttpTestServer(t, async (request, response) => {
    if (request.url === '/metrics') {
      response.writeHead(404).end();
      return;
    }
    if (request.method === 'POST' && request.url !== '/tokenize') {
      return;
    }
    const answer = await fetch(`http://127.0.0.1:${port}${request.url}`);
    response.writeHead(answer.status).end(await answer.text());
  });
  const probe = createProbe({stepMs: 5_000});
  t.like(await probe({url: silent.url, upstreamModel, known: true}), {
    health: 'healthy',
    reason: '/v1/chat/completions: no answer within 5 s',
  });
});

/** A server with only the given routes, each a status and a body. */
const serveRoutes = async (
  t: Parameters<typeof createHttpTestServer>[0],
  routes: Record<string, (body: Record<string, unknown>) => [number, string]>,
) => {
  const {url} = await createHttpTestServer(t, async (request, response) => {
    let text = '';
    for await (const part of request) {
      text += part;
    }
    const [status, body] = routes[request.url ?? '']?.(text === '' ? {} : JSON.parse(text)) ?? [
      404,
      '',
    ];
    response.writeHead(status).end(body);
  });
  return url;
};
const models =
  (...data: object[]): (() => [number, string]) =>
  () => [200, JSON.stringify({data})];
const chunk = (more = {}) => `data: ${JSON.stringify({choices: [{index: 0}], ...more})}\n\n`;

test('a server of embeddings alone reports usage in its one answer', async t => {
  const url = await serveRoutes(t, {
    '/v1/models': models({id: upstreamModel, max_model_len: 512}),
    '/v1/embeddings': () => [
      200,
      JSON.stringify({data: [{embedding: [0]}], usage: {prompt_tokens: 1, total_tokens: 1}}),
    ],
  });
  t.deepEqual(await probe({url, upstreamModel, known: false}), {
    health: 'healthy',
    reason: null,
    contextLength: 512,
    usage: 'last-chunk',
    tokenize: false,
  });
});

test('a server that has no list of models and takes completions only is asked on', async t => {
  const url = await serveRoutes(t, {
    '/v1/completions': () => [200, chunk() + chunk({usage: {prompt_tokens: 1}})],
  });
  t.like(await probe({url, upstreamModel, known: false}), {
    health: 'healthy',
    usage: 'last-chunk',
    contextLength: null,
  });
});

test('a server that refuses stream_options is asked without, and reports none', async t => {
  const url = await serveRoutes(t, {
    '/v1/chat/completions': body =>
      'stream_options' in body ? [400, '{}'] : [200, chunk() + chunk()],
  });
  t.like(await probe({url, upstreamModel, known: false}), {health: 'healthy', usage: 'none'});
});

test('an adapter has the context length of its parent', async t => {
  const url = await serveRoutes(t, {
    '/v1/models': models(
      {id: 'base', max_model_len: 4096},
      {id: upstreamModel, parent: 'base', max_model_len: null},
    ),
    '/v1/chat/completions': () => [200, chunk()],
  });
  t.is((await probe({url, upstreamModel, known: false})).contextLength, 4096);
});

test('a server that says that it is not well is believed, and one that takes nothing is told so', async t => {
  const sick = await serveRoutes(t, {
    '/v1/models': models({id: upstreamModel}),
    '/health': () => [503, ''],
  });
  t.like(await probe({url: sick, upstreamModel, known: true}), {
    health: 'unhealthy',
    reason: 'answered /health with status 503',
  });
  const empty = await serveRoutes(t, {'/v1/models': models({id: upstreamModel})});
  t.like(await probe({url: empty, upstreamModel, known: true}), {
    reason: 'it takes neither chat, nor completions, nor embeddings of this model',
  });
});

for (const [text, reason] of [
  ['no json', /no list/],
  ['{"data": 5}', /no list/],
  ['{"data": [null, 5]}', /does not know/],
  ['null', /no list/],
] as const) {
  test(`a list of models that is ${text} is a finding and no error`, async t => {
    const url = await serveRoutes(t, {'/v1/models': () => [200, text]});
    t.regex((await probe({url, upstreamModel, known: true})).reason ?? '', reason);
  });
}

/** Every path that was asked for, in order. */
const listen = async (
  t: Parameters<typeof createHttpTestServer>[0],
  answer: (path: string) => [number, string],
) => {
  const asked: string[] = [];
  const {url} = await createHttpTestServer(t, (request, response) => {
    asked.push(request.url ?? '');
    const [status, body] = answer(request.url ?? '');
    response.writeHead(status).end(body);
  });
  return {url, asked};
};

test('of a model that scales to zero a server that is not there is no illness, and is asked once', async t => {
  const url = nowhere;
  t.deepEqual(await probe({url, upstreamModel, known: true, mayBeAsleep: true}), {
    health: 'unknown',
    reason: 'not running: connection refused',
    contextLength: null,
    usage: null,
    tokenize: null,
  });
  for (const status of [502, 503, 504]) {
    const front = await listen(t, () => [status, 'no backend']);
    t.like(await probe({url: front.url, upstreamModel, known: true, mayBeAsleep: true}), {
      health: 'unknown',
      reason: `not running: answered /v1/models with status ${status}`,
    });
    t.deepEqual(front.asked, ['/v1/models']);
    t.is((await probe({url: front.url, upstreamModel, known: true})).health, 'unhealthy');
  }
});

test('of a model that scales to zero a server that holds the request is not running yet', async t => {
  const asked: string[] = [];
  const {url} = await createHttpTestServer(t, request => void asked.push(request.url ?? ''));
  const probe = createProbe({stepMs: 2_000});
  t.like(await probe({url, upstreamModel, known: true, mayBeAsleep: true}), {
    health: 'unknown',
    reason: 'not running: no answer within 2 s',
  });
  t.deepEqual(asked, ['/v1/models']);
});

test('of a model that scales to zero a server that runs is asked like any other, and may be ill', async t => {
  const {url} = await startModel(t, {usage: 'every-chunk'});
  t.like(await probe({url, upstreamModel, known: false, mayBeAsleep: true}), {
    health: 'healthy',
    contextLength: 8192,
    usage: 'every-chunk',
    tokenize: true,
  });
  t.like(await probe({url, upstreamModel: 'other', known: false, mayBeAsleep: true}), {
    health: 'unhealthy',
    reason: 'its server does not know the model other',
  });
  const endless = await listen(t, () => [200, 'x'.repeat(1_100_000)]);
  t.like(await probe({url: endless.url, upstreamModel, known: false, mayBeAsleep: true}), {
    health: 'unhealthy',
    reason: 'answered more than 1048576 bytes',
  });
  const broken = await listen(t, path => (path === '/v1/models' ? [500, ''] : [404, '']));
  t.like(await probe({url: broken.url, upstreamModel, known: false, mayBeAsleep: true}), {
    health: 'unhealthy',
  });
});
