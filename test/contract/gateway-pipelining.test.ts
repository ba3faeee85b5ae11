import assert from 'node:assert/strict';
import test from 'ava';
import {eventually} from '../helpers/eventually.ts';
import {startGateway} from '../helpers/gateway.ts';
import {openSocket} from '../helpers/raw-socket.ts';
import {chat} from '../helpers/simulated-model.ts';

const requestOf = (apiKey: string, body: string) =>
  `POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${apiKey}\r\n` +
  `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

test('who sends several requests behind each other has one of them running, and leaves that when it goes', async t => {
  const gateway = await startGateway(t, {
    model: {tokenDelayMs: 30},
    limits: {openRequests: 2},
  });
  const request = requestOf(
    gateway.apiKey,
    JSON.stringify(chat({stream: true, max_tokens: 2_000})),
  );
  const {socket, answer} = openSocket(t, gateway.url);
  socket.write(request.repeat(4));
  await eventually(() => assert.match(answer(), /data: /));
  t.is(gateway.model.counters().requests, 1);
  const next = await gateway.post('/v1/chat/completions', chat({max_tokens: 2}));
  t.is(next.status, 200, 'those that wait take no place');
  socket.destroy();
  const results = await gateway.settled(2);
  t.deepEqual(results.map(({outcome}) => outcome).toSorted(), ['client_aborted', 'completed']);
});
