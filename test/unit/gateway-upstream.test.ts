import assert from 'node:assert/strict';
import {createServer, type Socket} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import type {Dispatcher} from 'undici';
import {createUpstream, type Left} from '../../functions/gateway/exchange/upstream.ts';
import {eventually} from '../helpers/eventually.ts';

const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const head =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n';

/** A model server that does on its sockets what the test says, and calls of an upstream to it. */
const start = async (
  t: ExecutionContext,
  serve: (socket: Socket, request: string) => void,
  leaveMs?: number,
) => {
  const sockets: Socket[] = [];
  const server = createServer({allowHalfOpen: true}, socket => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', request => serve(socket, request.toString('latin1')));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const base = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  const upstream = createUpstream(leaveMs === undefined ? {} : {leaveMs});
  t.teardown(async () => {
    await upstream.close();
    for (const socket of sockets) {
      socket.destroy();
    }
    server.close();
  });
  const call = () => {
    const seen = {text: '', ended: '', leave: undefined as (() => Left) | undefined};
    let left: Left | undefined;
    const end = (how: string) => {
      seen.ended = how;
      left?.end();
    };
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(controller) {
        seen.leave = () => {
          left = sent.leave(controller);
          return left;
        };
      },
      onResponseStart() {},
      onResponseData: (_controller, bytes) => {
        seen.text += bytes.toString('latin1');
      },
      onResponseEnd: () => end('whole'),
      onResponseError: (_controller, error) => end(error.message),
    };
    const sent = upstream.send(
      {base, path: '/v1/x', headers: {'content-type': 'application/json'}, body: Buffer.from('{}')},
      handler,
    );
    return seen;
  };
  return {upstream, sockets, call};
};

const comes = (seen: {text: string}, text: string) =>
  eventually(() => assert.ok(seen.text.endsWith(text), seen.text));

test('a server that is left is told at once, and what it had written until then is read', async t => {
  const {upstream, call} = await start(t, socket => {
    socket.write(head + chunk('one'));
    socket.on('end', () => socket.end(chunk('two') + chunk('three')));
  });
  const seen = call();
  await comes(seen, 'one');
  seen.leave?.();
  await upstream.idle();
  t.is(seen.text, 'onetwothree');
  t.is(seen.ended, 'other side closed');
});

test('a server that gets no processor time is waited for, and what it then writes is read', async t => {
  const {upstream, call} = await start(
    t,
    socket => {
      socket.write(head + chunk('one'));
      socket.on('end', () => setTimeout(() => socket.end(chunk('late')), 900));
    },
    400,
  );
  const seen = call();
  await comes(seen, 'one');
  seen.leave?.();
  await upstream.idle();
  t.is(seen.text, 'onelate');
});

test('a server that says nothing more and keeps its connection is cut off', async t => {
  const {upstream, call} = await start(t, socket => socket.write(head + chunk('one')), 20);
  const seen = call();
  await comes(seen, 'one');
  seen.leave?.();
  await upstream.idle();
  t.is(seen.ended, 'nobody waits for the answer');
});

test('a server that goes on for nobody is cut off', async t => {
  const {upstream, sockets, call} = await start(
    t,
    socket => {
      socket.write(head);
      const timer = setInterval(() => socket.write(chunk('more')), 10);
      socket.on('close', () => clearInterval(timer));
    },
    100,
  );
  const seen = call();
  await comes(seen, 'more');
  seen.leave?.();
  t.is(seen.ended, '');
  await upstream.idle();
  t.is(seen.ended, 'nobody waits for the answer');
  await eventually(() => assert.equal(sockets[0]?.destroyed, true));
});

test('a server that still writes out a rest is not cut off in the middle of it', async t => {
  const part = chunk('x'.repeat(100_000));
  let parts = 0;
  const {upstream, call} = await start(
    t,
    socket => {
      socket.write(head + chunk('one'));
      socket.on('end', () => {
        const timer = setInterval(() => {
          parts += 1;
          socket.write(part);
          if (parts === 250) {
            clearInterval(timer);
            socket.end(chunk('rest'));
          }
        }, 10);
      });
    },
    // Two or three times while it writes: a busy machine must not be silent for so long.
    1_000,
  );
  const seen = call();
  await comes(seen, 'one');
  seen.leave?.();
  await upstream.idle();
  t.true(seen.text.endsWith('rest'));
});

test('a connection that was left is not used again, although its server finished and keeps it', async t => {
  const {upstream, sockets, call} = await start(t, socket => {
    socket.write(head + chunk('one'));
    socket.on('end', () => socket.write(`${chunk('two')}0\r\n\r\n`));
  });
  const seen = call();
  await comes(seen, 'one');
  seen.leave?.();
  await upstream.idle();
  t.is(seen.ended, 'whole');
  // Only then would the pool give it to the next call.
  for (let turn = 0; turn < 10; turn++) {
    await new Promise(resolve => setImmediate(resolve));
  }
  const next = call();
  await comes(next, 'one');
  t.is(next.ended, '');
  t.is(sockets.length, 2);
});

test('what has not begun to answer is told too', async t => {
  const {upstream, sockets, call} = await start(t, socket => {
    socket.on('end', () => socket.end());
  });
  const seen = call();
  await eventually(() => assert.equal(sockets.length, 1));
  seen.leave?.();
  await upstream.idle();
  t.is(seen.text, '');
  t.is(seen.ended, 'other side closed');
});
