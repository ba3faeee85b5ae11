/** Calls on plain connections: one after the other on one, in what order a handler hears, and when a connection is not used again. */
import assert from 'node:assert/strict';
import {type AddressInfo, createServer, type Socket} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import type {Dispatcher} from 'undici';
import {limits} from '../../events/limits.ts';
import {createPlainPools} from '../../functions/gateway/exchange/plain/pool.ts';
import {eventually} from '../helpers/eventually.ts';

type Served = Readonly<{socket: Socket; request: string; connection: number}>;

/** A server that does on its sockets what the test says, and calls to it. */
const start = async (
  t: ExecutionContext,
  serve: (served: Served) => void,
  waits: {firstByteMs?: number; idleUpstreamMs?: number} = {},
) => {
  const sockets: Socket[] = [];
  const server = createServer(socket => {
    const connection = sockets.push(socket) - 1;
    socket.on('error', () => {});
    socket.on('data', bytes => serve({socket, request: bytes.toString('latin1'), connection}));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const pools = createPlainPools({limits: {...limits, ...waits}});
  t.teardown(() => {
    pools.close();
    for (const socket of sockets) {
      socket.destroy();
    }
    server.close();
  });
  const plain = pools.open(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  const call = (
    steps: Partial<
      Record<'start' | 'head' | 'end', (controller: Dispatcher.DispatchController) => void>
    > = {},
    headers: Record<string, string> = {},
  ) => {
    const seen = {
      said: [] as string[],
      status: 0,
      text: '',
      controller: undefined as Dispatcher.DispatchController | undefined,
    };
    plain.send(
      {
        path: '/v1/x',
        headers: {'content-type': 'application/json', ...headers},
        body: Buffer.from('{}'),
      },
      {
        onRequestStart(controller) {
          seen.said.push('start');
          seen.controller = controller;
          steps.start?.(controller);
        },
        onResponseStart(controller, status) {
          seen.said.push('head');
          seen.status = status;
          steps.head?.(controller);
        },
        onResponseData(_controller, bytes) {
          seen.text += bytes.toString('latin1');
        },
        onResponseEnd(controller) {
          seen.said.push('end');
          steps.end?.(controller);
        },
        onResponseError: (_controller, error) => void seen.said.push(error.message),
      },
      {connection: undefined},
    );
    return seen;
  };
  const over = (seen: {said: string[]}) =>
    eventually(() =>
      assert.ok(seen.said.length > 0 && !['start', 'head'].includes(seen.said.at(-1) ?? '')),
    );
  return {call, over, plain, pools, sockets};
};

const answer = (text: string, more = '') =>
  `HTTP/1.1 200 OK\r\n${more}content-length: ${text.length}\r\n\r\n${text}`;

test('a request is one HTTP request, and the next one takes the same connection', async t => {
  const requests: string[] = [];
  const {call, over, sockets} = await start(t, ({socket, request}) => {
    requests.push(request);
    socket.write(answer('Hi'));
  });
  const first = call({}, {'x-request-id': 'a'});
  await over(first);
  await over(call());
  t.deepEqual(first.said, ['start', 'head', 'end']);
  t.is(first.text, 'Hi');
  t.is(sockets.length, 1);
  t.regex(
    requests[0] ?? '',
    /^POST \/v1\/x HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\nconnection: keep-alive\r\ncontent-type: application\/json\r\nx-request-id: a\r\ncontent-length: 2\r\n\r\n\{\}$/,
  );
});

test('a call that is begun in the end of another one has its own answer', async t => {
  let count = 0;
  const {call, over, sockets} = await start(t, ({socket}) => {
    count += 1;
    socket.write(answer(`answer ${count}`));
  });
  let second: ReturnType<typeof call> | undefined;
  const first = call({
    end() {
      second = call();
    },
  });
  await over(first);
  await over(second as ReturnType<typeof call>);
  t.is(first.text, 'answer 1');
  t.is(second?.text, 'answer 2');
  t.is(sockets.length, 1);
});

for (const [what, reply] of Object.entries({
  'that says it closes': answer('Hi', 'connection: close\r\n'),
  'whose server keeps it for a moment only': answer('Hi', 'keep-alive: timeout=2\r\n'),
  'with more than an answer': `${answer('Hi')}${answer('No')}`,
  'of an old version': answer('Hi').replace('1.1', '1.0'),
})) {
  test(`a connection ${what} is not used again`, async t => {
    const {call, over, sockets} = await start(t, ({socket}) => void socket.write(reply));
    const first = call();
    await over(first);
    const second = call();
    await over(second);
    t.deepEqual([first.text, second.text], ['Hi', 'Hi']);
    t.deepEqual(second.said, ['start', 'head', 'end']);
    t.is(sockets.length, 2);
  });
}

test('bytes that nobody asked for close the connection, and no later answer is made of them', async t => {
  const {call, over, sockets} = await start(t, ({socket}) => void socket.write(answer('Hi')));
  await over(call());
  sockets[0]?.write(answer('forged'));
  await eventually(() => assert.equal(sockets[0]?.destroyed, true));
  const second = call();
  await over(second);
  t.is(second.text, 'Hi');
});

test('a paused call hears nothing until it goes on, also of an answer that came as a whole; the connection is used again', async t => {
  const {call, over, sockets} = await start(t, ({socket}) => void socket.write(answer('Hi')));
  const seen = call({head: controller => controller.pause()});
  await eventually(() => assert.deepEqual(seen.said, ['start', 'head']));
  await new Promise(resolve => setImmediate(resolve));
  t.is(seen.text, '');
  seen.controller?.resume();
  t.deepEqual([seen.text, seen.said.at(-1)], ['Hi', 'end']);
  const next = call();
  await over(next);
  t.is(next.text, 'Hi');
  t.is(sockets.length, 1);
});

test('a paused call stops its server, and gets all of it when it goes on', async t => {
  const size = 8 * 1024 * 1024;
  const {call, over, sockets} = await start(
    t,
    ({socket}) => void socket.write(answer('x'.repeat(size))),
  );
  const seen = call({head: controller => controller.pause()});
  await eventually(() => assert.equal(seen.status, 200));
  for (let turn = 0; turn < 50; turn++) {
    await new Promise(resolve => setImmediate(resolve));
  }
  t.is(seen.text, '');
  t.true((sockets[0]?.writableLength ?? 0) > 0, 'what it wrote waits on its side');
  seen.controller?.resume();
  await over(seen);
  t.is(seen.text.length, size);
});

test('an aborted call is told so once, at once, and its connection closes', async t => {
  const {call, sockets} = await start(
    t,
    ({socket}) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHi'),
  );
  const seen = call();
  await eventually(() => assert.equal(seen.text, 'Hi'));
  seen.controller?.abort(new Error('enough'));
  seen.controller?.abort(new Error('again'));
  seen.controller?.resume();
  t.deepEqual(seen.said, ['start', 'head', 'enough']);
  await eventually(() => assert.equal(sockets[0]?.destroyed, true));
});

test('a call that is aborted when it starts sends nothing', async t => {
  const requests: string[] = [];
  const {call, over} = await start(t, ({request}) => void requests.push(request));
  const seen = call({start: controller => controller.abort(new Error('too late'))});
  await over(seen);
  t.deepEqual(seen.said, ['start', 'too late']);
  t.deepEqual(requests, []);
});

test('a header that would end its line fails its call', async t => {
  const requests: string[] = [];
  const {call, over} = await start(t, ({request}) => void requests.push(request));
  const seen = call({}, {tracestate: 'a\r\nx: y'});
  await over(seen);
  t.deepEqual(seen.said, ['start', 'invalid tracestate header']);
  t.deepEqual(requests, []);
});

for (const [what, reply, said] of [
  ['half a body', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHi', 'other side closed'],
  ['half a head', 'HTTP/1.1 200 OK\r\n', 'other side closed'],
  ['no answer', '', 'other side closed'],
  [
    'half a chunk',
    'HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\nHi',
    'other side closed',
  ],
  ['an answer of no told length', 'HTTP/1.1 200 OK\r\n\r\nHi', 'end'],
] as const) {
  test(`a connection that ends after ${what}: ${said}`, async t => {
    const {call, over} = await start(t, ({socket}) => void socket.end(reply));
    const seen = call();
    await over(seen);
    t.is(seen.said.at(-1), said);
  });
}

test('what is no HTTP fails its call and closes its connection', async t => {
  const {call, over, sockets} = await start(t, ({socket}) => void socket.write('hello\r\n\r\n'));
  const seen = call();
  await over(seen);
  t.is(seen.said.at(-1), 'the answer does not begin with a status line');
  await eventually(() => assert.equal(sockets[0]?.destroyed, true));
});

test('a server that is silent for too long is given up: before its answer, and in it, not while its reader pauses', async t => {
  let reply = '';
  const {call, over} = await start(t, ({socket}) => void socket.write(reply || '\0'.slice(1)), {
    firstByteMs: 100,
    idleUpstreamMs: 100,
  });
  const silent = call();
  await over(silent);
  t.is(silent.said.at(-1), 'Headers Timeout Error');
  reply = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHi';
  const half = call();
  await over(half);
  t.is(half.said.at(-1), 'Body Timeout Error');
  const paused = call({head: controller => controller.pause()});
  const other = call();
  await over(other);
  t.deepEqual(paused.said, ['start', 'head']);
});

test('an idle connection is closed before its server would, of its own accord or as the server says', async t => {
  let more = '';
  const {call, over, sockets} = await start(t, ({socket}) => void socket.write(answer('Hi', more)));
  await over(call());
  const idle = performance.now();
  more = 'keep-alive: timeout=4\r\n';
  const [first] = sockets;
  await eventually(() => assert.equal(first?.destroyed, true));
  const afterMs = performance.now() - idle;
  t.true(afterMs > 3_000 && afterMs < 20_000, `${afterMs}`);
  // A machine with other work may be late once.
  const toldMs: number[] = [];
  while (toldMs.length < 3 && !toldMs.some(took => took < 4_000)) {
    await over(call());
    const told = performance.now();
    await eventually(() => assert.equal(sockets.at(-1)?.destroyed, true));
    toldMs.push(performance.now() - told);
  }
  t.true((toldMs.at(-1) as number) < 4_000, toldMs.join());
});

test('a server that is not there fails the call before it starts', async t => {
  const {sockets, pools} = await start(t, () => {});
  const nowhere = pools.open(new URL('http://127.0.0.1:9'));
  const said: string[] = [];
  nowhere.send(
    {path: '/', headers: {}, body: Buffer.alloc(0)},
    {
      onRequestStart: () => void said.push('start'),
      onResponseError: (_controller, error) =>
        void said.push((error as NodeJS.ErrnoException).code ?? ''),
    },
    {connection: undefined},
  );
  await eventually(() => assert.deepEqual(said, ['ECONNREFUSED']));
  t.is(sockets.length, 0);
});

test('who retires takes nothing from a running call, and keeps no connection', async t => {
  const held: Socket[] = [];
  const {call, over, plain, sockets} = await start(t, ({socket}) => void held.push(socket));
  const seen = call();
  await eventually(() => assert.equal(held.length, 1));
  plain.retire();
  held[0]?.write(answer('Hi'));
  await over(seen);
  t.is(seen.text, 'Hi');
  await eventually(() => assert.equal(sockets[0]?.destroyed, true));
});

test('an answer that comes before its request is written out is one, and its connection is not used again', async t => {
  const {call, over, plain, sockets} = await start(t, ({socket}) => {
    socket.pause();
    socket.write(answer('early'));
  });
  const said: string[] = [];
  plain.send(
    {path: '/', headers: {}, body: Buffer.alloc(32 * 1024 * 1024)},
    {
      onRequestStart() {},
      onResponseData: (_controller, bytes) => void said.push(bytes.toString()),
      onResponseEnd: () => void said.push('end'),
      onResponseError: (_controller, error) => void said.push(error.message),
    },
    {connection: undefined},
  );
  await eventually(() => assert.deepEqual(said, ['early', 'end']));
  await over(call());
  t.is(sockets.length, 2);
});
