/** Gathered sends: what travels together, what waits, what is refused, and that a deadline is one whatever the transport does. */
import assert from 'node:assert/strict';
import test from 'ava';
import {SluiceError} from '../../events/errors.ts';
import {createSendBuffer, type Outgoing} from '../../events/kafka/send-buffer.ts';
import {eventually} from '../helpers/eventually.ts';

const record = (value: string, key: string | null = null): Outgoing => ({
  topic: 'a',
  key,
  value,
  headers: {},
});

const createTransport = () => {
  const requests: {values: string[]; resolve: () => void; reject: (error: Error) => void}[] = [];
  return {
    requests,
    transmit: (records: readonly Outgoing[]) =>
      new Promise<void>((resolve, reject) => {
        requests.push({values: records.map(({value}) => value), resolve, reject});
      }),
    has: (count: number) => eventually(() => assert.equal(requests.length, count), {intervalMs: 1}),
  };
};

const start = (options: Partial<Parameters<typeof createSendBuffer>[0]> = {}) => {
  const transport = createTransport();
  return {
    transport,
    buffer: createSendBuffer({transmit: transport.transmit, lingerMs: 1, ...options}),
  };
};

test('what comes together travels together, in order, and is kept when it is acknowledged', async t => {
  const {buffer, transport} = start();
  const sent = [buffer.send([record('1'), record('2')]), buffer.send([record('3')])];
  await transport.has(1);
  t.deepEqual(transport.requests[0]?.values, ['1', '2', '3']);
  t.is(buffer.waiting(), 3);
  transport.requests[0]?.resolve();
  await Promise.all(sent);
  t.is(buffer.waiting(), 0);
});

test('without a linger the first goes at once, and what comes meanwhile makes the next', async t => {
  const {buffer, transport} = start({lingerMs: 0});
  const first = buffer.send([record('1')]);
  t.deepEqual(transport.requests[0]?.values, ['1']);
  const others = [buffer.send([record('2')]), buffer.send([record('3')])];
  t.is(transport.requests.length, 1);
  transport.requests[0]?.resolve();
  await first;
  await transport.has(2);
  t.deepEqual(transport.requests[1]?.values, ['2', '3']);
  transport.requests[1]?.resolve();
  await Promise.all(others);
});

test('a request is bounded by number and by bytes, a call is kept when all of it is', async t => {
  const {buffer, transport} = start({batchMax: 3, batchBytes: 1_000});
  const many = buffer.send(['1', '2', '3', '4'].map(value => record(value)));
  const large = buffer.send(['x', 'y'].map(value => record(value.repeat(800))));
  let kept = false;
  const noted = many.then(() => {
    kept = true;
  });
  await transport.has(1);
  t.deepEqual(transport.requests[0]?.values, ['1', '2', '3']);
  transport.requests[0]?.resolve();
  await transport.has(2);
  t.deepEqual(
    transport.requests[1]?.values.map(value => value.length),
    [1],
  );
  t.false(kept);
  transport.requests[1]?.resolve();
  await noted;
  await transport.has(3);
  transport.requests[2]?.resolve();
  await transport.has(4);
  transport.requests[3]?.resolve();
  await large;
});

test('a key is in one request only, so that its order holds with several under way', async t => {
  const {buffer, transport} = start({lingerMs: 0, inFlightMax: 2});
  const sent = [
    buffer.send([record('a1', 'a')]),
    buffer.send([record('a2', 'a'), record('b1', 'b')]),
    buffer.send([record('c1', 'c')]),
  ];
  t.deepEqual(
    transport.requests.map(({values}) => values),
    [['a1'], ['b1']],
  );
  transport.requests[1]?.resolve();
  await transport.has(3);
  t.deepEqual(transport.requests[2]?.values, ['c1'], 'a2 waits for a1');
  transport.requests[0]?.resolve();
  await transport.has(4);
  t.deepEqual(transport.requests[3]?.values, ['a2']);
  transport.requests[2]?.resolve();
  transport.requests[3]?.resolve();
  await Promise.all(sent);
});

test('the deadline counts from the call, whatever the transport still does, and its place stays taken', async t => {
  const {buffer, transport} = start({lingerMs: 0, sendMs: 1_000});
  const late = await t.throwsAsync(buffer.send([record('1')]), {instanceOf: SluiceError});
  t.is(late?.code, 'unavailable');
  await t.throwsAsync(buffer.send([record('2')]), {message: /within 1000 ms/});
  t.is(transport.requests.length, 1, 'no second request beside the one that hangs');
  transport.requests[0]?.resolve();
  await eventually(() => assert.equal(buffer.waiting(), 0));
  const next = buffer.send([record('3')]);
  await transport.has(2);
  t.deepEqual(transport.requests[1]?.values, ['3'], 'what was given up is not sent');
  transport.requests[1]?.resolve();
  await next;
});

test('a request that fails breaks the calls in it and no other', async t => {
  const {buffer, transport} = start({lingerMs: 0});
  const first = buffer.send([record('1')]);
  const second = buffer.send([record('2')]);
  transport.requests[0]?.reject(new Error('no leader'));
  const error = await t.throwsAsync(first, {message: /no leader/});
  t.true(error instanceof SluiceError);
  await transport.has(2);
  transport.requests[1]?.resolve();
  await second;
});

test('no more wait than are allowed, by number and by bytes', async t => {
  const few = start({waitingMax: 2});
  const kept = few.buffer.send([record('1'), record('2')]);
  await t.throwsAsync(few.buffer.send([record('3')]), {message: /too many/});
  await few.transport.has(1);
  few.transport.requests[0]?.resolve();
  await kept;
  const small = start({waitingBytes: 500});
  await t.throwsAsync(small.buffer.send([record('x'.repeat(500))]), {message: /too many/});
});

test('closing sends what waits without lingering and takes nothing new', async t => {
  const {buffer, transport} = start({lingerMs: 60_000});
  const sent = buffer.send([record('1')]);
  const closed = buffer.close();
  await transport.has(1);
  await t.throwsAsync(buffer.send([record('2')]), {message: /closed/});
  transport.requests[0]?.resolve();
  await Promise.all([sent, closed]);
});

test('closing ends by the deadline of what hangs', async t => {
  const {buffer} = start({lingerMs: 0, sendMs: 20});
  const sent = buffer.send([record('1')]);
  await Promise.all([buffer.close(), t.throwsAsync(sent)]);
});
