/** A model server behind TLS, as one outside the cluster is: answers, streams, ends and charges are what they are without. */
import assert from 'node:assert/strict';
import test from 'ava';
import {eventually} from '../helpers/eventually.ts';
import {startGateway} from '../helpers/gateway.ts';
import {chat, readStream, startModel} from '../helpers/simulated-model.ts';
import {startTlsFront} from '../helpers/tls-front.ts';

test('whole and streamed answers come through, and are charged as without TLS', async t => {
  const model = await startModel(t);
  const front = await startTlsFront(t, {behind: model.url});
  const over = await startGateway(t, {endpoint: front.url});
  const without = await startGateway(t, {endpoint: model.url});
  for (const gateway of [over, without]) {
    const whole = await gateway.post('/v1/chat/completions', chat({max_tokens: 5}));
    t.is(whole.status, 200);
    const streamed = await gateway.post(
      '/v1/chat/completions',
      chat({max_tokens: 20, stream: true}),
    );
    const {done, chunks} = await readStream(streamed);
    t.true(done);
    t.is(chunks.filter(({choices}) => choices[0]?.delta?.content).length, 20);
  }
  const [one, other] = await Promise.all([over.settled(2), without.settled(2)]);
  t.deepEqual(
    one.map(({costNanos}) => costNanos),
    other.map(({costNanos}) => costNanos),
  );
  t.is(front.seen.length, 2);
});

test('calls are HTTP/1.1, also to who would speak HTTP/2, and share no connection', async t => {
  const model = await startModel(t, {firstTokenDelayMs: 200});
  const front = await startTlsFront(t, {behind: model.url});
  const gateway = await startGateway(t, {endpoint: front.url});
  const statuses = await Promise.all(
    Array.from({length: 10}, async () => {
      const response = await gateway.post('/v1/chat/completions', chat({max_tokens: 5}));
      await response.text();
      return response.status;
    }),
  );
  t.deepEqual(new Set(statuses), new Set([200]));
  t.deepEqual(new Set(front.seen.map(({version}) => version)), new Set(['1.1']));
});

test('a client that goes is told to the model server, and charged for what it was sent', async t => {
  const model = await startModel(t, {tokenDelayMs: 200});
  const front = await startTlsFront(t, {behind: model.url});
  const gateway = await startGateway(t, {endpoint: front.url});
  const going = new AbortController();
  const response = await gateway.post(
    '/v1/chat/completions',
    chat({max_tokens: 1_000, stream: true}),
    {signal: going.signal},
  );
  await response.body?.getReader().read();
  going.abort();
  await eventually(() => assert.equal(front.seen[0]?.cut, true));
  const [result] = await gateway.settled();
  t.is(result?.outcome, 'client_aborted');
  t.true((result?.outputTokens as number) > 0 && (result?.outputTokens as number) < 1_000);
});

test('a certificate that nobody vouches for is an endpoint that cannot be reached, and costs nothing', async t => {
  const model = await startModel(t);
  const front = await startTlsFront(t, {behind: model.url, trusted: false});
  const gateway = await startGateway(t, {endpoint: front.url});
  const response = await gateway.post('/v1/chat/completions', chat());
  t.is(response.status, 502);
  t.regex(await response.text(), /could not be reached/);
  t.is((await gateway.settled())[0]?.costNanos, 0);
  t.is(front.seen.length, 0);
});
