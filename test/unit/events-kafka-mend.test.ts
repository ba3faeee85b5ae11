/** The mend of kafkajs: no timer runs while no request waits, one that waits is sent, and produce requests are written by us. */
import assert from 'node:assert/strict';
import {createRequire} from 'node:module';
import test from 'ava';
import {encodeProduce} from '../../events/kafka/encode.ts';
import {mendKafkajs} from '../../events/kafka/mend.ts';
import {eventually} from '../helpers/eventually.ts';

type Queue = {
  throttledUntil: number;
  throttleCheckTimeoutId: unknown;
  checkPendingRequests(): void;
  maybeThrottle(ms: number): void;
  push(request: object): void;
  destroy(): void;
};
// A constant, and no literal in the import: the file has no types.
const file: string = 'kafkajs/src/network/requestQueue/index.js';

const createQueue = async (): Promise<Queue> => {
  await mendKafkajs();
  const {default: RequestQueue} = await import(file);
  const logger = {debug() {}, warn() {}};
  return new RequestQueue({
    maxInFlightRequests: 1,
    requestTimeout: 1_000,
    enforceRequestTimeout: false,
    clientId: 'test',
    broker: 'test',
    logger,
  });
};

test('a queue in which nothing waits has no timer', async t => {
  const queue = await createQueue();
  queue.checkPendingRequests();
  t.is(queue.throttleCheckTimeoutId, null);
});

test('a request that Kafka wants to be later is sent later', async t => {
  const queue = await createQueue();
  const sent: number[] = [];
  queue.maybeThrottle(30);
  const until = queue.throttledUntil;
  queue.push({
    entry: {correlationId: 1, resolve() {}, reject() {}},
    expectResponse: false,
    sendRequest: () => sent.push(Date.now()),
  });
  t.deepEqual(sent, []);
  await eventually(() => assert.equal(sent.length, 1), {intervalMs: 1});
  t.true((sent[0] ?? 0) >= until);
  t.is(queue.throttleCheckTimeoutId, null);
  queue.destroy();
});

test('produce requests are written by us, but for compressed ones', async t => {
  await mendKafkajs();
  const path: string = 'kafkajs/src/protocol/requests/produce/index.js';
  const {default: produce} = await import(path);
  const asked = {acks: -1, timeout: 1_000, topicData: [{topic: 'a', partitions: []}]};
  const written = (more: object) =>
    produce
      .protocol({version: 7})({...asked, ...more})
      .request.encode();
  t.deepEqual(Object.keys(await written({})), ['buf', 'buffer']);
  t.deepEqual((await written({})).buffer, encodeProduce(asked));
  t.notDeepEqual(Object.keys(await written({compression: 1})), ['buf', 'buffer']);
});

test('records are put together by partition in their order, and by ours', async t => {
  await mendKafkajs();
  const path: string = 'kafkajs/src/producer/groupMessagesPerPartition.js';
  const group = createRequire(import.meta.url)(path) as (asked: object) => object;
  const asked = {
    topic: 'a',
    partitionMetadata: [{}, {}, {}],
    messages: [4, 1, 7, 2, 3],
    partitioner: ({message}: {message: number}) => message % 3,
  };
  t.deepEqual(group(asked), {0: [3], 1: [4, 1, 7], 2: [2]});
  t.deepEqual(group({...asked, partitionMetadata: []}), {});
  const many = Array.from({length: 20_000}, (_, index) => index);
  const before = performance.now();
  group({...asked, messages: many, partitioner: () => 0});
  // kafkajs's own takes seconds.
  t.true(performance.now() - before < 500);
});
