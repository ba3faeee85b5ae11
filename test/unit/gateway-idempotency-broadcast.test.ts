import assert from 'node:assert/strict';
import type {ServerResponse} from 'node:http';
import {connect} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import {createBroadcast, createSpace} from '../../functions/gateway/idempotency/broadcast.ts';
import {eventually} from '../helpers/eventually.ts';
import {createHttpTestServer} from '../helpers/http.ts';

/** Real responses, in the order in which their requests came. */
const openResponses = async (t: ExecutionContext) => {
  const responses: ServerResponse[] = [];
  const {url, port} = await createHttpTestServer(t, (_request, response) => {
    responses.push(response);
  });
  const opened = async (count: number) => {
    await eventually(() => assert.equal(responses.length, count));
    return responses[count - 1] as ServerResponse;
  };
  return {url, port, responses, opened};
};

const roomy = () => createSpace(1e9);

test('all get the same head and bytes, those too who join in the middle or after the end', async t => {
  const {url, opened} = await openResponses(t);
  const broadcast = createBroadcast({space: roomy()});
  const answers: Promise<Response>[] = [];
  const join = async () => {
    answers.push(fetch(url));
    t.true(broadcast.join(await opened(answers.length)));
  };
  await join();
  broadcast.client.setHeader('x-early', 'yes');
  await join();
  broadcast.client.writeHead(201, {'content-type': 'text/plain'});
  broadcast.client.write(Buffer.from('one '));
  await join();
  broadcast.client.write(Buffer.from('two '));
  broadcast.client.end('three');
  await join();
  for (const response of await Promise.all(answers)) {
    t.is(response.status, 201);
    t.is(response.headers.get('x-early'), 'yes');
    t.is(response.headers.get('content-type'), 'text/plain');
    t.is(await response.text(), 'one two three');
  }
  t.is(broadcast.recording()?.body.toString(), 'one two three');
});

test('it closes when the last one has left, and not before', async t => {
  const {url, responses, opened} = await openResponses(t);
  const broadcast = createBroadcast({space: roomy()});
  const leaves = [new AbortController(), new AbortController()] as const;
  for (const [index, {signal}] of leaves.entries()) {
    fetch(url, {signal}).catch(() => {});
    broadcast.join(await opened(index + 1));
  }
  let closed = 0;
  broadcast.client.once('close', () => {
    closed += 1;
  });
  leaves[0].abort();
  await eventually(() => assert.ok(responses[0]?.destroyed));
  t.deepEqual([closed, broadcast.client.destroyed], [0, false]);
  leaves[1].abort();
  await eventually(() => assert.equal(closed, 1));
  t.true(broadcast.client.destroyed);
  t.false(broadcast.join(responses[1] as ServerResponse));
});

test('who does not read is cut off and holds nobody up; the first one sets the pace', async t => {
  const {url, port, responses, opened} = await openResponses(t);
  const broadcast = createBroadcast({
    space: roomy(),
    recordBytesMax: 64 * 1024 * 1024,
    lagBytesMax: 100_000,
  });
  const first = fetch(url);
  broadcast.join(await opened(1));
  const lazy = connect(port, '127.0.0.1', () => lazy.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'));
  lazy.on('error', () => {});
  lazy.pause();
  t.teardown(() => lazy.destroy());
  broadcast.join(await opened(2));
  broadcast.client.writeHead(200, {});
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const reading = first.then(response => response.text());
  let sent = 0;
  while (!responses[1]?.destroyed) {
    sent += 1;
    if (!broadcast.client.write(chunk)) {
      await new Promise<void>(resolve => broadcast.client.once('drain', resolve));
    }
  }
  broadcast.client.end();
  t.is((await reading).length, sent * chunk.length);
});

test('when the one that sets the pace leaves while it is waited for, the others go on', async t => {
  const {url, port, opened} = await openResponses(t);
  const broadcast = createBroadcast({space: roomy(), recordBytesMax: 1e9, lagBytesMax: 1e9});
  const lazy = connect(port, '127.0.0.1', () => lazy.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'));
  lazy.on('error', () => {});
  lazy.pause();
  t.teardown(() => lazy.destroy());
  broadcast.join(await opened(1));
  const second = fetch(url);
  broadcast.join(await opened(2));
  broadcast.client.writeHead(200, {});
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  while (broadcast.client.write(chunk)) {
    // Until the first one's connection is full.
  }
  const drained = new Promise<void>(resolve => broadcast.client.once('drain', resolve));
  const reading = second.then(response => response.text());
  lazy.destroy();
  await drained;
  broadcast.client.end('end');
  t.true((await reading).endsWith('xend'));
});

test('over the bounds of one answer or of all nobody joins late, and nothing is kept', async t => {
  const {url, opened} = await openResponses(t);
  const space = createSpace(10);
  const start = async (count: number, recordBytesMax: number) => {
    const broadcast = createBroadcast({space, recordBytesMax});
    const answer = fetch(url);
    broadcast.join(await opened(count));
    broadcast.client.writeHead(200, {});
    broadcast.client.write(Buffer.from('12345'));
    return {broadcast, answer};
  };
  const small = await start(1, 4);
  t.false(small.broadcast.join(undefined as never));
  small.broadcast.client.end('6');
  t.is(await (await small.answer).text(), '123456');
  t.is(small.broadcast.recording(), undefined);

  const [one, two] = [await start(2, 100), await start(3, 100)];
  const three = await start(4, 100);
  t.false(three.broadcast.join(undefined as never));
  // What is forgotten makes room.
  one.broadcast.dispose();
  one.broadcast.dispose();
  two.broadcast.client.end('67890');
  t.is(two.broadcast.recording()?.body.toString(), '1234567890');
  const four = await start(5, 100);
  t.false(four.broadcast.join(undefined as never));
  for (const {broadcast} of [one, three, four]) {
    broadcast.client.end();
  }
  for (const {answer} of [one, two, three, four]) {
    await (await answer).text();
  }
});
