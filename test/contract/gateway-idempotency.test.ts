import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import test, {type ExecutionContext} from 'ava';
import OpenAI, {type APIError} from 'openai';
import {uuidv7} from '../../events/uuid.ts';
import type {ClaimStore} from '../../functions/gateway/idempotency/claim.ts';
import {createSeal} from '../../functions/gateway/idempotency/seal.ts';
import {createMemoryClaims} from '../../functions/gateway/idempotency/store-memory.ts';
import {eventually} from '../helpers/eventually.ts';
import {type GatewayOptions, startGateway} from '../helpers/gateway.ts';
import {createHttpTestServer} from '../helpers/http.ts';
import {chat} from '../helpers/simulated-model.ts';

type Gateway = Awaited<ReturnType<typeof startGateway>>;

const named = (key: string, more: RequestInit = {}): RequestInit => ({
  ...more,
  headers: {'idempotency-key': key},
});
const ask = (gateway: Gateway, body: unknown = chat(), key = 'k', more: RequestInit = {}) =>
  gateway.post('/v1/chat/completions', body, named(key, more));
const codeOf = async (response: Response) =>
  ((await response.json()) as {error: {code: string}}).error.code;
const became = (response: Response) => response.headers.get('x-sluice-idempotency');
/** Until as many requests with a key as are said have come to an end, as the metrics count them. */
const counted = async (gateway: Gateway, what: string) => {
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  const line = new RegExp(`^sluice_idempotency_requests_total\\{what="${what}"\\} (\\d+)$`, 'm');
  return Number(line.exec(text)?.[1] ?? 0);
};

/** Two gateways of one project, that know of each other by their claims alone. */
const startTwo = async (t: ExecutionContext, options: GatewayOptions = {}) => {
  const project = uuidv7();
  const claims = createMemoryClaims();
  const common = (): GatewayOptions => ({
    ...options,
    principal: {project, ...options.principal},
    parts: {claims: {...claims, async close() {}}, ...options.parts},
  });
  return [await startGateway(t, common()), await startGateway(t, common())] as const;
};

/** A model server that answers when it is told to. */
const startSlowModel = async (t: ExecutionContext) => {
  const waiting: (() => void)[] = [];
  const answer = {
    id: 'x',
    object: 'chat.completion',
    choices: [{index: 0, message: {role: 'assistant', content: 'slow'}, finish_reason: 'stop'}],
    usage: {prompt_tokens: 3, completion_tokens: 1, total_tokens: 4},
  };
  let aborted = 0;
  const {url} = await createHttpTestServer(t, (request, response) => {
    request.resume();
    response.on('close', () => {
      aborted += response.writableFinished ? 0 : 1;
    });
    waiting.push(() => {
      response.writeHead(200, {'content-type': 'application/json'});
      response.end(JSON.stringify(answer));
    });
  });
  const asked = (count: number) => eventually(() => assert.equal(waiting.length, count));
  return {url, asked, aborted: () => aborted, go: () => waiting.shift()?.()};
};

test('many that ask for the same at once get the same bytes, and one of them is charged', async t => {
  const slow = await startSlowModel(t);
  const gateway = await startGateway(t, {endpoint: slow.url});
  const first = ask(gateway);
  await slow.asked(1);
  const others = Array.from({length: 9}, () => ask(gateway));
  await eventually(async () => assert.equal(await counted(gateway, 'attached'), 9));
  slow.go();
  const responses = await Promise.all([first, ...others]);
  const texts = await Promise.all(responses.map(response => response.text()));
  t.is(new Set(texts).size, 1);
  t.deepEqual(new Set(responses.map(({status}) => status)), new Set([200]));
  t.is(new Set(responses.map(({headers}) => headers.get('x-request-id'))).size, 1);
  t.deepEqual(responses.map(became), [null, ...others.map(() => 'attached')]);
  const [result] = await gateway.settled(1);
  t.is(result?.request, responses[5]?.headers.get('x-request-id') ?? '');
  t.is(await counted(gateway, 'run'), 1);
});

test('who attaches to a stream gets all of it, what was sent before included', async t => {
  const gateway = await startGateway(t, {model: {tokenDelayMs: 1_000, firstTokenDelayMs: 0}});
  const body = chat({stream: true, max_tokens: 20});
  const first = await ask(gateway, body);
  t.is(first.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  const second = await ask(gateway, body);
  t.is(became(second), 'attached');
  gateway.model.set({tokenDelayMs: 5});
  const texts = await Promise.all([first.text(), second.text()]);
  t.is(texts[0], texts[1]);
  t.true(texts[0]?.endsWith('data: [DONE]\n\n'));
  await gateway.settled(1);
});

test('the request goes on while anybody who asked for it is there, and is aborted when nobody is', async t => {
  const slow = await startSlowModel(t);
  const gateway = await startGateway(t, {endpoint: slow.url});
  const leaves = new AbortController();
  const first = ask(gateway, chat(), 'k', {signal: leaves.signal});
  await slow.asked(1);
  const second = ask(gateway);
  await eventually(async () => assert.equal(await counted(gateway, 'attached'), 1));
  leaves.abort();
  await t.throwsAsync(first);
  slow.go();
  t.is((await second).status, 200);
  t.is(slow.aborted(), 0);
  await gateway.settled(1);

  const leave = new AbortController();
  const both = [0, 1].map(() => ask(gateway, chat(), 'other', {signal: leave.signal}));
  await slow.asked(1);
  leave.abort();
  await Promise.allSettled(both);
  await eventually(() => assert.equal(slow.aborted(), 1));
  const results = await gateway.settled(2);
  t.is(results[1]?.outcome, 'client_aborted');
});

test('another body or route under the same key is refused, while it runs and afterwards', async t => {
  const slow = await startSlowModel(t);
  const gateway = await startGateway(t, {endpoint: slow.url});
  const first = ask(gateway);
  await slow.asked(1);
  const other = chat({temperature: 0.5});
  const during = await ask(gateway, other);
  t.is(during.status, 422);
  t.is(await codeOf(during), 'idempotency_key_reused');
  slow.go();
  await (await first).text();
  await gateway.settled(1);
  await eventually(async () => assert.equal((await ask(gateway)).status, 409));
  t.is((await ask(gateway, other)).status, 422);
  const route = await gateway.post('/v1/completions', {...chat(), prompt: 'x'}, named('k'));
  t.is(route.status, 422);
  t.is(gateway.intents().length, 1);
  t.is(await counted(gateway, 'reused'), 3);
});

test('after it has ended the answer is not there where results are not kept, and nobody should ask again', async t => {
  const [one, two] = await startTwo(t, {parts: {seal: createSeal(randomBytes(32))}});
  await (await ask(one)).text();
  await one.settled(1);
  for (const gateway of [one, two]) {
    const again = await ask(gateway);
    t.is(again.status, 409);
    t.is(again.headers.get('x-should-retry'), 'false');
    t.is(await codeOf(again), 'result_not_kept');
  }
  t.is(two.intents().length, 0);
});

for (const stream of [false, true]) {
  test(`where results are kept ${stream ? 'a stream' : 'an answer'} is replayed by any gateway, byte for byte`, async t => {
    const seal = createSeal(randomBytes(32));
    const [one, two] = await startTwo(t, {parts: {seal}, principal: {keepResults: true}});
    const body = chat({stream, max_tokens: 5});
    const first = await ask(one, body);
    const text = await first.text();
    await one.settled(1);
    await eventually(async () => assert.equal(became(await ask(one, body)), 'replayed'));
    const again = await ask(two, body);
    t.is(again.status, 200);
    t.is(became(again), 'replayed');
    t.is(await again.text(), text);
    for (const name of ['content-type', 'x-request-id']) {
      t.is(again.headers.get(name), first.headers.get(name));
    }
    t.is(one.intents().length + two.intents().length, 1);
    t.is(await counted(two, 'replayed'), 1);
  });
}

test('what is kept is sealed, and what another key sealed is as if it had not been kept', async t => {
  const kept: Buffer[] = [];
  const memory = createMemoryClaims();
  const claims: ClaimStore = {
    ...memory,
    finish(held) {
      kept.push(held.result ?? Buffer.alloc(0));
      return memory.finish(held);
    },
  };
  const [one, two] = await Promise.all([0, 1].map(async () => createSeal(randomBytes(32))));
  const principal = {project: uuidv7(), keepResults: true};
  const first = await startGateway(t, {principal, parts: {claims, seal: one as never}});
  const body = chat({messages: [{role: 'user', content: 'canary'}], max_tokens: 9});
  const text = await (await ask(first, body)).text();
  await eventually(() => assert.equal(kept.length, 1));
  t.true((kept[0]?.length ?? 0) > text.length);
  const content = (JSON.parse(text) as {choices: [{message: {content: string}}]}).choices[0]
    .message;
  t.false(kept[0]?.includes(content.content.slice(0, 12)));
  t.false(JSON.stringify(first.lines).includes('canary'));
  const second = await startGateway(t, {principal, parts: {claims, seal: two as never}});
  t.is(await codeOf(await ask(second, body)), 'result_not_kept');
});

test('while another gateway runs it the client is told to come again', async t => {
  const slow = await startSlowModel(t);
  const [one, two] = await startTwo(t, {endpoint: slow.url});
  const first = ask(one);
  await slow.asked(1);
  const other = await ask(two);
  t.is(other.status, 409);
  t.is(other.headers.get('retry-after'), '2');
  t.is(other.headers.get('x-should-retry'), null);
  t.is(await codeOf(other), 'request_in_progress');
  t.is(await counted(two, 'in_progress'), 1);
  slow.go();
  t.is((await first).status, 200);
  t.is(two.intents().length, 0);
});

test('a request that failed and was charged nothing leaves its key free, here and elsewhere', async t => {
  const [one, two] = await startTwo(t);
  one.leases.state.away = true;
  t.is((await ask(one)).status, 503);
  one.leases.state.away = false;
  t.is((await ask(one, chat({temperature: 2}))).status, 200);
  t.is((await ask(two, chat({model: 'none'}), 'n')).status, 404);
  t.is((await ask(two, chat(), 'n')).status, 200);
  t.is((await ask(one, '{', 'x')).status, 400);
  t.is((await ask(one, chat(), 'x')).status, 200);
});

test("a model server's refusal or failure leaves the key free", async t => {
  let status = 500;
  const {url} = await createHttpTestServer(t, (request, response) => {
    request.resume();
    response.writeHead(status, {'content-type': 'application/json'});
    response.end(
      status === 200 ? '{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}' : '{}',
    );
  });
  const [one, two] = await startTwo(t, {endpoint: url});
  t.is((await ask(one)).status, 502);
  status = 400;
  await eventually(async () => assert.equal((await ask(two)).status, 400));
  status = 200;
  await eventually(async () => assert.equal((await ask(one)).status, 200));
  await eventually(() => {
    const results = [...one.results(), ...two.results()];
    assert.equal(results.filter(({outcome}) => outcome === 'completed').length, 1);
  });
  t.pass();
});

test('who comes while a failure is being put away does not get it, but runs the request', async t => {
  let status = 500;
  const {url} = await createHttpTestServer(t, (request, response) => {
    request.resume();
    response.writeHead(status, {'content-type': 'application/json'});
    response.end('{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}');
  });
  const memory = createMemoryClaims();
  const {promise: mayEnd, resolve: letEnd} = Promise.withResolvers<void>();
  let releases = 0;
  const claims: ClaimStore = {
    ...memory,
    async release(held) {
      releases += 1;
      await mayEnd;
      return memory.release(held);
    },
  };
  const gateway = await startGateway(t, {
    endpoint: url,
    parts: {claims},
    limits: {claimStoreMs: 60_000},
  });
  t.is((await ask(gateway)).status, 502);
  await eventually(() => assert.equal(releases, 1));
  status = 200;
  const again = ask(gateway);
  // Another key's answer shows that the retry has been read, and waits.
  t.is((await ask(gateway, chat(), 'other')).status, 200);
  letEnd();
  const response = await again;
  t.is(response.status, 200);
  t.is(became(response), null);
});

test('a stream that was cut and charged is not run again under its key', async t => {
  const {url} = await createHttpTestServer(t, (request, response) => {
    request.resume();
    response.writeHead(200, {'content-type': 'text/event-stream'});
    response.write('data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n', () =>
      setTimeout(() => response.destroy(), 20),
    );
  });
  const gateway = await startGateway(t, {
    endpoint: url,
    usage: 'none',
    principal: {keepResults: true},
    parts: {seal: createSeal(randomBytes(32))},
  });
  const body = chat({stream: true});
  await (await ask(gateway, body)).text().catch(() => {});
  const [result] = await gateway.settled(1);
  t.is(result?.outcome, 'upstream_error');
  t.true((result?.outputTokens ?? 0) > 0);
  t.is(await codeOf(await ask(gateway, body)), 'result_not_kept');
  t.is(gateway.intents().length, 1);
});

test('who waits with another for a lease is told the same when there is none', async t => {
  const gateway = await startGateway(t, {budgets: {budget: 1}});
  const responses = await Promise.all([0, 1, 2].map(() => ask(gateway)));
  for (const response of responses) {
    t.true([402, 429].includes(response.status));
    t.is(response.headers.get('x-request-id')?.length, 36);
  }
  t.is(new Set(responses.map(({headers}) => headers.get('x-request-id'))).size, 3);
});

test('an answer over the bound is passed on whole to who is there, and to nobody later', async t => {
  const large = JSON.stringify({
    choices: [{index: 0, message: {content: 'x'.repeat(50_000)}}],
    usage: {prompt_tokens: 1, completion_tokens: 1},
  });
  const {url} = await createHttpTestServer(t, (request, response) => {
    request.resume();
    response.end(large);
  });
  const gateway = await startGateway(t, {
    endpoint: url,
    limits: {resultBytes: 10_000},
    principal: {keepResults: true},
    parts: {seal: createSeal(randomBytes(32))},
  });
  t.is(await (await ask(gateway)).text(), large);
  await gateway.settled(1);
  t.is(await codeOf(await ask(gateway)), 'result_not_kept');
});

test('a key that is none is refused; without one nothing is remembered', async t => {
  const gateway = await startGateway(t);
  for (const key of ['', 'x'.repeat(256), 'tab\there']) {
    const response = await ask(gateway, chat(), key);
    t.is(response.status, 400);
    t.is(await codeOf(response), 'bad_request');
  }
  for (const _ of [0, 1]) {
    t.is((await gateway.post('/v1/chat/completions', chat())).status, 200);
  }
  await gateway.settled(2);
  t.is(await counted(gateway, 'run'), 0);
});

test('while the store is away keys hold within the process, and it is said', async t => {
  const away = async (): Promise<never> => {
    throw new Error('away');
  };
  const memory = createMemoryClaims();
  let store: ClaimStore = {...memory, take: away, finish: away, release: away};
  const claims: ClaimStore = {
    take: asked => store.take(asked),
    finish: held => store.finish(held),
    release: held => store.release(held),
    close: () => memory.close(),
  };
  const gateway = await startGateway(t, {
    principal: {keepResults: true},
    parts: {claims, seal: createSeal(randomBytes(32))},
  });
  t.is((await ask(gateway)).status, 200);
  t.is(await codeOf(await ask(gateway)), 'result_not_kept');
  t.is(gateway.intents().length, 1);
  const health = async () => (await fetch(`${gateway.url}/healthz`)).json();
  t.like(await health(), {
    status: 'degraded',
    reason:
      'claims-per-process: idempotency keys are known per process only, because their store is away',
  });
  const text = async () => (await fetch(`${gateway.url}/metrics`)).text();
  t.regex(await text(), /^sluice_idempotency_per_process 1$/m);
  store = memory;
  let turn = 0;
  await eventually(async () => {
    await ask(gateway, chat(), `later ${turn++}`);
    assert.match(await text(), /^sluice_idempotency_per_process 0$/m);
  });
  t.like(await health(), {status: 'ok'});
});

test("OpenAI's client, as it is, gets one answer for one key and an error that it does not repeat", async t => {
  const gateway = await startGateway(t, {
    principal: {keepResults: true},
    parts: {seal: createSeal(randomBytes(32))},
  });
  const client = new OpenAI({baseURL: `${gateway.url}/v1`, apiKey: gateway.apiKey});
  const body = {model: 'simulated-chat', messages: [{role: 'user' as const, content: 'Hello.'}]};
  // Its own option of this name sends nothing: OpenAI's API has no such header.
  const options = {headers: {'Idempotency-Key': 'one'}};
  const first = await client.chat.completions.create(body, options);
  await gateway.settled(1);
  const second = await client.chat.completions.create(body, options);
  t.deepEqual(second, first);
  const error = await t.throwsAsync<APIError>(
    client.chat.completions.create({...body, temperature: 1}, options),
  );
  t.is(error?.status, 422);
  t.is(error?.code, 'idempotency_key_reused');
  const streamed = async () => {
    const stream = await client.chat.completions.create(
      {...body, stream: true, max_tokens: 7},
      {headers: {'Idempotency-Key': 'two'}},
    );
    let content = '';
    for await (const chunk of stream) {
      content += chunk.choices[0]?.delta.content ?? '';
    }
    return content;
  };
  t.is(await streamed(), await streamed());
  await gateway.settled(2);
});
