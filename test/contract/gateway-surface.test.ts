import assert from 'node:assert/strict';
import test from 'ava';
import type {OperationName} from '../../functions/gateway/surface/form.ts';
import {forms, routes} from '../../functions/gateway/surface/routes.ts';
import {generating, requestOf} from '../helpers/forms.ts';
import {startGateway} from '../helpers/gateway.ts';

const tokens = 9;

/** One call, and what the log has of it beside what the model server did. */
const call = async (t: Parameters<typeof startGateway>[0], name: OperationName, more: object) => {
  const gateway = await startGateway(t);
  const form = forms[name];
  const response = await gateway.post(form.path, {...requestOf[name](tokens), ...more});
  await response.text();
  const results = await gateway.settled();
  const request = response.headers.get('x-request-id') ?? '';
  return {gateway, response, request, results, model: gateway.model.requestCounters(request)};
};

for (const route of routes) {
  if (route.method === 'POST') {
    const {name, maxima} = route.form;
    for (const stream of maxima.length > 0 ? [false, true] : [false]) {
      test(`${route.path} is metered, ${stream ? 'streamed' : 'whole'}`, async t => {
        const {gateway, response, request, results, model} = await call(t, name, {stream});
        t.is(response.status, 200);
        t.is(gateway.intents()[0]?.request, request);
        const [result] = results;
        t.like(result, {request, operation: name, streamed: stream, outcome: 'completed'});
        t.false(result?.estimated);
        t.is(result?.inputTokens, model?.promptTokens ?? -1);
        t.is(result?.outputTokens, model?.tokensGenerated ?? -1);
        t.is(result?.outputTokens, maxima.length > 0 ? tokens : 0);
        t.true((result?.costNanos ?? 0) > 0);
        t.is(result?.budgets[0]?.amount, result?.costNanos);
        t.deepEqual(
          gateway.model.requests().map(({path}) => path),
          [route.path],
        );
      });
    }
  } else {
    test(`${route.path} is read from the catalogue: no model server hears of it`, async t => {
      const gateway = await startGateway(t);
      const path = route.shows === 'model' ? `${route.path}simulated-chat` : route.path;
      const headers = {authorization: `Bearer ${gateway.apiKey}`};
      const response = await fetch(gateway.url + path, {headers});
      t.is(response.status, 200);
      t.regex(await response.text(), /"id":"simulated-chat"/);
      t.deepEqual(gateway.model.requests(), []);
      t.deepEqual(gateway.intents(), []);
    });
  }
}

test('the forms and the routes are the same, and each has its own path', t => {
  const posts = routes.filter(({method}) => method === 'POST').map(({path}) => path);
  t.deepEqual(
    posts.toSorted(),
    Object.values(forms)
      .map(({path}) => path)
      .toSorted(),
  );
  t.is(new Set(routes.map(({path}) => path)).size, routes.length);
  for (const [name, form] of Object.entries(forms)) {
    t.is(form.name, name as OperationName);
  }
});

test('what is no route is 404 by any method, and no model server hears of it', async t => {
  const gateway = await startGateway(t);
  const unknown = [
    '/v1',
    '/v1/',
    '/v1/rerank',
    '/v1/audio/speech',
    '/v1/chat',
    '/v1/chat/completions/',
    '/v1//chat/completions',
    '/V1/chat/completions',
    '/v1/constructor',
    '/v1/responses/resp_1',
    '/v1/responses/resp_1/cancel',
    '/v1/messages/count_tokens',
    '/v1/messages/batches',
    '/tokenize',
    '/invocations',
  ];
  for (const path of unknown) {
    for (const method of ['GET', 'POST', 'DELETE']) {
      const headers = {authorization: `Bearer ${gateway.apiKey}`};
      const body = method === 'POST' ? JSON.stringify(requestOf['chat.completions'](4)) : null;
      const response = await fetch(gateway.url + path, {method, headers, body});
      t.is(response.status, 404, `${method} ${path}`);
      await response.text();
    }
  }
  t.deepEqual(gateway.model.requests(), []);
  t.deepEqual(gateway.intents(), []);
});

test('a route takes its method and no other', async t => {
  const gateway = await startGateway(t);
  for (const {path, method} of routes) {
    for (const other of ['GET', 'POST', 'PUT', 'DELETE'].filter(each => each !== method)) {
      const response = await fetch(gateway.url + path, {method: other});
      t.is(response.status, 405, `${other} ${path}`);
      t.is(response.headers.get('allow'), method);
      await response.text();
    }
  }
  t.deepEqual(gateway.model.requests(), []);
});

for (const name of generating) {
  test(`${name}: a client that leaves is charged the deltas that the model server sent`, async t => {
    const gateway = await startGateway(t, {model: {tokenDelayMs: 20}});
    const abort = new AbortController();
    const body = {...requestOf[name](400), stream: true};
    const response = await gateway.post(forms[name].path, body, {signal: abort.signal});
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    let read = '';
    while ((read.match(/"(?:delta|text)":/g) ?? []).length < 8) {
      const {value} = await reader.read();
      read += Buffer.from(value ?? []).toString();
    }
    abort.abort();
    await reader.read().catch(() => undefined);
    const [result] = await gateway.settled();
    const counters = gateway.model.requestCounters(result?.request ?? '');
    t.is(result?.outcome, 'client_aborted');
    t.true((result?.outputTokens ?? 0) >= 4 && (result?.outputTokens ?? 0) < 400);
    t.is(result?.outputTokens, counters?.tokensSent ?? -1);
  });

  test(`${name}: the result can be asked for again by its Idempotency-Key, and is charged once`, async t => {
    // Long enough for the second to come while the first runs, on a busy machine too.
    const gateway = await startGateway(t, {model: {tokenDelayMs: 400}});
    const init = {headers: {'idempotency-key': 'once'}};
    const body = {...requestOf[name](6), stream: true};
    const both = await Promise.all(
      [1, 2].map(async () => (await gateway.post(forms[name].path, body, init)).text()),
    );
    t.true((both[0]?.length ?? 0) > 100);
    t.is(both[0], both[1]);
    const [result] = await gateway.settled();
    t.is(result?.outputTokens, 6);
    const {name: otherName, path} = forms[name === 'responses' ? 'messages' : 'responses'];
    const other = await gateway.post(path, requestOf[otherName](6), init);
    t.is(other.status, 422);
  });

  test(`${name}: a budget bounds the answer`, async t => {
    const gateway = await startGateway(t, {budgets: {budget: 1_000_000}});
    const response = await gateway.post(forms[name].path, requestOf[name](4_000));
    t.is(response.status, 200, await response.clone().text());
    const [result] = await gateway.settled();
    const max = Number(response.headers.get('x-sluice-max-tokens'));
    t.true(max > 0 && max < 4_000);
    const sent = JSON.parse(gateway.model.requests()[0]?.body.toString() ?? '{}');
    t.is(sent[forms[name].maxima[0] as string], max);
    assert.ok(result);
    t.true(result.costNanos <= 1_000_000);
  });
}
