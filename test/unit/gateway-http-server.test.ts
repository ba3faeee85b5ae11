/** The life of a client's connection: what is kept, closed, waited for and cut off, and what goes over the wire. */
import assert from 'node:assert/strict';
import {once} from 'node:events';
import type {AddressInfo} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import fc from 'fast-check';
import {type Limits, limits} from '../../events/limits.ts';
import {clientFault} from '../../functions/gateway/front/client-fault.ts';
import type {GatewayRequest} from '../../functions/gateway/http/request.ts';
import type {GatewayResponse} from '../../functions/gateway/http/response.ts';
import {createHttpServer} from '../../functions/gateway/http/server.ts';
import {eventually} from '../helpers/eventually.ts';
import {openSocket, speak} from '../helpers/raw-socket.ts';

type Answer = (request: GatewayRequest, response: GatewayResponse) => unknown;

const start = async (t: ExecutionContext, answer: Answer, some: Partial<Limits> = {}) => {
  const server = createHttpServer({
    limits: {...limits, ...some},
    answerFault: fault => clientFault(fault, 'an-id'),
    onRequest: answer,
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', () => resolve()));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return {server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`};
};

const get = (path = '/', more = '') => `GET ${path} HTTP/1.1\r\nhost: x\r\n${more}\r\n`;
const close = 'connection: close\r\n';
const post = (length: number | string, more = '') =>
  `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n${more}\r\n`;
const ok: Answer = ({url}, response) => response.end(url);
const echo: Answer = (request, response) =>
  request.body(1_000).then(
    bytes => response.end(bytes),
    ({status, code}) => {
      response.writeHead(status, {connection: 'close'});
      response.end(code);
    },
  );
const statuses = (text: string) =>
  text.match(/HTTP\/1\.1 \d+/g)?.map(each => Number(each.slice(9)));
const bodyOf = (text: string) => text.slice(text.indexOf('\r\n\r\n') + 4);

test('a connection serves one request after the other, and closes when it is told to', async t => {
  const {url} = await start(t, ok);
  const text = await speak(t, url, get('/one') + get('/two') + get('/three', close));
  t.deepEqual(text.match(/\r\n\r\n\/[a-z]+/g), ['\r\n\r\n/one', '\r\n\r\n/two', '\r\n\r\n/three']);
  t.deepEqual(text.match(/\r\nconnection: [a-z-]+/g), [
    '\r\nconnection: keep-alive',
    '\r\nconnection: keep-alive',
    '\r\nconnection: close',
  ]);
  t.regex(text, /\r\nkeep-alive: timeout=65\r\n/);
  t.regex(text, /\r\ndate: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n/);
});

test('a request that was sent behind another waits until that is answered', async t => {
  const open: GatewayResponse[] = [];
  const {url} = await start(t, (_request, response) => open.push(response));
  const {socket, answer} = openSocket(t, url);
  socket.write(get().repeat(3));
  for (let count = 1; count <= 3; count += 1) {
    await eventually(() => assert.equal(open.length, count));
    await new Promise(resolve => setImmediate(resolve));
    t.is(open.length, count);
    open.at(-1)?.end(`${count}`);
  }
  await eventually(() => assert.equal(statuses(answer())?.length, 3));
});

test('thousands of requests at once are answered, each by itself', async t => {
  const {url} = await start(t, ok);
  const text = await speak(t, url, get().repeat(5_000) + get('/last', close));
  t.is(statuses(text)?.length, 5_001);
});

test('a body of no known length goes in chunks, to a client of HTTP/1.0 until the end, to HEAD not at all', async t => {
  const {url} = await start(t, (_request, response) => {
    response.writeHead(200, {'content-type': 'a/b'});
    response.write(Buffer.from('one'));
    response.write(Buffer.alloc(0));
    response.write(Buffer.alloc(20_000, 'x'));
    response.end('l\u00e4st');
  });
  const long = 'x'.repeat(20_000);
  const text = await speak(t, url, get('/', close));
  t.true(text.includes('\r\ntransfer-encoding: chunked\r\n'));
  t.is(bodyOf(text), `3\r\none\r\n4e20\r\n${long}\r\n5\r\nl\u00e4st\r\n0\r\n\r\n`);
  const old = await speak(t, url, 'GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n');
  t.is(bodyOf(old), `one${long}l\u00e4st`);
  t.regex(old, /\r\nconnection: close\r\n/);
  const head = await speak(t, url, `HEAD / HTTP/1.1\r\nhost: x\r\n\r\n${get('/', close)}`);
  t.deepEqual(statuses(head), [200, 200]);
  t.is(head.split('\r\n\r\nHTTP/1.1').length, 2, 'the next head comes behind the first');
});

test('whatever is written arrives, in one piece or many, short or long, on a connection that goes on', async t => {
  const part = fc.uint8Array({maxLength: 60}).map(bytes => Buffer.from(bytes));
  const long = fc.nat({max: 40_000}).map(length => Buffer.alloc(length, 'y'));
  const answers: Buffer[][] = [];
  const {url} = await start(t, (_request, response) => {
    const parts = answers.shift() as Buffer[];
    response.writeHead(200);
    for (const bytes of parts.slice(0, -1)) {
      response.write(bytes);
    }
    response.end(parts.at(-1));
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(part, long), {maxLength: 5}), async parts => {
      answers.push(parts);
      const found = await fetch(url);
      t.deepEqual(Buffer.from(await found.arrayBuffer()), Buffer.concat(parts));
    }),
    {numRuns: 50},
  );
});

test('204 has neither a body nor a length; headers are said once, and one that would end its line never', async t => {
  const {url} = await start(t, (_request, response) => {
    response.setHeader('x-one', 'a\r\nx-two: b');
    t.throws(() => response.writeHead(200), {code: 'ERR_INVALID_CHAR'});
    response.setHeader('x-one', 1);
    response.setHeader('x-two', 'gone');
    response.removeHeader('x-two');
    t.is(response.getHeader('x-one'), '1');
    t.is(response.getHeader('x-two'), undefined);
    response.writeHead(204, {'x-one': 'said'});
    t.throws(() => response.writeHead(200));
    response.end('nothing');
  });
  const text = await speak(t, url, get('/', close));
  t.regex(
    text,
    /^HTTP\/1\.1 204 No Content\r\nx-one: said\r\ndate: [^\r]+\r\nconnection: close\r\n\r\n$/,
  );
});

test('who waits for a word gets it when its body is wanted, and else only the answer', async t => {
  const {url} = await start(t, (request, response) =>
    request.url === '/no' ? response.writeHead(401).end() : echo(request, response),
  );
  const {socket, answer} = openSocket(t, url);
  socket.write(post(2, 'expect: 100-continue\r\n'));
  await eventually(() => assert.equal(answer(), 'HTTP/1.1 100 Continue\r\n\r\n'));
  socket.write('ok');
  await eventually(() => assert.match(answer(), /\r\n\r\nok$/));
  const refused = await speak(t, url, post(2, 'expect: 100-continue\r\n').replace('/ ', '/no '));
  t.deepEqual(statuses(refused), [401], 'and it is closed: the body may come or not');
  const large = await speak(t, url, post(2_000, 'expect: 100-continue\r\n'));
  t.deepEqual(statuses(large), [413]);
});

test('a body that is too large is 413 as soon as that is known, and its client can read that', async t => {
  const {url} = await start(t, echo);
  const {socket, closed} = openSocket(t, url);
  socket.write(post(50_000_000));
  const piece = Buffer.alloc(65_536);
  const push = () => {
    if (socket.writable && !socket.readableEnded) {
      socket.write(piece, () => setImmediate(push));
    }
  };
  push();
  socket.once('end', () => socket.end());
  const text = await closed();
  t.deepEqual([statuses(text), bodyOf(text).includes('payload_too_large')], [[413], true]);
  const chunked = 'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n';
  t.deepEqual(statuses(await speak(t, url, `${chunked}7d0\r\n${'x'.repeat(2_000)}`)), [413]);
});

test('a small body that nobody wants is passed over, a large one ends the connection', async t => {
  const {url} = await start(t, ok);
  t.deepEqual(statuses(await speak(t, url, `${post(3)}abc${get('/', close)}`)), [200, 200]);
  const {socket, answer, closed} = openSocket(t, url);
  socket.write(post(3));
  await eventually(() => assert.equal(statuses(answer())?.length, 1));
  socket.write(`abc${get('/', close)}`);
  t.deepEqual(statuses(await closed()), [200, 200]);
  const large = await speak(t, url, post(1_000_000));
  t.regex(large, /\r\nconnection: close\r\n/);
});

test('of a body that nobody asked for yet not all is read', async t => {
  const {promise, resolve} = Promise.withResolvers<GatewayRequest>();
  const {url} = await start(t, (request, response) => {
    resolve(request);
    response.once('close', () => {});
  });
  const {socket} = openSocket(t, url);
  const size = 32 * 1024 * 1024;
  socket.write(post(size));
  let isTaken = false;
  socket.write(Buffer.alloc(size), () => {
    isTaken = true;
  });
  const request = await promise;
  const probe = openSocket(t, url);
  probe.socket.write(get());
  await once(probe.socket, 'connect');
  t.false(isTaken);
  t.is((await request.body(size)).length, size);
});

test('a client that goes is told of to whoever answers, once, at its end or in mid-answer', async t => {
  const seen: string[] = [];
  const {url} = await start(t, (request, response) => {
    response.once('close', () => seen.push(`${request.url} ${response.writableFinished}`));
    if (request.url === '/whole') {
      response.end('a');
    } else {
      response.writeHead(200);
      response.write(Buffer.from('a'));
    }
  });
  await speak(t, url, get('/whole', close));
  const {socket, answer} = openSocket(t, url);
  socket.write(get('/half'));
  await eventually(() => assert.match(answer(), /a\r\n$/));
  socket.end();
  await eventually(() => assert.equal(seen.length, 2));
  t.deepEqual(seen, ['/whole true', '/half false']);
});

test('who takes nothing is waited for, then cut off; who takes slowly is not', async t => {
  t.timeout(90_000);
  const state = {drains: 0, closed: false};
  const {url} = await start(
    t,
    (_request, response) => {
      response.writeHead(200);
      const write = () => {
        if (response.write(Buffer.alloc(1024 * 1024))) {
          setImmediate(write);
        } else if (!response.destroyed) {
          response.once('drain', () => {
            state.drains += 1;
            write();
          });
        }
      };
      write();
      response.once('close', () => {
        state.closed = true;
      });
    },
    {clientIdleMs: 3_000},
  );
  const {socket} = openSocket(t, url);
  let takes = true;
  socket.on('data', () => {
    socket.pause();
    setTimeout(() => takes && socket.resume(), 1);
  });
  socket.write(get());
  await eventually(() => assert.ok(state.drains > 2), {timeoutMs: 60_000});
  t.false(state.closed);
  takes = false;
  await eventually(() => assert.ok(state.closed));
  t.true(state.closed);
});

test('a drain closes who is idle at once, and who runs with the answer', async t => {
  const open: GatewayResponse[] = [];
  const {server, url} = await start(t, (request, response) =>
    request.url === '/now' ? response.end() : open.push(response),
  );
  const [idle, busy] = [openSocket(t, url), openSocket(t, url)];
  idle.socket.write(get('/now'));
  busy.socket.write(get('/later'));
  await eventually(() => assert.equal(open.length, 1));
  await eventually(() => assert.equal(statuses(idle.answer())?.length, 1));
  const closed = new Promise(resolve => server.close(resolve));
  server.closeIdleConnections();
  await idle.closed();
  open[0]?.end('done');
  t.regex(await busy.closed(), /\r\nconnection: close\r\n\r\ndone$/);
  await closed;
});

test('who is late with a head or with a body is told 408, who says nothing between requests is let go', async t => {
  const {url} = await start(t, echo, {clientHeaderMs: 200, clientBodyMs: 200});
  t.deepEqual(statuses(await speak(t, url, 'GET / HT')), [408]);
  t.deepEqual(statuses(await speak(t, url, '')), [408]);
  const body = await speak(t, url, `${post(10)}abc`);
  t.deepEqual([statuses(body), bodyOf(body).includes('request_timeout')], [[408], true]);
});

test('a client that ends in the middle of a head is told that this is none, in a body it is gone', async t => {
  const failed: unknown[] = [];
  const {url} = await start(t, request => request.body(100).catch(({code}) => failed.push(code)));
  const head = openSocket(t, url);
  head.socket.end('GET / HTTP/1.1\r\nhost');
  t.deepEqual(statuses(await head.closed()), [400]);
  openSocket(t, url).socket.end(`${post(10)}abc`);
  await eventually(() => assert.deepEqual(failed, ['request_timeout']));
});

test('nothing more is understood of a connection that was refused', async t => {
  let requests = 0;
  const {url} = await start(t, (_request, response) => {
    requests += 1;
    response.end();
  });
  t.deepEqual(statuses(await speak(t, url, `garbage\r\n\r\n${get().repeat(3)}`)), [400]);
  const chunked = 'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n';
  const text = await speak(t, url, chunked + get().repeat(3));
  t.true((statuses(text)?.length ?? 0) <= 1);
  t.is(requests, 1);
});
