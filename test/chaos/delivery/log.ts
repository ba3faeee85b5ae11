/**
Log: the stream or topic of a run on a real Redis or Kafka of its own, which is killed and started again.

Out: how a source reads it, how a publisher and a watcher reach it, how many entries it was ever given.

Redis runs with `appendfsync always`, as its operator is asked to run it where nothing may be lost. Against kill -9 alone `no`
would do, because what is written is the kernel's before the answer leaves; with `everysec` Redis answers up to two seconds before
it writes while an fsync is slow, and an acknowledged event dies with it.
*/
import {setTimeout as wait} from 'node:timers/promises';
import {Redis} from 'ioredis';
import {Kafka, logLevel} from 'kafkajs';
import type {Broker} from '../../../events/brokers/broker.ts';
import {createKafkaBroker} from '../../../events/brokers/kafka/broker.ts';
import {createRedisBroker} from '../../../events/brokers/redis/broker.ts';
import {redisAt} from '../../../events/redis.ts';
import {startKafkaServer} from '../../runner/kafka.ts';
import {startRedisServer} from '../../runner/redis.ts';

export const kinds = ['redis', 'kafka'] as const;
export type Kind = (typeof kinds)[number];

export const topic = 'chaos.events';
export const group = 'chaos';

/** `from: start`, as sources have it. */
export const declared = {subscriptions: [{name: group, topic, from: 'start'}]} as const;

export type Log = Readonly<{
  kind: Kind;
  /** For `openBroker`. */
  address: string;
  /** Of a source that reads it under this name. */
  sourceEnvironment(consumer: string): Readonly<Record<string, string>>;
  /** kill -9, and after a while a new start on the same data. */
  restart(awayMs: number): Promise<void>;
  /** Ever appended, whatever has been trimmed since. */
  entries(): Promise<number>;
  stop(): Promise<void>;
}>;

/** What a source does not consume by, only a publisher or a watcher. */
export const openBroker = async (
  kind: Kind,
  address: string,
  {consumer, onError}: {consumer: string; onError?: (error: Error) => void},
): Promise<Pick<Broker<never>, 'declare' | 'publish' | 'pending' | 'close'>> => {
  const keepDeadLetters = async () => {};
  const shared = {keepDeadLetters, ...(onError ? {onError} : {})};
  if (kind === 'kafka') {
    return createKafkaBroker({
      ...shared,
      settings: {brokers: [address], clientId: consumer},
      topicOf: name => name,
    });
  }
  return createRedisBroker({
    ...shared,
    consumer,
    redis: redisAt(address),
    streamOf: name => name,
    groupOf: name => name,
  });
};

export const startLog = (kind: Kind): Promise<Log> => (kind === 'redis' ? onRedis() : onKafka());

const onRedis = async (): Promise<Log> => {
  const server = await startRedisServer();
  const ask = async <Result>(work: (client: Redis) => Promise<Result>) => {
    const client = new Redis(server.url);
    try {
      return await work(client);
    } finally {
      client.disconnect();
    }
  };
  const sync = () => ask(client => client.config('SET', 'appendfsync', 'always'));
  await sync();
  return {
    kind: 'redis',
    address: server.url,
    sourceEnvironment: consumer => ({
      SOURCE_KIND: 'redis',
      REDIS_URL: server.url,
      SOURCE_STREAM: topic,
      SOURCE_GROUP: group,
      SOURCE_CONSUMER: consumer,
    }),
    async restart(awayMs) {
      await server.kill();
      await wait(awayMs);
      await server.start();
      await sync();
    },
    entries: () =>
      ask(async client => {
        const state = (await client.xinfo('STREAM', topic)) as unknown[];
        return Number(state[state.indexOf('entries-added') + 1]);
      }),
    stop: server.remove,
  };
};

const onKafka = async (): Promise<Log> => {
  // It is let in again soon after it was killed.
  const server = await startKafkaServer({sessionTimeoutMs: 2_000});
  const [address] = server.brokers as [string];
  return {
    kind: 'kafka',
    address,
    sourceEnvironment: consumer => ({
      SOURCE_KIND: 'kafka',
      KAFKA_BROKERS: address,
      SOURCE_TOPIC: topic,
      SOURCE_GROUP: group,
      SOURCE_CONSUMER: consumer,
    }),
    async restart(awayMs) {
      await server.kill();
      await wait(awayMs);
      await server.start();
    },
    async entries() {
      const admin = new Kafka({brokers: [address], logLevel: logLevel.NOTHING}).admin();
      await admin.connect();
      try {
        const offsets = await admin.fetchTopicOffsets(topic);
        return offsets.reduce((sum, {high}) => sum + Number(high), 0);
      } finally {
        await admin.disconnect();
      }
    },
    stop: server.remove,
  };
};
