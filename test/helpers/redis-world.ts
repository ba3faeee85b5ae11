/**
Redis world: brokers on a Redis of the test's own, other processes that consume from it, and a look behind them all.

In: the test. Out: what its sentences need. Everything ends with the test.
*/
import assert from 'node:assert/strict';
import {fork} from 'node:child_process';
import {once} from 'node:events';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';
import {Redis} from 'ioredis';
import {
  type Broker,
  type Consumer,
  type DeadLetter,
  type Message,
  publicationOf,
} from '../../events/brokers/broker.ts';
import {createRedisBroker} from '../../events/brokers/redis/broker.ts';
import {redisAt} from '../../events/redis.ts';
import {eventually} from './eventually.ts';
import {startRedis} from './redis.ts';
import type {ConsumerTask, ConsumerTells} from './redis-consumer.ts';

export const longMs = 3_600_000;
export const patient = {timeoutMs: 45_000};
const program = fileURLToPath(new URL('./redis-consumer.ts', import.meta.url));

export const publications = (...ids: (string | number)[]) =>
  ids.map(id =>
    publicationOf('a', {specversion: '1.0', id: String(id), source: '/test', type: 'test.done'}),
  );
export const numbers = (count: number, first = 0) =>
  Array.from({length: count}, (_, n) => n + first);
export const declared = {subscriptions: [{name: 'a', topic: 'a'}]};

type Options = Partial<Parameters<typeof createRedisBroker>[0]>;

/** A Redis of the test's own, brokers on it, and a client to look behind them. */
export const openWorld = async (t: ExecutionContext) => {
  const server = await startRedis(t);
  const letters: DeadLetter[] = [];
  const errors: string[] = [];
  const open = async (options: Options = {}) => {
    const broker = await createRedisBroker({
      redis: redisAt(server.url, {reconnectMaxMs: 200}),
      consumer: 'one',
      expireMs: longMs,
      pollMs: 50,
      keepDeadLetters: async some => void letters.push(...some),
      onError: error => errors.push(error.message),
      ...options,
    });
    t.teardown(() => broker.close());
    await broker.declare(declared);
    return broker;
  };
  const client = new Redis(server.url, {retryStrategy: () => 100});
  client.on('error', () => {});
  t.teardown(() => client.disconnect());
  return {server, open, client, letters, errors};
};

/** Another process. Ended with the test, if it has not been killed by then. */
export const startConsumer = (t: ExecutionContext, task: Partial<ConsumerTask> & {url: string}) => {
  const whole = {consumer: 'one', subscription: 'a', expireMs: longMs, batchMax: 1, ...task};
  const child = fork(program, [JSON.stringify(whole)]);
  const told: ConsumerTells[] = [];
  child.on('message', message => told.push(message as ConsumerTells));
  // What it said last may still be on its way when it has ended; the channel closes behind it.
  const ended = Promise.all([once(child, 'exit'), once(child, 'disconnect')]);
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  t.teardown(kill);
  return {told, ended, kill};
};

export const noting = (seen: Message[], options: Partial<Consumer> = {}): Consumer => ({
  batchMax: 1,
  concurrency: 1,
  async onBatch(messages) {
    seen.push(...messages);
    return messages.map(() => ({kind: 'done'}));
  },
  ...options,
});
export const idsOf = (messages: readonly Message[]) => messages.map(({event}) => event.id);

export const drained = (broker: Broker<undefined>) =>
  eventually(async () => assert.equal((await broker.pending()).get('a'), 0), patient);
export const has = (seen: readonly unknown[], count: number) =>
  eventually(
    () => assert.ok(seen.length >= count, `expected ${count}, got ${seen.length}`),
    patient,
  );
