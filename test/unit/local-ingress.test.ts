import {once} from 'node:events';
import {type IncomingMessage, type RequestListener, request as sendRequest} from 'node:http';
import {type AddressInfo, connect, createServer} from 'node:net';
import {text} from 'node:stream/consumers';
import test, {type ExecutionContext} from 'ava';
import {type IngressOptions, openIngress} from '../../knative/local/front-door/ingress.ts';
import {createRouter, findClashes} from '../../knative/local/front-door/routes.ts';
import {gateAt} from '../helpers/gates.ts';
import {createHttpTestServer} from '../helpers/http.ts';

/** A front door with one function behind `/v1` and one that is away behind `/admin/v1`. */
const openFront = async (
  t: ExecutionContext,
  handler: RequestListener,
  options: Partial<IngressOptions> = {},
  gateOptions: Parameters<typeof gateAt>[2] = {},
) => {
  const behind = await createHttpTestServer(t, handler);
  const ingress = await openIngress({port: 0, ...options});
  t.teardown(ingress.close);
  const gates = new Map([
    ['gateway', gateAt('gateway', behind.url, gateOptions)],
    ['admin', gateAt('admin', undefined)],
  ]);
  ingress.open({
    routes: [
      {prefix: '/v1', name: 'gateway'},
      {prefix: '/admin/v1', name: 'admin'},
    ],
    gateOf: name => gates.get(name),
    names: ['gateway'],
    about: {name: 'sluice'},
  });
  return {ingress, behind};
};

/** Sends bytes as they are; resolves with everything that came until the other side closed. */
const sendRaw = async (port: number, bytes: string) => {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  return text(socket);
};

test('the longest prefix wins and ends where a segment does', t => {
  const route = createRouter([
    {prefix: '/admin/v1', name: 'admin'},
    {prefix: '/admin/v1/usage', name: 'usage'},
    {prefix: '/v1', name: 'gateway'},
  ]);
  t.is(route('/admin/v1/usage'), 'usage');
  t.is(route('/admin/v1/usage/x'), 'usage');
  t.is(route('/admin/v1/usages'), 'admin');
  t.is(route('/v1'), 'gateway');
  t.is(route('/v10'), undefined);
  t.is(route('/'), undefined);
});

test('a path that two functions claim is found', t => {
  const routes = [
    {prefix: '/v1', name: 'gateway'},
    {prefix: '/v1', name: 'hello'},
  ];
  t.deepEqual(findClashes(routes), ['the path /v1 is claimed by gateway and by hello']);
});

test('method, target, headers and body arrive as they were sent, and so does the answer', async t => {
  let seen: Record<string, unknown> = {};
  const {ingress} = await openFront(t, async (request, response) => {
    seen = {
      method: request.method,
      url: request.url,
      raw: request.rawHeaders,
      body: await text(request),
    };
    response.writeHead(418, 'Odd', ['X-Twice', 'a', 'X-Twice', 'b', 'Content-Length', '3']);
    response.end('tea');
  });
  const answer = await sendRaw(
    ingress.port,
    [
      'POST /v1/x?a=%20b HTTP/1.1',
      'Host: example.org',
      'X-Odd-CASE: ü',
      'Connection: close, x-secret',
      'X-Secret: for the neighbour',
      'TE: trailers',
      'X-Forwarded-For: 9.9.9.9',
      'Content-Length: 4',
      '',
      'body',
    ].join('\r\n'),
  );
  t.regex(answer, /^HTTP\/1\.1 418 Odd\r\nX-Twice: a\r\nX-Twice: b\r\n/);
  t.true(answer.endsWith('\r\n\r\ntea'));
  t.like(seen, {method: 'POST', url: '/v1/x?a=%20b', body: 'body'});
  const raw = seen.raw as string[];
  t.is(raw[raw.indexOf('X-Odd-CASE') + 1], 'ü'.normalize() && Buffer.from('ü').toString('latin1'));
  t.is(raw[raw.indexOf('Host') + 1], 'example.org');
  t.is(raw[raw.indexOf('x-forwarded-for') + 1], '9.9.9.9, 127.0.0.1');
  t.false(raw.includes('X-Secret') || raw.includes('TE'));
});

test('a chunked body stays chunked, also with a method that seldom has one', async t => {
  const {ingress} = await openFront(t, async (request, response) => {
    response.end(
      `${request.method} ${request.headers['transfer-encoding']} ${await text(request)}`,
    );
  });
  for (const method of ['POST', 'DELETE']) {
    const answer = await sendRaw(
      ingress.port,
      `${method} /v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
    );
    t.regex(answer, new RegExp(`${method} chunked abc`));
  }
});

test('a request without a body is answered on a connection that stays', async t => {
  const {ingress} = await openFront(t, (request, response) => {
    response.end(String(request.method));
  });
  for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS']) {
    t.is(await (await fetch(`${ingress.url}/v1/x`, {method})).text(), method);
  }
});

test('the first byte of an answer does not wait for the second, nor headers for a body', async t => {
  let finish = () => {};
  const {ingress} = await openFront(t, (_request, response) => {
    response.flushHeaders();
    finish = () => {
      response.write('one');
      finish = () => response.end('two');
    };
  });
  const response = await fetch(`${ingress.url}/v1/stream`);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  finish();
  t.is((await reader?.read())?.value, 'one');
  finish();
  t.is((await reader?.read())?.value, 'two');
});

test('the answer begins while the request is still being sent', async t => {
  const {ingress} = await openFront(t, (request, response) => {
    request.once('data', chunk => response.write(chunk));
    request.on('end', () => response.end());
  });
  const request = sendRequest(`${ingress.url}/v1`, {method: 'POST'});
  request.write('ping');
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const [chunk] = (await once(response, 'data')) as [Buffer];
  t.is(chunk.toString(), 'ping');
  request.end();
  await once(response, 'end');
});

test('a client that goes away takes the request behind the front door along', async t => {
  const gone = Promise.withResolvers<void>();
  const {ingress} = await openFront(t, (_request, response) => {
    response.on('close', gone.resolve);
    response.write('begun');
  });
  const abort = new AbortController();
  const response = await fetch(`${ingress.url}/v1`, {signal: abort.signal});
  abort.abort();
  await gone.promise;
  await t.throwsAsync(response.text(), {name: 'AbortError'});
});

test('an answer that breaks off is broken off for the client, never ended as if whole', async t => {
  const {ingress} = await openFront(t, (_request, response) => {
    response.write('begun', () => response.destroy());
  });
  const response = await fetch(`${ingress.url}/v1`);
  await t.throwsAsync(response.text());
});

test('a reader that stops reading stops the writer', async t => {
  let stalled = () => {};
  const waiting = new Promise<void>(resolve => {
    stalled = resolve;
  });
  let written = 0;
  const {ingress} = await openFront(t, (_request, response) => {
    const chunk = Buffer.alloc(64 * 1024);
    const write = () => {
      while (response.write(chunk)) {
        written += chunk.length;
      }
      const timer = setTimeout(stalled, 300);
      response.once('drain', () => {
        clearTimeout(timer);
        write();
      });
    };
    response.on('error', () => {});
    write();
  });
  const socket = connect(ingress.port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.write('GET /v1 HTTP/1.1\r\nHost: x\r\n\r\n');
  socket.pause();
  await waiting;
  t.true(written < 64 * 1024 * 1024, `${written} bytes were taken for a client that reads none`);
});

test('a function that is away is 503: an OpenAI error under /v1, a problem elsewhere', async t => {
  const {ingress, behind} = await openFront(t, () => {});
  const problem = await fetch(`${ingress.url}/admin/v1/orgs`);
  t.is(problem.status, 503);
  t.is(problem.headers.get('content-type'), 'application/problem+json');
  t.is(problem.headers.get('retry-after'), '1');
  t.like(await problem.json(), {code: 'unavailable', status: 503, instance: '/admin/v1/orgs'});
  behind.server.close();
  await once(behind.server, 'close');
  const openAi = await fetch(`${ingress.url}/v1/models`);
  t.is(openAi.status, 503);
  t.like((await openAi.json()) as object, {error: {code: 'unavailable', type: 'server_error'}});
});

test('a path that nobody serves is 404, and GET / tells what is here', async t => {
  const {ingress} = await openFront(t, () => {});
  t.is((await fetch(`${ingress.url}/nothing`)).status, 404);
  t.deepEqual(await (await fetch(ingress.url)).json(), {name: 'sluice'});
});

test('health is the worst of the functions', async t => {
  let answer = {status: 200, body: '{"status":"ok"}'};
  const {ingress} = await openFront(t, (_request, response) => {
    response.writeHead(answer.status).end(answer.body);
  });
  const ask = async () => {
    const response = await fetch(`${ingress.url}/healthz`);
    return {code: response.status, ...((await response.json()) as {status: string})};
  };
  t.like(await ask(), {code: 200, status: 'ok'});
  answer = {status: 200, body: '{"status":"degraded","degraded":"slow"}'};
  t.like(await ask(), {code: 200, status: 'degraded', functions: {gateway: {reason: 'slow'}}});
  answer = {status: 503, body: '{"reason":"no database"}'};
  t.like(await ask(), {code: 503, status: 'unavailable'});
  answer = {status: 200, body: 'not JSON'};
  t.like(await ask(), {code: 503, status: 'unavailable'});
});

test('before it is opened and while it drains the front door answers 503 and closes', async t => {
  const ingress = await openIngress({port: 0});
  t.teardown(ingress.close);
  const early = await fetch(`${ingress.url}/v1/models`);
  t.is(early.status, 503);
  t.is(early.headers.get('connection'), 'close');
});

test('a drain lets a running answer end and then resolves', async t => {
  let finish = () => {};
  const {ingress} = await openFront(t, (_request, response) => {
    response.write('begun ');
    finish = () => response.end('ended');
  });
  const response = await fetch(`${ingress.url}/v1`);
  let drained = false;
  const drain = ingress.drain().then(() => {
    drained = true;
  });
  await t.throwsAsync(fetch(`${ingress.url}/v1`));
  t.false(drained);
  finish();
  t.is(await response.text(), 'begun ended');
  await drain;
  t.true(drained);
});

test('a body over the limit is 413, announced or not', async t => {
  const {ingress} = await openFront(
    t,
    async (request, response) => {
      await text(request).catch(() => {});
      response.end();
    },
    {bodyBytes: 1_000},
  );
  const announced = await fetch(`${ingress.url}/v1`, {method: 'POST', body: 'x'.repeat(1_001)});
  t.is(announced.status, 413);
  t.like((await announced.json()) as object, {error: {code: 'payload_too_large'}});
  const chunk = `3e8\r\n${'x'.repeat(1_000)}\r\n`;
  const answer = await sendRaw(
    ingress.port,
    `POST /v1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}${chunk}`,
  );
  t.regex(answer, /^HTTP\/1\.1 413 /);
});

const refusesBytes = test.macro({
  async exec(t, bytes: string, expected: RegExp) {
    const {ingress} = await openFront(t, (_request, response) => response.end('passed'));
    t.regex(await sendRaw(ingress.port, bytes), expected);
  },
  title: (name = '') => `the front door refuses ${name}`,
});

test('what is not HTTP', refusesBytes, 'hello\r\n\r\n', /^HTTP\/1\.1 400 [\s\S]*"bad_request"/);
test(
  'a target that is no path',
  refusesBytes,
  'GET http://elsewhere/v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  /^HTTP\/1\.1 400 /,
);
test(
  'two lengths of one body',
  refusesBytes,
  'POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  /^HTTP\/1\.1 400 /,
);
test(
  'a header bomb',
  refusesBytes,
  `GET /v1 HTTP/1.1\r\nHost: x\r\nX-Bomb: ${'x'.repeat(20_000)}\r\n\r\n`,
  /^HTTP\/1\.1 431 [\s\S]*"headers_too_large"/,
);

test('a client that sends half a head and stops is answered 408', async t => {
  const {ingress} = await openFront(t, () => {}, {clientBodyMs: 200});
  t.regex(await sendRaw(ingress.port, 'GET /v1 HTTP/1.1\r\nHos'), /^HTTP\/1\.1 408 /);
});

test('a function that never answers is given up with 504', async t => {
  const {ingress} = await openFront(t, () => {}, {}, {timeouts: {totalMs: 100}});
  t.is((await fetch(`${ingress.url}/v1`)).status, 504);
});

test('a port in use is refused in words', async t => {
  const other = createServer().listen(0, '127.0.0.1');
  t.teardown(() => other.close());
  await once(other, 'listening');
  const {port} = other.address() as AddressInfo;
  await t.throwsAsync(openIngress({port}), {
    message: `port ${port} is in use: choose another with --port`,
  });
});
