import test, {type ExecutionContext} from 'ava';
import type {OperationName} from '../../functions/gateway/surface/form.ts';
import {forms} from '../../functions/gateway/surface/routes.ts';
import {eventsOf, generating, requestOf} from '../helpers/forms.ts';
import {type GatewayOptions, startGateway} from '../helpers/gateway.ts';
import {createHttpTestServer} from '../helpers/http.ts';

/** For a server that says nothing, and for one that stops saying something: not so short that a busy machine would be late before. */
const short = {firstByteMs: 300, idleUpstreamMs: 300};
const stops = {idleUpstreamMs: 2_000};

/** What a refusal says, whatever its form: the members that only one form has are looked at on the way. */
const messageOf = (t: ExecutionContext, name: OperationName, body: unknown) => {
  const {type, error} = body as {type?: string; error: {type: string; message: string}};
  t.is(type, name === 'messages' ? 'error' : undefined);
  t.is('code' in error, name !== 'messages');
  return error.message;
};

for (const name of generating) {
  const {path} = forms[name];

  for (const fault of ['reset-mid-stream', 'hang-mid-stream'] as const) {
    test(`${name}: ${fault} ends the stream by an error event of its form, and what passed is charged`, async t => {
      const gateway = await startGateway(t, {model: {faults: [fault]}, limits: stops});
      const response = await gateway.post(path, {...requestOf[name](20), stream: true});
      t.is(response.status, 200);
      const text = await response.text();
      t.false(text.includes('[DONE]'));
      t.false(/response\.completed|message_stop/.test(text));
      const last = eventsOf(text).at(-1);
      const isTyped = name === 'responses' || name === 'messages';
      t.is(last?.name, isTyped ? 'error' : undefined);
      t.is(last?.data.type, isTyped ? 'error' : undefined);
      t.regex(JSON.stringify(last?.data.error), /"message":"the model server/);
      const [result] = await gateway.settled();
      t.is(result?.outcome, 'upstream_error');
      t.is(result?.outputTokens, 3);
    });
  }

  test(`${name}: the deadline ends the stream by an error event of its form`, async t => {
    const options = {model: {tokenDelayMs: 200}, limits: {requestMs: 3_000}};
    const gateway = await startGateway(t, options);
    const response = await gateway.post(path, {...requestOf[name](2_000), stream: true});
    const last = eventsOf(await response.text()).at(-1);
    t.regex(JSON.stringify(last?.data.error), /deadline/);
    const [result] = await gateway.settled();
    t.is(result?.outcome, 'deadline_exceeded');
    const counters = gateway.model.requestCounters(result?.request ?? '');
    t.is(result?.outputTokens, counters?.tokensSent ?? -1);
  });

  const refusals: readonly [string, number, RegExp, GatewayOptions, object][] = [
    ['an unknown model', 404, /no model/, {}, {model: 'nobody'}],
    ['a spent budget', 402, /budget/, {budgets: {budget: 10}}, {}],
    ['a model server with error-500', 502, /answered 500/, {model: {faults: ['error-500']}}, {}],
    ['a model server with garbage', 502, /is not/, {model: {faults: ['garbage']}}, {}],
    ['a model server that hangs', 504, /in time/, {model: {faults: ['hang']}, limits: short}, {}],
    ['a prompt over the context', 400, /context/, {model: smallModel()}, {}],
    ['a stream that is a text', 400, /stream/, {}, {stream: 'yes'}],
  ];
  for (const [what, status, message, options, more] of refusals) {
    test(`${name}: ${what} is ${status}, in the form's own words`, async t => {
      const gateway = await startGateway(t, options);
      const response = await gateway.post(path, {...requestOf[name](20), ...more});
      const body = await response.text();
      t.is(response.status, status, body);
      t.regex(messageOf(t, name, JSON.parse(body)), message);
      t.true(gateway.results().every(({costNanos}) => costNanos === 0));
    });
  }

  test(`${name}: a limit of requests refuses in its form, and tells the limits`, async t => {
    const gateway = await startGateway(t, {principal: {rates: {key: {requests: 1}}}});
    const [first, second] = [
      await gateway.post(path, requestOf[name](4)),
      await gateway.post(path, requestOf[name](4)),
    ];
    t.is(first.status, 200);
    t.is(first.headers.get('x-ratelimit-limit-requests'), '1');
    t.is(second.status, 429);
    t.true(Number(second.headers.get('retry-after')) > 0);
    const body = (await second.json()) as {error: {type: string}};
    t.regex(messageOf(t, name, body), /requests a minute/);
    t.is(body.error.type, name === 'messages' ? 'rate_limit_error' : 'requests');
    await gateway.settled();
  });

  test(`${name}: under a limit of tokens what was not used comes back, and the maximum counts`, async t => {
    const gateway = await startGateway(t, {principal: {rates: {key: {tokens: 2_000}}}});
    const large = await gateway.post(path, requestOf[name](3_000));
    t.is(large.status, 429, await large.text());
    const small = await gateway.post(path, requestOf[name](4));
    t.is(small.status, 200);
    const left = Number(small.headers.get('x-ratelimit-remaining-tokens'));
    t.true(left > 1_800 && left < 2_000, String(left));
    await gateway.settled();
  });

  test(`${name}: a request without a key is 401 in its form`, async t => {
    const gateway = await startGateway(t);
    const response = await fetch(gateway.url + path, {method: 'POST', body: '{}'});
    t.is(response.status, 401);
    messageOf(t, name, await response.json());
  });

  test(`${name}: what was cached is told apart, and counts once`, async t => {
    const model = {cachedPromptShare: 0.5};
    const gateway = await startGateway(t, {model});
    for (const stream of [false, true]) {
      await (await gateway.post(path, {...requestOf[name](5), stream})).text();
    }
    for (const {request, inputTokens, cachedInputTokens, outputTokens} of await gateway.settled(
      2,
    )) {
      const prompt = gateway.model.requestCounters(request)?.promptTokens ?? -1;
      t.is(inputTokens, prompt);
      t.is(cachedInputTokens, Math.floor(prompt / 2));
      t.is(outputTokens, 5);
    }
  });

  for (const fault of ['no-usage', 'lying-usage', 'negative-usage'] as const) {
    test(`${name}: with ${fault} a whole answer and a stream are charged by what passed, or as far as can be believed`, async t => {
      const gateway = await startGateway(t, {model: {faults: [fault]}});
      for (const stream of [false, true]) {
        await (await gateway.post(path, {...requestOf[name](8), stream})).text();
      }
      for (const {outputTokens, estimated} of await gateway.settled(2)) {
        t.is(estimated, fault !== 'lying-usage');
        t.is(outputTokens, fault === 'lying-usage' ? 1_000_000_000 : 8);
      }
    });
  }
}

function smallModel() {
  return {models: [{name: 'simulated-chat', maxModelLength: 6}]};
}

test('Anthropic form: x-api-key is the key there and for the list of models, and nowhere else', async t => {
  const gateway = await startGateway(t);
  const ask = (path: string, body: object, headers: Record<string, string>) =>
    fetch(gateway.url + path, {method: 'POST', body: JSON.stringify(body), headers});
  const key = {'x-api-key': gateway.apiKey};
  const body = requestOf.messages(4);
  t.is((await ask('/v1/messages', body, key)).status, 200);
  t.is((await ask('/v1/messages', body, {'x-api-key': 'sk-wrong'})).status, 401);
  t.is((await ask('/v1/messages', body, {...key, authorization: 'Bearer sk-wrong'})).status, 401);
  t.is((await ask('/v1/responses', requestOf.responses(4), key)).status, 401);
  t.is((await fetch(`${gateway.url}/v1/models`, {headers: key})).status, 200);
  t.false(gateway.lines.join('').includes(gateway.apiKey));
});

test('Anthropic form: a path under /v1/messages that is none is 404 in its form', async t => {
  const gateway = await startGateway(t);
  const response = await gateway.post('/v1/messages/count_tokens', requestOf.messages(4));
  t.is(response.status, 404);
  t.deepEqual(await response.json(), {
    type: 'error',
    error: {type: 'not_found_error', message: 'there is no such route'},
  });
});

test('Responses: the model server is told not to store, and the body stays byte for byte otherwise', async t => {
  const gateway = await startGateway(t, {budgets: {}});
  const bodies: readonly [string, string][] = [
    [
      '{"model":"simulated-chat", "input":"a"}',
      '{"store":false,"model":"simulated-chat", "input":"a"}',
    ],
    [
      '{"store":null,"model":"simulated-chat","input":"é","seed":12345678901234567890}',
      '{"store":false,"model":"simulated-chat","input":"é","seed":12345678901234567890}',
    ],
  ];
  for (const [sent, received] of bodies) {
    t.is((await gateway.post('/v1/responses', sent)).status, 200);
    t.is(gateway.model.requests().at(-1)?.body.toString(), received);
  }
});

test('Responses: what a client sent in tools and metadata is not taken for usage', async t => {
  const gateway = await startGateway(t);
  const usage = {input_tokens: 1, output_tokens: 1};
  const tool = {type: 'function', name: 'usage', parameters: {response: {usage}, usage}};
  const more = {tools: [tool], metadata: {usage: '1'}, instructions: '"usage":{"output_tokens":1}'};
  for (const stream of [false, true]) {
    const body = {...requestOf.responses(12), ...more, stream};
    await (await gateway.post('/v1/responses', body)).text();
  }
  for (const {request, inputTokens, outputTokens} of await gateway.settled(2)) {
    t.is(outputTokens, 12);
    t.is(inputTokens, gateway.model.requestCounters(request)?.promptTokens ?? -1);
  }
});

test('Responses: a text without a maximum is counted by the model server where its bytes leave no room', async t => {
  const gateway = await startGateway(t);
  const input = 'x'.repeat(8_150);
  const response = await gateway.post('/v1/responses', {model: 'simulated-chat', input});
  t.is(response.status, 200);
  await response.text();
  const paths = gateway.model.requests().map(({path}) => path);
  t.deepEqual(paths, ['/tokenize', '/v1/responses']);
  const [result] = await gateway.settled();
  t.is(result?.outputTokens, 32);
});

test('a stream that ends without its last event is charged by the deltas', async t => {
  const delta = 'event: content_block_delta\ndata: {"delta":{"text":"a"}}\n\n';
  const {url} = await createHttpTestServer(t, (_request, response) => {
    response.writeHead(200, {'content-type': 'text/event-stream'});
    response.end(delta.repeat(7));
  });
  const gateway = await startGateway(t, {endpoint: url});
  const response = await gateway.post('/v1/messages', {...requestOf.messages(20), stream: true});
  t.is(await response.text(), delta.repeat(7));
  const [result] = await gateway.settled();
  t.is(result?.outputTokens, 7);
  t.true(result?.estimated);
});

const missing: readonly [number, string, number][] = [
  [404, '{"detail":"Not Found"}', 404],
  [405, '{"detail":"Method Not Allowed"}', 404],
  [501, '{"error":{"message":"The model does not support Messages API"}}', 404],
  [404, '{"error":{"message":"The model does not exist","code":404}}', 502],
];
for (const [status, body, told] of missing) {
  test(`a model server that answers ${status} ${body} is told as ${told}, and ${told === 404 ? 'not ' : ''}suspected`, async t => {
    const {url} = await createHttpTestServer(t, (_request, response) => {
      response.writeHead(status, {'content-type': 'application/json'});
      response.end(body);
    });
    const gateway = await startGateway(t, {endpoint: url});
    const response = await gateway.post('/v1/messages', requestOf.messages(4));
    t.is(response.status, told);
    const [result] = await gateway.settled();
    t.is(result?.outcome, told === 404 ? 'refused_upstream' : 'upstream_error');
    t.is(result?.costNanos, 0);
    t.is(
      gateway.told.flat().some(each => /endpoint\.suspected/.test(JSON.stringify(each))),
      told !== 404,
    );
  });
}
