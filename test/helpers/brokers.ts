/**
Brokers: opens each adapter of the broker port on a test's own store, so that one suite holds them all.

A test uses plain names of topics and subscriptions; the harness makes them the test's own where the store is shared.
*/
import type {ExecutionContext} from 'ava';
import pg from 'pg';
import type {Broker, DeadLetter, Message, Publication} from '../../events/brokers/broker.ts';
import {createKafkaBroker} from '../../events/brokers/kafka/broker.ts';
import {
  createMemoryBroker,
  createMemoryStore,
  memoryTransaction,
} from '../../events/brokers/memory.ts';
import {createPostgresBroker, installPostgresBroker} from '../../events/brokers/postgres/broker.ts';
import {createRedisBroker} from '../../events/brokers/redis/broker.ts';
import {transactionOn} from '../../events/database.ts';
import {redisAt} from '../../events/redis.ts';
import {createTestDatabase, type TestDatabase} from './database.ts';
import {testKafka} from './kafka.ts';
import {testRedis} from './redis.ts';

export type BrokerHarness = Readonly<{
  /** Another process on the same store. `expireMs`: how long a hung handler is believed. */
  open(options?: {expireMs?: number}): Promise<Broker<unknown>>;
  /** Absent where the broker has no transactions. */
  transaction?: (work: (client: unknown) => Promise<void>) => Promise<void>;
  letters: DeadLetter[];
}>;

export const createBrokerPool = (database: TestDatabase) => {
  const pool = new pg.Pool({connectionString: database.url('system'), max: 6});
  // A connection that is cut, by the test or by the drop of its database, is no failure.
  return pool.on('error', () => {});
};

/** The same broker under names that no other test has. */
export const withPrefix = (broker: Broker<unknown>, prefix: string): Broker<unknown> => {
  const own = (publications: readonly Publication[]) =>
    publications.map(one => ({...one, topic: prefix + one.topic}));
  const plain = (message: Message): Message =>
    Object.defineProperty(Object.create(message), 'subscription', {
      value: message.subscription.slice(prefix.length),
    });
  return {
    ...broker,
    declare: ({topics = [], subscriptions}) =>
      broker.declare({
        topics: topics.map(topic => prefix + topic),
        subscriptions: subscriptions.map(one => ({
          ...one,
          name: prefix + one.name,
          topic: prefix + one.topic,
        })),
      }),
    publish: (publications, client) => broker.publish(own(publications), client),
    subscribe: (name, consumer) =>
      broker.subscribe(prefix + name, {
        ...consumer,
        async onBatch(messages) {
          const outcomes = await consumer.onBatch(messages.map(plain));
          return outcomes.map(outcome =>
            outcome.kind === 'done' && outcome.publish
              ? {...outcome, publish: own(outcome.publish)}
              : outcome,
          );
        },
      }),
    async pending() {
      const counts = await broker.pending();
      return new Map([...counts].map(([name, count]) => [name.slice(prefix.length), count]));
    },
  };
};

export const brokerHarnesses: Record<string, (t: ExecutionContext) => Promise<BrokerHarness>> = {
  async memory(t) {
    const store = createMemoryStore();
    const letters: DeadLetter[] = [];
    return {
      letters,
      transaction: memoryTransaction as BrokerHarness['transaction'],
      async open({expireMs = 60_000} = {}) {
        const broker = createMemoryBroker({
          store,
          expireMs,
          pollMs: 50,
          keepDeadLetters: async some => void letters.push(...some),
        });
        t.teardown(() => broker.close());
        return broker as Broker<unknown>;
      },
    };
  },
  async postgres(t) {
    const database = await createTestDatabase(t);
    await installPostgresBroker({databaseUrl: database.url('owner')});
    const letters: DeadLetter[] = [];
    return {
      letters,
      transaction: transactionOn(database.pool('system')) as BrokerHarness['transaction'],
      async open({expireMs = 60_000} = {}) {
        const pool = createBrokerPool(database);
        const broker = await createPostgresBroker({
          pool,
          expireMs,
          pollMs: 50,
          sweepMs: 50,
          keepDeadLetters: async (some, client) => {
            t.truthy(client, 'dead letters are kept in the transaction that settles them');
            letters.push(...some);
          },
        });
        t.teardown(async () => {
          await broker.close();
          await pool.end();
        });
        return broker as Broker<unknown>;
      },
    };
  },
  async redis(t) {
    const {url, prefix} = testRedis(t);
    const letters: DeadLetter[] = [];
    let consumers = 0;
    return {
      letters,
      async open({expireMs = 60_000} = {}) {
        const broker = await createRedisBroker({
          redis: redisAt(url),
          consumer: `consumer-${consumers++}`,
          streamOf: topic => prefix + topic,
          groupOf: subscription => prefix + subscription,
          expireMs,
          handlerMs: expireMs,
          pollMs: 50,
          keepDeadLetters: async some => void letters.push(...some),
          onError: error => t.log(String(error)),
        });
        t.teardown(() => broker.close());
        return broker as Broker<unknown>;
      },
    };
  },
  async kafka(t) {
    const {brokers, topic} = testKafka(t);
    const letters: DeadLetter[] = [];
    return {
      letters,
      async open({expireMs = 60_000} = {}) {
        const broker = createKafkaBroker({
          settings: {brokers, clientId: 'test'},
          topicOf: topic,
          groupOf: topic,
          partitions: 3,
          expireMs,
          times: {sessionMs: 6_000, heartbeatMs: 200, commitMs: 20},
          keepDeadLetters: async some => void letters.push(...some),
          onError: error => t.log(String(error)),
        });
        t.teardown(() => broker.close());
        return broker as Broker<unknown>;
      },
    };
  },
};
