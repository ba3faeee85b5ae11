/** When a client goes, the model server learns of it within 100 ms, wherever the request is; by the clock, at five times that. */
import assert from 'node:assert/strict';
import {once} from 'node:events';
import type {ServerResponse} from 'node:http';
import {connect} from 'node:net';
import test from 'ava';
import {eventually} from '../helpers/eventually.ts';
import {startGateway} from '../helpers/gateway.ts';
import {createHttpTestServer} from '../helpers/http.ts';
import {chat} from '../helpers/simulated-model.ts';

const boundMs = 5 * 100;
const times = 10;
const chunk = `data: ${JSON.stringify({choices: [{index: 0, delta: {content: 'a'}}]})}\n\n`;

const moments: [title: string, stream: boolean, answer: (response: ServerResponse) => void][] = [
  ['before the model server has said a word', false, () => {}],
  ['in a whole answer', false, response => response.writeHead(200).write('{"choices":[')],
  [
    'in a stream that is silent at the moment',
    true,
    response => response.writeHead(200, {'content-type': 'text/event-stream'}).write(chunk),
  ],
  [
    'in a stream of many chunks',
    true,
    response => {
      response.writeHead(200, {'content-type': 'text/event-stream'});
      const timer = setInterval(() => response.write(chunk), 2);
      response.once('close', () => clearInterval(timer));
    },
  ],
];

for (const [title, stream, answer] of moments) {
  for (const how of ['end', 'reset'] as const) {
    test(`a client goes ${title}, by ${how}: the model server is told at once`, async t => {
      const seen = {open: 0, goneMs: 0};
      const server = await createHttpTestServer(t, (request, response) => {
        response.once('close', () => {
          seen.goneMs = performance.now();
        });
        request.resume().once('end', () => {
          seen.open += 1;
          answer(response);
        });
      });
      const gateway = await startGateway(t, {endpoint: server.url});
      const tookMs: number[] = [];
      for (let round = 1; round <= times; round += 1) {
        seen.goneMs = 0;
        const body = JSON.stringify(chat({stream, max_tokens: 50}));
        const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
        socket.on('error', () => {});
        socket.resume();
        await once(socket, 'connect');
        socket.write(
          `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${gateway.apiKey}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
        );
        await eventually(() => assert.equal(seen.open, round));
        const leftMs = performance.now();
        if (how === 'reset') {
          socket.resetAndDestroy();
        } else {
          socket.destroy();
        }
        tookMs.push(
          await eventually(() => {
            assert.ok(seen.goneMs > 0, 'the model server still works');
            return Math.max(seen.goneMs - leftMs, 0);
          }),
        );
      }
      tookMs.sort((one, two) => one - two);
      t.log(`median ${tookMs[times / 2]?.toFixed(1)} ms, longest ${tookMs.at(-1)?.toFixed(1)} ms`);
      t.true((tookMs[times / 2] as number) < boundMs);
      for (const result of await gateway.settled(times)) {
        t.is(result.outcome, 'client_aborted');
      }
    });
  }
}
