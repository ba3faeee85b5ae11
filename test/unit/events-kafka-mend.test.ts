/** The mend of kafkajs: no timer runs while no request waits, and one that waits is sent. */
import assert from 'node:assert/strict';
import test from 'ava';
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
