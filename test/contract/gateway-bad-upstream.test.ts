import assert from 'node:assert/strict';
import {connect} from 'node:net';
import test from 'ava';
import {eventually} from '../helpers/eventually.ts';
import {type GatewayOptions, startGateway} from '../helpers/gateway.ts';
import {createHttpTestServer} from '../helpers/http.ts';
import {chat} from '../helpers/simulated-model.ts';

/** For servers that say nothing; with others a busy machine may take longer. */
const short = {firstByteMs: 300, idleUpstreamMs: 300};
type Case = {
  fault: string;
  stream: boolean;
  status: number;
  outcome: string;
  code?: string;
  options?: GatewayOptions;
};

const cases: Case[] = [
  {
    fault: 'error-500',
    stream: false,
    status: 502,
    outcome: 'upstream_error',
    code: 'upstream_error',
  },
  {fault: 'error-503', stream: true, status: 503, outcome: 'upstream_error', code: 'unavailable'},
  {fault: 'garbage', stream: false, status: 502, outcome: 'upstream_error', code: 'upstream_error'},
  {fault: 'garbage', stream: true, status: 502, outcome: 'upstream_error', code: 'upstream_error'},
  {fault: 'hang', stream: false, status: 504, outcome: 'upstream_error', code: 'upstream_timeout'},
  {fault: 'hang', stream: true, status: 504, outcome: 'upstream_error', code: 'upstream_timeout'},
  {fault: 'reset', stream: false, status: 502, outcome: 'upstream_error', code: 'upstream_error'},
  {
    fault: 'reset-mid-stream',
    stream: false,
    status: 502,
    outcome: 'upstream_error',
    code: 'upstream_error',
  },
  {
    fault: 'hang-mid-stream',
    stream: false,
    status: 504,
    outcome: 'upstream_error',
    code: 'upstream_timeout',
  },
  {fault: 'slow-headers', stream: false, status: 200, outcome: 'completed'},
];

for (const {fault, stream, status, outcome, code} of cases) {
  test(`a model server with ${fault} (${stream ? 'stream' : 'whole'}) is ${status}, and the hold is settled`, async t => {
    const gateway = await startGateway(t, {
      model: {faults: [fault as never], slowHeadersMs: 50},
      limits: fault.startsWith('hang') ? short : {},
    });
    const response = await gateway.post('/v1/chat/completions', chat({stream, max_tokens: 20}));
    t.is(response.status, status);
    const text = await response.text();
    if (code) {
      t.is(JSON.parse(text).error.code, code);
    }
    const [result] = await gateway.settled();
    t.is(result?.outcome, outcome as never);
    await eventually(() => assert.equal(gateway.leaseBook.state().waiting, 0));
    await gateway.gateway.close();
    t.is(gateway.leases.leasedOf('budget'), result?.budgets[0]?.amount ?? -1, 'nothing stays held');
  });
}

for (const fault of ['reset-mid-stream', 'hang-mid-stream']) {
  test(`a stream that breaks off by ${fault} ends with an error event, and what came is charged`, async t => {
    const gateway = await startGateway(t, {
      model: {faults: [fault as never], faultAfterTokens: 5},
      // Not so short that a busy machine would be late with what comes before the fault.
      limits: {idleUpstreamMs: 2_000},
    });
    const response = await gateway.post(
      '/v1/chat/completions',
      chat({stream: true, max_tokens: 20}),
    );
    t.is(response.status, 200);
    const text = await response.text();
    const last = text.trim().split('\n\n').at(-1) ?? '';
    t.regex(JSON.parse(last.slice(6)).error.code, /^upstream_(error|timeout)$/);
    t.false(text.includes('[DONE]'));
    const [result] = await gateway.settled();
    t.is(result?.outputTokens, 5);
    t.false(result?.estimated);
  });
}

test('a stream of garbage ends, is settled, and is no fault of ours', async t => {
  const gateway = await startGateway(t, {
    model: {faults: ['garbage-stream']},
    limits: {idleUpstreamMs: 2_000},
  });
  const response = await gateway.post('/v1/chat/completions', chat({stream: true}));
  t.true([200, 502].includes(response.status));
  await response.arrayBuffer().catch(() => {});
  t.is((await gateway.settled()).length, 1);
});

test('an answer without usage is estimated', async t => {
  const gateway = await startGateway(t, {model: {faults: ['no-usage']}});
  await (await gateway.post('/v1/chat/completions', chat({max_tokens: 10}))).arrayBuffer();
  const [result] = await gateway.settled();
  t.true(result?.estimated);
  t.is(result?.outputTokens, 10);
});

test('usage below zero is no report; usage above the bound is charged as reported, for all to see', async t => {
  const negative = await startGateway(t, {model: {faults: ['negative-usage']}});
  await (await negative.post('/v1/chat/completions', chat({max_tokens: 10}))).arrayBuffer();
  t.true((await negative.settled())[0]?.estimated);

  const lying = await startGateway(t, {model: {faults: ['lying-usage']}});
  await (await lying.post('/v1/chat/completions', chat({max_tokens: 10}))).arrayBuffer();
  const [result] = await lying.settled();
  const charge = result?.budgets[0];
  t.true((charge?.amount ?? 0) > (charge?.hold ?? 0));
});

test('one event of two megabytes passes whole', async t => {
  const gateway = await startGateway(t, {model: {faults: ['huge-chunk']}});
  const response = await gateway.post('/v1/chat/completions', chat({stream: true, max_tokens: 5}));
  t.true((await response.arrayBuffer()).byteLength > 2 * 1024 * 1024);
  t.is((await gateway.settled())[0]?.outcome, 'completed');
});

test('a model server that is not there is 502, costs nothing, and the registry is told once', async t => {
  const gateway = await startGateway(t, {endpoint: 'http://127.0.0.1:9'});
  t.is((await gateway.post('/v1/chat/completions', chat())).status, 502);
  t.is((await gateway.post('/v1/chat/completions', chat())).status, 502);
  const results = await gateway.settled(2);
  t.deepEqual(
    results.map(({costNanos, estimated}) => [costNanos, estimated]),
    [
      [0, false],
      [0, false],
    ],
  );
  t.is(
    gateway.told.filter(query => JSON.stringify(query).includes('endpoint.suspected')).length,
    1,
  );
});

test("a request that the model server finds wrong is the client's 400 with its words", async t => {
  const server = await createHttpTestServer(t, (_request, response) => {
    response
      .writeHead(400, {'content-type': 'application/json'})
      .end('{"error":{"message":"too long by 5 tokens"}}');
  });
  const gateway = await startGateway(t, {endpoint: server.url});
  const response = await gateway.post('/v1/chat/completions', chat());
  t.is(response.status, 400);
  t.regex(await response.text(), /too long by 5 tokens/);
  const [result] = await gateway.settled();
  t.deepEqual([result?.outcome, result?.costNanos], ['refused_upstream', 0]);
});

test('a request ends at its deadline', async t => {
  const gateway = await startGateway(t, {
    model: {tokenDelayMs: 50, defaultTokens: 5_000},
    limits: {requestMs: 2_000},
  });
  const response = await gateway.post(
    '/v1/chat/completions',
    chat({stream: true, max_tokens: 5_000}),
  );
  t.regex(await response.text(), /deadline/);
  const [result] = await gateway.settled();
  t.is(result?.outcome, 'deadline_exceeded');
  t.true((result?.outputTokens ?? 0) > 0);
  await eventually(() => assert.equal(gateway.model.counters().running, 0));
});

test('a client that does not read holds the model server back, and nothing is kept for it', async t => {
  const most = 200_000;
  const gateway = await startGateway(t, {
    model: {models: [{name: 'simulated-chat', maxModelLength: 2 * most}], defaultTokens: most},
    entry: {contextLength: 2 * most},
  });
  const body = JSON.stringify({
    model: 'simulated-chat',
    prompt: 'x',
    stream: true,
    max_tokens: most,
  });
  const client = connect(Number(new URL(gateway.url).port), '127.0.0.1');
  client.pause();
  client.write(
    `POST /v1/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${gateway.apiKey}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  const generated = () => gateway.model.counters().tokensGenerated;
  let before = -1;
  await eventually(
    () => {
      const now = generated();
      const isStill = now > 0 && now === before;
      before = now;
      assert.ok(isStill, `${now} tokens and counting`);
    },
    {timeoutMs: 30_000, intervalMs: 300},
  );
  t.true(generated() < most / 2, `it stood still at ${generated()}`);
  client.destroy();
  const [result] = await gateway.settled();
  t.is(result?.outcome, 'client_aborted');
  t.true((result?.outputTokens ?? most) <= generated());
  await eventually(() => assert.equal(gateway.model.counters().running, 0));
});

test('a lease that is void when the intent is durable: nothing goes to the client, nothing is charged, the model stops', async t => {
  const gateway = await startGateway(t, {
    logDelayMs: 600,
    limits: {leaseTtlMs: 400, leaseMarginMs: 100},
    model: {tokenDelayMs: 20, defaultTokens: 5_000},
  });
  gateway.leases.state.void = true;
  const response = await gateway.post(
    '/v1/chat/completions',
    chat({stream: true, max_tokens: 5_000}),
  );
  t.is(response.status, 503);
  t.false((await response.text()).includes('data:'));
  const [result] = await gateway.settled();
  t.deepEqual([result?.outcome, result?.costNanos], ['lease_lost', 0]);
  await eventually(() => assert.equal(gateway.model.counters().running, 0));
});

for (const health of ['unhealthy', 'unknown'] as const) {
  test(`a model server that answers although its health is ${health} is looked at again`, async t => {
    const gateway = await startGateway(t, {health});
    await (await gateway.post('/v1/chat/completions', chat())).arrayBuffer();
    await eventually(() => assert.match(JSON.stringify(gateway.told), /not known to be healthy/));
    t.pass();
  });
}
