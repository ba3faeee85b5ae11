/** The mend of kafkajs: no timer runs while no request waits, one that waits is sent, and produce requests are written by us. */
import assert from 'node:assert/strict';
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
