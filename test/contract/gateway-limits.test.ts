/** Limits over HTTP: what a client of a limited key sees, and OpenAI's own client with it. */
import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import {OpenAI, RateLimitError} from 'openai';
import type {Rates} from '../../events/rates.ts';
import {createMemory, createMemoryLimits} from '../../functions/gateway/limits/store.ts';
import {eventually} from '../helpers/eventually.ts';
import {type GatewayOptions, startGateway} from '../helpers/gateway.ts';
import {chat} from '../helpers/simulated-model.ts';

const open = (t: ExecutionContext, rates: Rates, options: GatewayOptions = {}) =>
  startGateway(t, {...options, principal: {...options.principal, rates: {key: rates}}});
type Gateway = Awaited<ReturnType<typeof open>>;

/** Its answers take a while. */
const slow = {firstTokenDelayMs: 0, tokenDelayMs: 20};

const ask = async ({post}: Gateway, more: object = {}) => {
  const response = await post('/v1/chat/completions', chat({max_tokens: 2, ...more}));
  return {
    status: response.status,
    header: (name: string) => response.headers.get(name),
    body: (await response.json()) as {
      error?: {code: string; type: string; message: string; param: null};
    },
  };
};
const metricsOf = async ({url}: Gateway) => (await fetch(`${url}/metrics`)).text();

test('every answer to a limited key tells its limits, as OpenAI and as the standard do', async t => {
  const gateway = await open(t, {requests: 600, tokens: 60_000, parallel: 4});
  const {status, header} = await ask(gateway);
  t.is(status, 200);
  t.is(header('x-ratelimit-limit-requests'), '600');
  t.is(header('x-ratelimit-remaining-requests'), '599');
  t.is(header('x-ratelimit-reset-requests'), '100ms');
  t.is(header('x-ratelimit-limit-tokens'), '60000');
  const left = Number(header('x-ratelimit-remaining-tokens'));
  t.true(left < 60_000 && left > 59_800, String(left));
  t.regex(header('x-ratelimit-reset-tokens') ?? '', /^\d+ms$/);
  t.is(
    header('ratelimit-policy'),
    '"key-requests";q=600;w=60, "key-tokens";q=60000;w=60, "key-parallel";q=4;qu="concurrent-requests"',
  );
  t.is(
    header('ratelimit'),
    `"key-requests";r=599;t=1, "key-tokens";r=${left};t=1, "key-parallel";r=3`,
  );
});

test('a key without limits has no such headers', async t => {
  const gateway = await startGateway(t);
  const {status, header} = await ask(gateway);
  t.is(status, 200);
  t.is(header('ratelimit'), null);
  t.is(header('x-ratelimit-limit-requests'), null);
});

test('one request too many is told when to come again, costs nothing, and reaches no model', async t => {
  const gateway = await open(t, {requests: 2});
  t.deepEqual([(await ask(gateway)).status, (await ask(gateway)).status], [200, 200]);
  const {status, header, body} = await ask(gateway);
  t.is(status, 429);
  t.like(body.error, {code: 'rate_limit_exceeded', type: 'requests', param: null});
  t.regex(body.error?.message ?? '', /requests a minute of this key.*limit 2.*try again in \d/);
  t.true(Number(header('retry-after')) >= 15 && Number(header('retry-after')) <= 30);
  t.true(Number(header('retry-after-ms')) > 15_000 && Number(header('retry-after-ms')) <= 30_000);
  t.is(header('x-ratelimit-remaining-requests'), '0');
  await gateway.settled(2);
  t.is(gateway.model.requests().length, 2);
  const metrics = await metricsOf(gateway);
  t.regex(metrics, /sluice_limit_refusals_total\{scope="key",unit="requests"\} 1\n/);
  t.regex(metrics, /sluice_denials_total\{code="rate_limit_exceeded"\} 1\n/);
  t.regex(metrics, /sluice_degraded\{state="limits-per-process"\} 0\n/);
});

test('tokens that a request did not use are there for the next', async t => {
  const gateway = await open(t, {tokens: 4_000});
  for (let turn = 1; turn <= 4; turn += 1) {
    // Far less is what the model makes of it.
    t.is((await ask(gateway, {max_tokens: 3_500, ignore_eos: false})).status, 200);
    await gateway.settled(turn);
  }
  const used = gateway
    .results()
    .reduce((sum, {inputTokens, outputTokens}) => sum + inputTokens + outputTokens, 0);
  const {status, header} = await ask(gateway, {max_tokens: 1});
  t.is(status, 200);
  const left = Number(header('x-ratelimit-remaining-tokens'));
  // Of this one its bound is taken, and the bucket refills meanwhile.
  t.true(left >= 4_000 - used - 400, `${used} used, ${left} left`);
});

test('a bound of tokens that is not there is refused as tokens; one over the whole limit is not to be repeated', async t => {
  const gateway = await open(t, {tokens: 2_000}, {model: slow});
  const large = await ask(gateway, {max_tokens: 3_000});
  t.is(large.status, 429);
  t.is(large.body.error?.type, 'tokens');
  t.is(large.header('x-should-retry'), 'false');
  t.is(large.header('retry-after'), null);
  const running = {max_tokens: 1_500, stream: true};
  const response = await gateway.post('/v1/chat/completions', chat(running));
  const second = await ask(gateway, {max_tokens: 1_500});
  t.is(second.status, 429);
  t.is(second.body.error?.type, 'tokens');
  t.true(Number(second.header('retry-after')) > 0);
  await response.body?.cancel();
  // What the stream did not make comes back when it ends.
  await eventually(async () => {
    const next = await gateway.post('/v1/chat/completions', chat(running));
    await next.body?.cancel();
    assert.equal(next.status, 200);
  });
});

test('under a limit of tokens the maximum is in the body, since what is not named is not bounded', async t => {
  const gateway = await open(t, {tokens: 4_000}, {principal: {budgets: []}, budgets: {}});
  await ask(gateway, {max_tokens: undefined});
  const sent = JSON.parse(gateway.model.requests().at(-1)?.body.toString('utf8') ?? '{}');
  t.is(sent.max_tokens, 256);
});

test('requests at once: whoever ends, and however, lets the next in', async t => {
  const gateway = await open(t, {parallel: 2}, {model: slow});
  const controllers = [new AbortController(), new AbortController()];
  const streams = await Promise.all(
    controllers.map(({signal}) =>
      gateway.post('/v1/chat/completions', chat({max_tokens: 2_000, stream: true}), {signal}),
    ),
  );
  t.deepEqual(
    streams.map(({status}) => status),
    [200, 200],
  );
  const third = await ask(gateway);
  t.is(third.status, 429);
  t.like(third.body.error, {code: 'rate_limit_exceeded', type: 'requests'});
  t.is(third.header('retry-after'), '1');
  controllers[0]?.abort();
  await eventually(async () => assert.equal((await ask(gateway)).status, 200));
  controllers[1]?.abort();
});

test('a refusal by the budget gives tokens and place back, but was a request', async t => {
  const limits = {tokens: 4_000, parallel: 1, requests: 10};
  const gateway = await open(t, limits, {budgets: {budget: 1}});
  for (let turn = 0; turn < 3; turn += 1) {
    t.is((await ask(gateway, {max_tokens: 3_000})).status, 402);
  }
  const {header} = await ask(gateway, {max_tokens: 3_000});
  t.is(header('x-ratelimit-remaining-requests'), '6');
});

test('a model has a limit of its own for everybody, which no header tells', async t => {
  const gateway = await startGateway(t, {entry: {rates: {requests: 1}}});
  const first = await ask(gateway);
  t.is(first.status, 200);
  t.is(first.header('ratelimit'), null);
  const second = await ask(gateway);
  t.is(second.status, 429);
  t.regex(second.body.error?.message ?? '', /of this model/);
  t.true(Number(second.header('retry-after')) > 0);
});

test('limits of organisation, project and key hold together, and the tightest is told', async t => {
  const gateway = await startGateway(t, {
    principal: {rates: {org: {requests: 100}, project: {requests: 3}, key: {requests: 50}}},
  });
  const answers = [await ask(gateway), await ask(gateway), await ask(gateway), await ask(gateway)];
  t.deepEqual(
    answers.map(({status}) => status),
    [200, 200, 200, 429],
  );
  t.is(answers[0]?.header('x-ratelimit-limit-requests'), '3');
  t.regex(answers[3]?.body.error?.message ?? '', /of this project/);
  t.regex(answers[3]?.header('ratelimit') ?? '', /"organisation-requests";r=9\d;/);
});

test('two gateways with one store let in the limit together', async t => {
  const memory = createMemory();
  const rates = {requests: 20};
  const [one, two] = await Promise.all(
    ['one', 'two'].map(gatewayId =>
      open(t, rates, {
        principal: {key: '0192f0c1-7a00-7000-8000-00000000000a'},
        parts: {
          limitStore: createMemoryLimits({memory, gateway: gatewayId}),
          gatewayId,
          gateways: () => 2,
        },
      }),
    ),
  );
  const began = performance.now();
  const answers = await Promise.all(
    Array.from({length: 60}, (_, index) => ask((index % 2 ? one : two) as Gateway)),
  );
  const admitted = answers.filter(({status}) => status === 200).length;
  const refilled = ((performance.now() - began) * 20) / 60_000;
  t.true(admitted >= 18 && admitted <= 20 + refilled, String(admitted));
});

test('OpenAI’s client waits as long as it is told and then gets its answer', async t => {
  const gateway = await open(t, {requests: 300});
  const client = new OpenAI({apiKey: gateway.apiKey, baseURL: `${gateway.url}/v1`, maxRetries: 5});
  // The whole minute's, in one moment; the next comes 200 ms later.
  for (let refused = false; !refused; ) {
    // Many at once: one after the other, a slow machine's requests might never be faster than the limit.
    const answers = await Promise.all(
      Array.from({length: 100}, () => ask(gateway, {max_tokens: 1})),
    );
    refused = answers.some(({status}) => status === 429);
  }
  const answer = await client.chat.completions.create({
    model: 'simulated-chat',
    max_tokens: 1,
    messages: [{role: 'user', content: 'Say something.'}],
  });
  t.is(answer.choices.length, 1);
});

test('OpenAI’s client gets its RateLimitError, and does not repeat what can never be let in', async t => {
  const gateway = await open(t, {tokens: 100});
  const client = new OpenAI({apiKey: gateway.apiKey, baseURL: `${gateway.url}/v1`, maxRetries: 5});
  const error = await t.throwsAsync(
    client.chat.completions.create({
      model: 'simulated-chat',
      max_tokens: 1_000,
      messages: [{role: 'user', content: 'Say something.'}],
    }),
    {instanceOf: RateLimitError},
  );
  t.is(error?.code, 'rate_limit_exceeded');
  t.is(error?.type, 'tokens');
  t.regex(await metricsOf(gateway), /sluice_limit_refusals_total\{scope="key",unit="tokens"\} 1\n/);
});

test('a duplicate by its Idempotency-Key makes no request, and is told what the first was', async t => {
  const gateway = await open(t, {requests: 10}, {model: {firstTokenDelayMs: 100}});
  const init = {headers: {'idempotency-key': 'one'}};
  const [first, second] = await Promise.all(
    [1, 2].map(() => gateway.post('/v1/chat/completions', chat({max_tokens: 2}), init)),
  );
  t.is(first?.headers.get('x-ratelimit-remaining-requests'), '9');
  t.is(second?.headers.get('x-ratelimit-remaining-requests'), '9');
  await Promise.all([first?.text(), second?.text()]);
  t.is((await ask(gateway)).header('x-ratelimit-remaining-requests'), '8');
});

test('while their store is away limits are the process’s share, which is said, and nothing waits', async t => {
  const inner = createMemoryLimits({gateway: 'one'});
  const state = {away: true};
  const gateway = await open(
    t,
    {requests: 40},
    {
      parts: {
        limitStore: {
          ...inner,
          exchange: (asks, count) =>
            state.away ? new Promise(() => {}) : inner.exchange(asks, count),
        },
        gateways: () => 4,
      },
    },
  );
  t.is((await ask(gateway)).status, 200);
  const health = async () =>
    (await (await fetch(`${gateway.url}/healthz`)).json()) as {
      status: string;
      degraded?: {state: string}[];
    };
  t.deepEqual(
    (await health()).degraded?.map(each => each.state),
    ['limits-per-process'],
  );
  const began = performance.now();
  const answers = await Promise.all(Array.from({length: 15}, () => ask(gateway)));
  const admitted = answers.filter(({status}) => status === 200).length;
  // Ten are its share, of which one is spent.
  t.true(admitted >= 9 && admitted <= 10 + (performance.now() - began) / 6_000, String(admitted));
  state.away = false;
  await eventually(async () => assert.equal((await health()).status, 'ok'));
});
