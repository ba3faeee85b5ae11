import assert from 'node:assert/strict';
import test from 'ava';
import {eventually} from '../helpers/eventually.ts';
import {startGateway} from '../helpers/gateway.ts';
import {openSocket} from '../helpers/raw-socket.ts';
import {chat} from '../helpers/simulated-model.ts';

const requestOf = (apiKey: string, body: string) =>
  `POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${apiKey}\r\n` +
  `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

test('who sends several requests behind each other and goes leaves all of them', async t => {
  const gateway = await startGateway(t, {
    model: {tokenDelayMs: 30},
    limits: {openRequests: 4},
  });
  const request = requestOf(
    gateway.apiKey,
    JSON.stringify(chat({stream: true, max_tokens: 2_000})),
  );
  const {socket} = openSocket(t, gateway.url);
  socket.write(request.repeat(4));
  await eventually(() => assert.equal(gateway.model.counters().requests, 4));
  t.is((await gateway.post('/v1/chat/completions', chat())).status, 429);
  socket.destroy();
  const results = await gateway.settled(4);
  t.deepEqual([...new Set(results.map(({outcome}) => outcome))], ['client_aborted']);
  const next = await gateway.post('/v1/chat/completions', chat({max_tokens: 2}));
  t.is(next.status, 200, 'there is room again');
});
