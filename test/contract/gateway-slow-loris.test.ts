/** Clients that hold a connection, or send what is no request: each has a clear answer, and its socket is closed. */
import assert from 'node:assert/strict';
import {setInterval as every} from 'node:timers/promises';
import test from 'ava';
import {eventually} from '../helpers/eventually.ts';
import {startGateway} from '../helpers/gateway.ts';
import {openSocket, speak} from '../helpers/raw-socket.ts';
import {chat} from '../helpers/simulated-model.ts';

const headOf = (apiKey: string, more = '') =>
  `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${apiKey}\r\n${more}\r\n`;

const codeOf = (answer: string) => /"code":"([a-z_]+)"/.exec(answer)?.[1];
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+) /.exec(answer)?.[1]);

test('headers that do not end are 408, although a byte comes all the time', async t => {
  const gateway = await startGateway(t, {limits: {clientHeaderMs: 300, clientBodyMs: 60_000}});
  const {socket, closed} = openSocket(t, gateway.url);
  socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n');
  const ended = closed();
  const timer = setInterval(() => socket.writable && socket.write('x'), 20);
  t.teardown(() => clearInterval(timer));
  const answer = await ended;
  t.deepEqual([statusOf(answer), codeOf(answer)], [408, 'request_timeout']);
});

test('a body that trickles is 408 when its time is over, and nothing was begun', async t => {
  const gateway = await startGateway(t, {limits: {clientBodyMs: 400}});
  const {socket, closed} = openSocket(t, gateway.url);
  socket.write(headOf(gateway.apiKey, 'content-length: 100000\r\n'));
  const ended = closed();
  const timer = setInterval(() => socket.writable && socket.write(' '), 20);
  t.teardown(() => clearInterval(timer));
  const answer = await ended;
  t.deepEqual([statusOf(answer), codeOf(answer)], [408, 'request_timeout']);
  t.is(gateway.intents().length, 0);
});

test('a connection on which nothing is ever sent is closed', async t => {
  const gateway = await startGateway(t, {limits: {clientHeaderMs: 300, clientBodyMs: 300}});
  t.is(statusOf(await openSocket(t, gateway.url).closed()), 408);
});

const body = JSON.stringify(chat({max_tokens: 3}));

test('what follows a body beyond its content-length is no request: 400, and the answer before it is whole', async t => {
  const gateway = await startGateway(t);
  const answer = await speak(
    t,
    gateway.url,
    `GET /v1/status/readyz HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}{"more": true}\r\n\r\n`,
  );
  t.is(answer.match(/HTTP\/1\.1 \d+/g)?.at(-1), 'HTTP/1.1 400');
  t.is(codeOf(answer), 'bad_request');
});

test('garbage behind a request whose answer runs is told after it, and writes nothing into it', async t => {
  const gateway = await startGateway(t, {model: {tokenDelayMs: 20}});
  const {socket, answer, closed} = openSocket(t, gateway.url);
  const stream = JSON.stringify(chat({max_tokens: 20, stream: true}));
  socket.write(headOf(gateway.apiKey, `content-length: ${stream.length}\r\n`) + stream);
  await eventually(() => assert.match(answer(), /data: /));
  socket.write('garbage\r\n\r\n');
  const all = await closed();
  t.deepEqual(all.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 400']);
  t.regex(all, /data: \[DONE\]\n\n\r\n0\r\n\r\nHTTP\/1\.1 400 /);
  t.is(codeOf(all), 'bad_request');
  t.is((await gateway.settled())[0]?.outcome, 'completed');
});

test('requests sent at once are answered in their order, each by itself', async t => {
  const gateway = await startGateway(t);
  const {socket, answer} = openSocket(t, gateway.url);
  const one = headOf(gateway.apiKey, `content-length: ${body.length}\r\n`) + body;
  socket.write(`${one}GET /v1/nowhere HTTP/1.1\r\nhost: x\r\n\r\n${one}`);
  await eventually(() => assert.equal(answer().match(/HTTP\/1\.1 /g)?.length, 3));
  t.deepEqual(answer().match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200']);
  t.is((await gateway.settled(2)).length, 2);
});

const table: [title: string, text: string, status: number, code: string][] = [
  [
    'a chunk whose length is no number',
    `transfer-encoding: chunked\r\n\r\nzz\r\n{"model"\r\n0\r\n\r\n`,
    400,
    'bad_request',
  ],
  [
    'a chunk that is longer than it says',
    `transfer-encoding: chunked\r\n\r\n3\r\n{"model": 7}\r\n0\r\n\r\n`,
    400,
    'bad_request',
  ],
  [
    'a length and chunks at once',
    `content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
    'bad_request',
  ],
  ['two lengths', 'content-length: 5\r\ncontent-length: 6\r\n\r\n{}', 400, 'bad_request'],
  ['a length that is no number', 'content-length: many\r\n\r\n{}', 400, 'bad_request'],
  ['a header without a colon', 'what is this\r\n\r\n', 400, 'bad_request'],
  ['a header of 20 kB', `x-long: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'headers_too_large'],
];
for (const [title, text, status, code] of table) {
  test(`${title} is ${status} ${code}, and the connection is closed`, async t => {
    const gateway = await startGateway(t);
    const head = headOf(gateway.apiKey).slice(0, -2);
    const answer = await speak(t, gateway.url, head + text);
    t.deepEqual([statusOf(answer), codeOf(answer)], [status, code]);
    t.regex(answer, /\r\nx-request-id: [0-9a-f-]{36}\r\n/);
    t.regex(answer, /\r\nx-content-type-options: nosniff\r\n/);
    t.is(gateway.intents().length, 0);
  });
}

const get = (line: string, headers = 'host: x\r\nconnection: close\r\n') =>
  `${line} HTTP/1.1\r\n${headers}\r\n`;
const heads: [title: string, text: string, status: number, code: string][] = [
  [
    'a hundred and one headers',
    get('GET /v1/models', `host: x\r\nconnection: close\r\n${'a: b\r\n'.repeat(99)}`),
    431,
    'headers_too_large',
  ],
  ['a URL of 5,000 characters', get(`GET /v1/models/${'x'.repeat(5_000)}`), 414, 'url_too_long'],
  ['no host', get('GET /v1/models', 'connection: close\r\n'), 400, 'bad_request'],
];
for (const [title, text, status, code] of heads) {
  test(`${title}: ${status} ${code}`, async t => {
    const gateway = await startGateway(t);
    const answer = await speak(t, gateway.url, text);
    t.deepEqual([statusOf(answer), codeOf(answer)], [status, code]);
  });
}

test('a hundred headers are a request, and none of them is lost', async t => {
  const gateway = await startGateway(t);
  const headers = `host: x\r\nconnection: close\r\n${'a: b\r\n'.repeat(97)}authorization: Bearer ${gateway.apiKey}\r\n`;
  t.is(statusOf(await speak(t, gateway.url, get('GET /v1/models', headers))), 200);
});

test('a large body that is refused before it is read is not waited for', async t => {
  const gateway = await startGateway(t);
  const {socket, closed} = openSocket(t, gateway.url);
  socket.write(headOf('sk-nope', 'content-length: 9000000\r\n'));
  const answer = await closed();
  t.deepEqual([statusOf(answer), codeOf(answer)], [401, 'unauthorized']);
  t.regex(answer, /\r\nconnection: close\r\n/i);
});

test('a packed body is 415', async t => {
  const gateway = await startGateway(t);
  const response = await gateway.post('/v1/chat/completions', body, {
    headers: {'content-encoding': 'gzip'},
  });
  t.is(response.status, 415);
  t.is(gateway.intents().length, 0);
});

test('while hundreds of clients trickle, others are answered', async t => {
  t.timeout(120_000);
  const gateway = await startGateway(t);
  for (let count = 0; count < 300; count += 1) {
    openSocket(t, gateway.url).socket.write('POST /v1/chat/completions HTTP/1.1\r\nx: ');
  }
  for await (const _ of every(10)) {
    if ((await gateway.post('/v1/chat/completions', body)).status === 200) {
      break;
    }
  }
  t.is((await gateway.post('/v1/chat/completions', body)).status, 200);
});
