import assert from 'node:assert/strict';
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {connect} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import type {Request} from 'express';
import {pino} from 'pino';
import {readHttp, toBatch, toBinary, toStructured} from '../../events/codec.ts';
import {SluiceError} from '../../events/errors.ts';
import type {Event} from '../../events/event.ts';
import {readJson} from '../../events/json-body.ts';
import {createApp, requireBearer, type ServeOptions} from '../../events/serve.ts';
import {eventually} from '../helpers/eventually.ts';
import {createHttpTestServer} from '../helpers/http.ts';

const event: Event = {specversion: '1.0', id: '1', source: '/s', type: 't', data: {a: 1}};
const token = 'a-token-of-the-source';

const start = async (t: ExecutionContext, options: Partial<ServeOptions> = {}) => {
  const lines: string[] = [];
  const logger = pino({}, {write: (line: string) => lines.push(line)});
  const {url} = await createHttpTestServer(t, createApp({name: 'test', logger, ...options}));
  const post = (
    message: {headers?: Record<string, string>; body?: Buffer | string} = toBinary(event),
    headers: Record<string, string> = {},
  ) =>
    fetch(url, {
      method: 'POST',
      headers: {...message.headers, ...headers},
      body: message.body === undefined ? null : new Uint8Array(Buffer.from(message.body)),
    });
  return {url, post, lines};
};

const isProblem = async (t: ExecutionContext, response: Response, status: number, code: string) => {
  t.is(response.status, status);
  t.regex(response.headers.get('content-type') ?? '', /^application\/problem\+json/);
  const problem = (await response.json()) as {code: string; status: number; detail: string};
  t.like(problem, {code, status});
  return problem;
};

test('no reply is 204 with nothing in it', async t => {
  const {post} = await start(t, {onEvent: async () => undefined});
  const response = await post();
  t.is(response.status, 204);
  t.is(await response.text(), '');
});

test('a handler gets the event of binary and structured mode', async t => {
  const received: Event[] = [];
  const {post} = await start(t, {
    onEvent: async event => {
      received.push(event);
      return undefined;
    },
  });
  await post(toStructured(event));
  await post(toBinary(event));
  t.deepEqual(received, [event, {...event, datacontenttype: 'application/json'}]);
});

test('a reply is 200 with one CloudEvent, whose attributes arrive as they are', async t => {
  const reply = {...event, id: '2', subject: 'Übung', datacontenttype: 'application/json'};
  const {post} = await start(t, {onEvent: async () => reply});
  const response = await post();
  t.is(response.status, 200);
  const body = Buffer.from(await response.arrayBuffer());
  t.deepEqual(readHttp(Object.fromEntries(response.headers), body).events, [reply]);
});

test('what is no event is 400', async t => {
  const {post} = await start(t, {onEvent: async () => undefined});
  await isProblem(t, await post({body: '{}'}), 400, 'malformed_event');
});

test('events that carry truth are taken only with the right token', async t => {
  const handled: Event[] = [];
  const {post} = await start(t, {
    sourceToken: token,
    onEvent: async event => {
      handled.push(event);
      return undefined;
    },
  });
  for (const authorization of [
    '',
    token,
    `Basic ${token}`,
    `Bearer ${token}x`,
    'Bearer ',
    `Bearer ${token.slice(1)}`,
  ]) {
    const headers = authorization === '' ? {} : {authorization};
    await isProblem(
      t,
      await post(toBinary(event), headers as Record<string, string>),
      401,
      'unauthorized',
    );
  }
  t.is(handled.length, 0);
  t.is((await post(toBinary(event), {authorization: `bearer ${token}`})).status, 204);
  t.is(handled.length, 1);
});

test('a body over the limit is 413, also when its length is not told', async t => {
  const {url, post} = await start(t, {onEvent: async () => undefined, bodyBytes: 100});
  await isProblem(t, await post({body: 'x'.repeat(101)}), 413, 'payload_too_large');
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array(101));
      controller.close();
    },
  });
  const init = {method: 'POST', body, duplex: 'half'} as RequestInit;
  await isProblem(t, await fetch(url, init), 413, 'payload_too_large');
});

test('a format that is not read, a coding that is not known and a batch for a single handler are 415', async t => {
  const {post} = await start(t, {onEvent: async () => undefined});
  const avro = {headers: {'content-type': 'application/cloudevents+avro'}, body: 'x'};
  await isProblem(t, await post(avro), 415, 'unsupported_media_type');
  await isProblem(
    t,
    await post(toBinary(event), {'content-encoding': 'zip'}),
    415,
    'unsupported_media_type',
  );
  await isProblem(t, await post(toBatch([event])), 415, 'unsupported_media_type');
});

test('a batch handler gets a batch whole, and a single event as a batch of one', async t => {
  const batches: number[] = [];
  const {post} = await start(t, {
    onBatch: async events => {
      batches.push(events.length);
    },
  });
  t.is((await post(toBatch([event, event, event]))).status, 204);
  t.is((await post(toStructured(event))).status, 204);
  t.is((await post(toBatch([]))).status, 204);
  t.deepEqual(batches, [3, 1, 0]);
});

test('a batch has at most 500 events', async t => {
  const {post} = await start(t, {onBatch: async () => {}});
  t.is((await post(toBatch(Array(500).fill(event)))).status, 204);
  await isProblem(t, await post(toBatch(Array(501).fill(event))), 413, 'payload_too_large');
});

test('a path that is not there is 404, a method that is not is 405 with the one that is', async t => {
  const {url} = await start(t, {onEvent: async () => undefined});
  await isProblem(t, await fetch(`${url}/nowhere`), 404, 'not_found');
  for (const [path, method, allow] of [
    ['/', 'GET', 'POST'],
    ['/', 'PUT', 'POST'],
    ['/healthz', 'POST', 'GET'],
    ['/metrics', 'DELETE', 'GET'],
  ] as const) {
    const response = await fetch(url + path, {method});
    t.is(response.headers.get('allow'), allow);
    await isProblem(t, response, 405, 'method_not_allowed');
  }
  const options = await fetch(url, {method: 'OPTIONS'});
  t.is(options.status, 200);
  t.is(options.headers.get('allow'), 'POST');
});

test('a function without events has nothing at its root', async t => {
  const {post} = await start(t);
  await isProblem(t, await post(), 404, 'not_found');
});

test('a path that is not percent-coded is 400', async t => {
  const {url} = await start(t, {
    routes: router => router.get('/a/:b', (_, response) => response.end()),
  });
  await isProblem(t, await fetch(`${url}/a/%E0%A4%A`), 400, 'bad_request');
});

const hidesFault = async (t: ExecutionContext, thrown: unknown) => {
  const {post, lines} = await start(t, {
    onEvent: async () => {
      throw thrown;
    },
  });
  const problem = await isProblem(t, await post(), 500, 'internal');
  t.notRegex(JSON.stringify(problem), /hunter2/);
  t.regex(lines.join(''), /hunter2/);
};

test(
  'a fault is 500, and its details are in the log only',
  hidesFault,
  new Error('password=hunter2'),
);
test(
  'a fault with a status of its own is 500 too',
  hidesFault,
  Object.assign(new Error('hunter2'), {status: 404}),
);

test('a refusal says when to come back', async t => {
  const {post} = await start(t, {
    onEvent: async () => {
      throw new SluiceError('budget_busy', 'later', {retryAfterSeconds: 3});
    },
  });
  const response = await post();
  t.is(response.headers.get('retry-after'), '3');
  await isProblem(t, response, 429, 'budget_busy');
});

test('health tells fine, degraded and unavailable apart', async t => {
  let health: () => string | undefined = () => undefined;
  const {url} = await start(t, {health: () => health()});
  const ask = async () => {
    const response = await fetch(`${url}/healthz`);
    return {code: response.status, ...((await response.json()) as object)};
  };
  t.deepEqual(await ask(), {code: 200, status: 'ok', function: 'test'});
  health = () => 'stale';
  t.deepEqual(await ask(), {code: 200, status: 'degraded', function: 'test', degraded: 'stale'});
  health = () => {
    throw new Error('no database');
  };
  t.deepEqual(await ask(), {
    code: 503,
    status: 'unavailable',
    function: 'test',
    reason: 'no database',
  });
});

test('metrics count requests by status', async t => {
  const {url, post} = await start(t, {onEvent: async () => undefined});
  await post();
  await eventually(async () => {
    const text = await (await fetch(`${url}/metrics`)).text();
    if (!text.includes('sluice_http_duration_seconds_count{function="test",status="204"} 1')) {
      throw new Error(text);
    }
  });
  t.pass();
});

test('a log line has no data of an event and no token', async t => {
  const {post, lines} = await start(t, {onEvent: async () => undefined, sourceToken: token});
  await post(toBinary({...event, data: {prompt: 'hunter2'}}), {authorization: `Bearer ${token}`});
  await eventually(() => {
    if (lines.length === 0) {
      throw new Error('no line yet');
    }
  });
  t.like(JSON.parse(lines[0] as string), {status: 204, event: '1', type: 't', method: 'POST'});
  t.false(lines.join('').includes('hunter2') || lines.join('').includes(token));
});

const jsonOf = (body: string | Buffer) => readJson({body: Buffer.from(body)} as Request);

test('a JSON body is an object whose texts can be kept', t => {
  t.deepEqual(jsonOf('{"a":"é😀"}'), {a: 'é😀'});
  // Texts about escapes are texts.
  t.deepEqual(jsonOf('{"a":"\\\\u0000 \\\\ud800"}'), {a: '\\u0000 \\ud800'});
});

for (const [what, body, code] of [
  ['nothing', '', 'malformed_json'],
  ['no JSON', '{', 'malformed_json'],
  ['no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'malformed_json'],
  ['a list', '[]', 'bad_request'],
  ['null', 'null', 'bad_request'],
  ['NUL', '{"a":["\\u0000"]}', 'bad_request'],
  ['NUL in a key', '{"\\u0000":1}', 'bad_request'],
  ['half a pair', '{"a":"\\ud800x"}', 'bad_request'],
  ['NUL behind a backslash', '{"a":"\\\\\\u0000"}', 'bad_request'],
  [
    'a hundred thousand brackets',
    `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    'bad_request',
  ],
] as const) {
  test(`a JSON body of ${what} is refused`, t => {
    t.is((t.throws(() => jsonOf(body), {instanceOf: SluiceError}) as SluiceError).code, code);
  });
}

test('a bearer token is compared whole', t => {
  const request = (authorization?: string) => ({headers: {authorization}}) as Request;
  t.notThrows(() => requireBearer(request(`Bearer ${token}`), token));
  t.throws(() => requireBearer(request(), token), {instanceOf: SluiceError});
  t.throws(() => requireBearer(request(`Bearer ${token} `.repeat(2)), token), {
    instanceOf: SluiceError,
  });
});

/** A function as the local runner starts it: `/slow` answers when it is told `go`. */
const startProcess = async (t: ExecutionContext, {ipc}: {ipc: boolean}) => {
  const serve = new URL('../../events/serve.ts', import.meta.url).href;
  const child: ChildProcess = spawn(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `import {serve} from ${JSON.stringify(serve)};
       const waiting = [];
       process.stdin.on('data', () => waiting.forEach(response => response.end('done')));
       process.stdin.unref();
       const {port} = await serve({
         name: 'test',
         host: '127.0.0.1',
         routes: router => router.get('/slow', (_, response) => {
           waiting.push(response);
           response.write('begun ');
         }),
         onClose: async () => console.log('closed'),
       });
       console.log('port', port);`,
    ],
    {stdio: ['pipe', 'pipe', 'ignore', ...(ipc ? (['ipc'] as const) : [])], env: {}},
  );
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', text => {
    output += text;
  });
  const port = await eventually(() => {
    const found = /port (\d+)/.exec(output);
    if (!found) {
      throw new Error(`it does not listen: ${output}`);
    }
    return Number(found[1]);
  });
  const slow = await fetch(`http://127.0.0.1:${port}/slow`);
  const exited = once(child, 'exit');
  return {child, port, slow, exited, output: () => output, go: () => child.stdin?.write('go')};
};

const isRefused = (port: number) =>
  eventually(
    () =>
      new Promise<void>((resolve, reject) => {
        const socket = connect(port, '127.0.0.1');
        socket.once('error', () => resolve());
        socket.once('connect', () => {
          socket.destroy();
          reject(new Error('it still listens'));
        });
      }),
  );

test('SIGTERM: the running request ends, a new one is refused, what is held is closed, exit 0', async t => {
  const {child, port, slow, exited, output, go} = await startProcess(t, {ipc: false});
  child.kill('SIGTERM');
  await isRefused(port);
  t.is(child.exitCode, null);
  go();
  t.is(await slow.text(), 'begun done');
  t.deepEqual(await exited, [0, null]);
  // Its last words may come after its end.
  await eventually(() => assert.match(output(), /closed/));
});

test('a parent that goes away ends its function in the same way', async t => {
  const {child, port, slow, exited, go} = await startProcess(t, {ipc: true});
  child.disconnect();
  await isRefused(port);
  go();
  t.is(await slow.text(), 'begun done');
  t.deepEqual(await exited, [0, null]);
});
