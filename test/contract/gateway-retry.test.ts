import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import type {EndpointEntry, ModelEntry} from '../../functions/registry/catalogue.ts';
import type {SimulatedModelOptions} from '../../knative/local/simulated-model/server.ts';
import {eventually} from '../helpers/eventually.ts';
import {type GatewayOptions, startGateway} from '../helpers/gateway.ts';
import {createHttpTestServer} from '../helpers/http.ts';
import {chat, startModel} from '../helpers/simulated-model.ts';

const nowhere = 'http://127.0.0.1:9';

const endpointAt = (url: string, extra: Partial<EndpointEntry> = {}): EndpointEntry => ({
  id: uuidv7(),
  url,
  upstreamModel: 'simulated-chat',
  usage: 'every-chunk',
  tokenize: false,
  health: 'healthy',
  ...extra,
});

/** A gateway whose model has two endpoints: what is first asked, and a simulated model that works. */
const startPair = async (t: ExecutionContext, first: string, options: GatewayOptions = {}) => {
  const second = await startModel(t, {keepRequests: true});
  const gateway = await startGateway(t, {
    ...options,
    entry: {
      endpoints: [endpointAt(first), endpointAt(second.url, {health: 'unknown'})],
      ...options.entry,
    },
  });
  return {gateway, second};
};

/** A model server that answers every request by one status. */
const answering = (t: ExecutionContext, status: number) =>
  createHttpTestServer(t, (request, response) => {
    request.resume().on('end', () => {
      response.writeHead(status, {'content-type': 'application/json'});
      response.end('{"error":{"message":"no"}}');
    });
  });

const metric = async (url: string, pattern: RegExp) =>
  pattern.exec(await (await fetch(`${url}/metrics`)).text())?.[1];

const failures: [what: string, why: string, start: (t: ExecutionContext) => Promise<string>][] = [
  ['refuses connections', 'unreachable', async () => nowhere],
  [
    'breaks the connection after it has the request',
    'broken',
    async t => (await startModel(t, {faults: ['reset']})).url,
  ],
  [
    'sends the head of an answer and breaks the connection',
    'broken',
    async t => {
      const {url} = await createHttpTestServer(t, (request, response) => {
        request.resume().on('end', () => {
          response.writeHead(200, {'content-type': 'text/event-stream'});
          response.flushHeaders();
          setImmediate(() => response.socket?.resetAndDestroy());
        });
      });
      return url;
    },
  ],
  ...[429, 502, 503, 504].map(
    status =>
      [
        `answers ${status}`,
        String(status),
        async (t: ExecutionContext) => (await answering(t, status)).url,
      ] as [string, string, (t: ExecutionContext) => Promise<string>],
  ),
];

for (const stream of [false, true]) {
  for (const [what, why, start] of failures) {
    test(`an endpoint ${what}: another answers (${stream ? 'stream' : 'whole'}), and that is charged, once`, async t => {
      const {gateway, second} = await startPair(t, await start(t));
      const response = await gateway.post('/v1/chat/completions', chat({stream, max_tokens: 20}));
      t.is(response.status, 200);
      const text = await response.text();
      t.is(text.includes('[DONE]'), stream);
      const [result] = await gateway.settled();
      t.like(result, {outcome: 'completed', endpoint: second.url, tries: 2, status: 200});
      t.is(result?.outputTokens, second.counters().tokensSent);
      t.false(result?.estimated);
      t.is(response.headers.get('x-request-id'), result?.request ?? '');
      t.is(response.headers.get('x-sluice-model'), null);
      const retries = new RegExp(
        `sluice_retries_total\\{model="simulated-chat",why="${why}"\\} (\\d+)`,
      );
      t.is(await metric(gateway.url, retries), '1');
      const line = gateway.lines.map(each => JSON.parse(each)).find(({outcome}) => outcome);
      t.like(line, {tries: 2, endpoint: second.url});
      t.regex(JSON.stringify(gateway.told), /endpoint\.suspected/);
      t.is(await metric(gateway.url, /^sluice_open_requests (\d+)/m), '0');
    });
  }
}

test('a stream that breaks off is not begun again: an error event, and what was sent is charged', async t => {
  const broken = await startModel(t, {faults: ['reset-mid-stream'], faultAfterTokens: 5});
  const {gateway, second} = await startPair(t, broken.url);
  const response = await gateway.post('/v1/chat/completions', chat({stream: true, max_tokens: 20}));
  const last = (await response.text()).trim().split('\n\n').at(-1) ?? '';
  t.is(JSON.parse(last.slice(6)).error.code, 'upstream_error');
  const [result] = await gateway.settled();
  t.like(result, {outcome: 'upstream_error', outputTokens: 5, endpoint: broken.url});
  t.is(result?.tries, undefined);
  t.is(second.requests().length, 0);
});

test('a whole answer that breaks off is not asked for again', async t => {
  const broken = await startModel(t, {faults: ['reset-mid-stream'], faultAfterTokens: 5});
  const {gateway, second} = await startPair(t, broken.url);
  t.is((await gateway.post('/v1/chat/completions', chat({max_tokens: 20}))).status, 502);
  await gateway.settled();
  t.is(second.requests().length, 0);
});

test('an answer about the request is the answer: no other endpoint is asked', async t => {
  const {gateway, second} = await startPair(t, (await answering(t, 400)).url);
  t.is((await gateway.post('/v1/chat/completions', chat())).status, 400);
  t.like((await gateway.settled())[0], {outcome: 'refused_upstream', costNanos: 0});
  t.is(second.requests().length, 0);
});

test('an endpoint that is silent until the time is over is not followed by another as long', async t => {
  const silent = await startModel(t, {faults: ['hang']});
  const {gateway, second} = await startPair(t, silent.url, {limits: {firstByteMs: 300}});
  t.is((await gateway.post('/v1/chat/completions', chat())).status, 504);
  await gateway.settled();
  t.is(second.requests().length, 0);
});

test('a sender whose requests a server fails by closes the model to nobody', async t => {
  const {url, server} = await answering(t, 500);
  let asked = 0;
  server.on('request', () => {
    asked += 1;
  });
  const gateway = await startGateway(t, {endpoint: url});
  for (let count = 0; count < 8; count += 1) {
    t.is((await gateway.post('/v1/chat/completions', chat())).status, 502);
  }
  t.is(asked, 8);
  t.regex(JSON.stringify(gateway.told), /endpoint\.suspected/);
  const results = await gateway.settled(8);
  t.true(results.every(({costNanos}) => costNanos === 0));
});

test('an endpoint with which no connection comes about costs nothing, whatever it fails by', async t => {
  const {url} = await startModel(t);
  const gateway = await startGateway(t, {endpoint: url.replace('http:', 'https:')});
  const response = await gateway.post('/v1/chat/completions', chat());
  t.is(response.status, 502);
  t.regex(await response.text(), /could not be reached/);
  t.like((await gateway.settled())[0], {costNanos: 0, inputTokens: 0, estimated: false});
});

test('three endpoints are tried at most; the client is told of the last, and charged nothing', async t => {
  const servers = await Promise.all([503, 503, 503, 503].map(status => answering(t, status)));
  let asked = 0;
  for (const {server} of servers) {
    server.on('request', ({method}) => {
      asked += method === 'POST' ? 1 : 0;
    });
  }
  const gateway = await startGateway(t, {
    entry: {endpoints: servers.map(({url}) => endpointAt(url))},
  });
  const response = await gateway.post('/v1/chat/completions', chat());
  t.is(response.status, 503);
  t.is(asked, 3);
  t.like((await gateway.settled())[0], {
    outcome: 'upstream_error',
    status: 503,
    costNanos: 0,
    tries: 3,
    inputTokens: 0,
  });
  await gateway.gateway.close();
  t.is(gateway.leases.leasedOf('budget'), 0, 'nothing stays held');
});

test('each endpoint is asked for the model by its own name, and for usage as it can report it', async t => {
  const second = await startModel(t, {
    keepRequests: true,
    models: [{name: 'own-name', maxModelLength: 8_192}],
    usage: 'last-chunk',
  });
  const gateway = await startGateway(t, {
    entry: {
      endpoints: [
        endpointAt(nowhere),
        endpointAt(second.url, {
          health: 'unknown',
          upstreamModel: 'own-name',
          usage: 'last-chunk',
        }),
      ],
    },
  });
  const response = await gateway.post('/v1/chat/completions', chat({stream: true, max_tokens: 9}));
  t.true((await response.text()).includes('[DONE]'));
  const [asked] = second.requests();
  t.like(JSON.parse(asked?.body.toString() ?? '{}'), {
    model: 'own-name',
    stream_options: {include_usage: true},
  });
  t.like((await gateway.settled())[0], {outputTokens: 9, estimated: false});
});

const shelf = async (
  t: ExecutionContext,
  options: GatewayOptions & {fallbackModel?: SimulatedModelOptions; fallback?: Partial<ModelEntry>},
) => {
  const server = await startModel(t, {
    keepRequests: true,
    models: [{name: 'spare', maxModelLength: 8_192}],
    ...options.fallbackModel,
  });
  const gateway = await startGateway(t, {
    ...options,
    entry: {endpoints: [endpointAt(nowhere)], fallbacks: ['missing', 'spare'], ...options.entry},
    others: entry => [
      {
        ...entry,
        id: uuidv7(),
        name: 'spare',
        fallbacks: ['simulated-chat'],
        price: {...entry.price, inputPerMillion: 1_000_000, outputPerMillion: 3_000_000},
        endpoints: [endpointAt(server.url, {upstreamModel: 'spare'})],
        ...options.fallback,
      },
    ],
  });
  return {gateway, server};
};

for (const stream of [false, true]) {
  test(`a model without an endpoint that answers is answered for by its fallback, at that one’s price (${stream ? 'stream' : 'whole'})`, async t => {
    const {gateway, server} = await shelf(t, {});
    const response = await gateway.post('/v1/chat/completions', chat({stream, max_tokens: 20}));
    t.is(response.status, 200);
    await response.text();
    await gateway.settled(2);
    const id = response.headers.get('x-request-id');
    const first = gateway.results().find(({request}) => request !== id);
    const last = gateway.results().find(({request}) => request === id);
    t.like(first, {model: 'simulated-chat', outcome: 'upstream_error', costNanos: 0});
    t.is(first?.status, undefined, 'the client was told nothing of it');
    t.like(last, {model: 'spare', outcome: 'completed', endpoint: server.url, status: 200});
    const {inputTokens = 0, outputTokens = 0} = last ?? {};
    t.is(last?.costNanos, Math.ceil((inputTokens * 1_000_000 + outputTokens * 3_000_000) / 1e6));
    t.is(response.headers.get('x-sluice-model'), 'spare');
    t.is(
      await metric(
        gateway.url,
        /sluice_fallbacks_total\{model="simulated-chat",to="spare"\} (\d+)/,
      ),
      '1',
    );
    const lines = gateway.lines.map(each => JSON.parse(each)).filter(({outcome}) => outcome);
    t.is(lines.find(({request}) => request === id)?.insteadOf, first?.request);
    await gateway.gateway.close();
    t.is(gateway.leases.leasedOf('budget'), last?.costNanos ?? -1);
  });
}

test('what was said of the first model’s maximum is not said of the fallback’s answer', async t => {
  const {gateway} = await shelf(t, {
    budgets: {},
    entry: {maxOutputTokens: 9},
    fallback: {maxOutputTokens: undefined as never},
  });
  const alone = await gateway.post('/v1/chat/completions', chat());
  t.is(alone.headers.get('x-sluice-model'), 'spare');
  t.is(alone.headers.get('x-sluice-max-tokens'), null);
  await gateway.settled(2);
});

test('a fallback that its key may not use is passed over: the client is told of the first, charged nothing', async t => {
  const {gateway, server} = await shelf(t, {principal: {models: ['simulated-chat']}});
  const response = await gateway.post('/v1/chat/completions', chat());
  t.is(response.status, 502);
  const [result] = await gateway.settled();
  t.like(result, {outcome: 'upstream_error', costNanos: 0, status: 502});
  t.is(server.requests().length, 0);
});

test('a fallback that cannot be paid is passed over, and the client is told of the first', async t => {
  const {gateway, server} = await shelf(t, {
    budgets: {budget: 50_000_000},
    fallback: {
      price: {
        free: false,
        inputPerMillion: 1_000_000_000_000,
        outputPerMillion: 1_000_000_000_000,
        inputGpuMsPerMillion: 0,
        outputGpuMsPerMillion: 0,
      },
    },
  });
  const response = await gateway.post('/v1/chat/completions', chat({max_tokens: 20}));
  t.is(response.status, 502);
  t.is(JSON.parse(await response.text()).error.code, 'upstream_error');
  t.is((await gateway.settled()).length, 1);
  t.is(server.requests().length, 0);
});

test('fallbacks that name each other make no circle: each model is asked once', async t => {
  const {gateway, server} = await shelf(t, {fallbackModel: {faults: ['error-503']}});
  const response = await gateway.post('/v1/chat/completions', chat());
  t.is(response.status, 503);
  const results = await gateway.settled(2);
  t.deepEqual(
    results.map(({costNanos}) => costNanos),
    [0, 0],
  );
  t.is(server.requests().length, 1);
  t.is(
    response.headers.get('x-request-id'),
    results.find(({model}) => model === 'spare')?.request ?? '',
  );
});

test('who asks by the same key while a fallback answers gets its answer, and it is charged once', async t => {
  const {gateway} = await shelf(t, {fallbackModel: {tokenDelayMs: 200}});
  const ask = () =>
    gateway.post('/v1/chat/completions', chat({max_tokens: 10}), {
      headers: {'idempotency-key': 'the-same'},
    });
  const answers = await Promise.all([ask(), ask(), ask()]);
  const texts = await Promise.all(answers.map(answer => answer.text()));
  t.is(new Set(texts).size, 1);
  t.deepEqual([...new Set(answers.map(({status}) => status))], [200]);
  const results = await gateway.settled(2);
  const charged = results.filter(({costNanos}) => costNanos > 0);
  t.is(charged.length, 1);
  t.deepEqual(
    [...new Set(answers.map(({headers}) => headers.get('x-request-id')))],
    [charged[0]?.request],
  );
});

test('with all endpoints and fallbacks down a key is free again', async t => {
  const {gateway, server} = await shelf(t, {fallbackModel: {faults: ['error-503']}});
  const ask = () =>
    gateway.post('/v1/chat/completions', chat({max_tokens: 10}), {
      headers: {'idempotency-key': 'again'},
    });
  t.is((await ask()).status, 503);
  server.set({faults: []});
  await eventually(async () => assert.equal((await ask()).status, 200));
  t.pass();
});
