/**
Redis broker: one stream a topic, one consumer group a subscription. Redis 7.0 or later.

An entry stays pending in its group until its outcome is stored. A consumer keeps fresh what it has in hand; what a dead one
had is taken by itself when it comes back under the same name, and by the others `expireMs` after its death. Order is not
promised, there are no transactions with other stores and no barriers.

What Redis itself loses is lost: `appendfsync always` and no eviction are the operator's to set.
*/
import {type ConnectRedis, ready, within} from '../../redis.ts';
import type {Abilities, Broker, KeepDeadLetters, Subscription} from '../broker.ts';
import {startReading} from './consume.ts';
import {createGroup, groupsOf, lagOf, oldestIdleMs, trimStream} from './groups.ts';
import {createPublisher} from './publish.ts';
import {createWaker, type Waker} from './wake.ts';

export const redisAbilities: Abilities = {
  transactions: false,
  ordered: false,
  barriers: false,
  offsets: true,
  countsCrashes: true,
};

/** How a subscription stands, for metrics. */
export type Observation = Readonly<{
  subscription: string;
  lag: number;
  pending: number;
  /** Of the oldest entry in hand: since when nobody has taken it or kept it fresh. */
  oldestIdleMs: number;
}>;

export const createRedisBroker = async ({
  redis,
  consumer,
  keepDeadLetters,
  onError = () => {},
  observe,
  streamOf = topic => `sluice:${topic}`,
  groupOf = subscription => `sluice:${subscription}`,
  expireMs = 30_000,
  handlerMs = 1_260_000,
  lengthMax = 1_000_000,
  heldMax = 1_000,
  publishMs = 5_000,
  pollMs = 1_000,
  trimMs = 10_000,
  settleRetryMs = 200,
  now = () => performance.now(),
}: {
  redis: ConnectRedis;
  /** Of this process alone, and the same when it is started again: the name of its pod. */
  consumer: string;
  /** Resolves when the letters are stored: the entries are acknowledged then. */
  keepDeadLetters: KeepDeadLetters<undefined>;
  onError?: (error: Error) => void;
  /** Told of each subscription every `trimMs`. */
  observe?: (observation: Observation) => void;
  streamOf?: (topic: string) => string;
  groupOf?: (subscription: string) => string;
  /** What a consumer has in hand and has not kept fresh for so long is another's to take. */
  expireMs?: number;
  /** A handler is believed for so long: longer than any delivery, a halved batch's included. */
  handlerMs?: number;
  /** A stream that holds so many entries takes no more. */
  lengthMax?: number;
  /** How many events may wait for a retry before nothing new is read. */
  heldMax?: number;
  publishMs?: number;
  pollMs?: number;
  trimMs?: number;
  settleRetryMs?: number;
  now?: () => number;
}): Promise<Broker<undefined>> => {
  const client = await redis();
  const topics = new Set<string>();
  const subscriptions = new Map<string, Subscription>();
  const readers = new Map<string, {stop(): Promise<void>}>();
  const wakers = new Map<string, Promise<Waker>>();
  const starting = new Set<Promise<void>>();
  let closing = false;

  const declaredStream = (topic: string) => {
    if (!topics.has(topic)) {
      throw new Error(`the topic ${topic} was not declared`);
    }
    return streamOf(topic);
  };
  const publisher = createPublisher({client, streamOf: declaredStream, lengthMax, publishMs});
  const wakerOf = (stream: string) => {
    const found =
      wakers.get(stream) ?? createWaker({connect: redis, stream, blockMs: pollMs, onError});
    wakers.set(stream, found);
    return found;
  };
  const placeOf = ({name, topic}: Subscription) => ({
    stream: streamOf(topic),
    group: groupOf(name),
  });
  const bounded = <Result>(what: string, work: () => Promise<Result>) =>
    within(publishMs, what, async leftMs => {
      await ready(client, leftMs);
      return work();
    });

  const look = async (subscription: Subscription): Promise<Observation> => {
    const {stream, group} = placeOf(subscription);
    const state = (await groupsOf(client, stream)).find(({name}) => name === group);
    return {
      subscription: subscription.name,
      lag: state ? await lagOf(client, stream, state) : 0,
      pending: state?.pending ?? 0,
      oldestIdleMs: state?.pending ? await oldestIdleMs(client, stream, group) : 0,
    };
  };

  const sweep = async () => {
    for (const stream of new Set([...subscriptions.values()].map(one => placeOf(one).stream))) {
      await trimStream(client, stream);
    }
    if (observe) {
      for (const subscription of subscriptions.values()) {
        observe(await look(subscription));
      }
    }
  };
  const sweeping = setInterval(() => {
    sweep().catch(onError);
  }, trimMs);

  return {
    abilities: redisAbilities,
    async declare(wanted) {
      await bounded('declare', async () => {
        for (const subscription of wanted.subscriptions) {
          const {from = 'now'} = subscription;
          await createGroup(client, {...placeOf(subscription), from});
        }
      });
      for (const subscription of wanted.subscriptions) {
        subscriptions.set(subscription.name, subscription);
        topics.add(subscription.topic);
      }
      for (const topic of wanted.topics ?? []) {
        topics.add(topic);
      }
    },
    async publish(publications, transaction) {
      if (transaction !== undefined) {
        throw new Error('expected no transaction: Redis takes part in none');
      }
      await publisher.publish(publications);
    },
    subscribe(name, wanted) {
      const subscription = subscriptions.get(name);
      if (!subscription) {
        throw new Error(`the subscription ${name} was not declared`);
      }
      if (readers.has(name)) {
        throw new Error(`expected ${name} to be subscribed to once`);
      }
      const group = {...placeOf(subscription), consumer};
      const start = async () => {
        const waker = await wakerOf(group.stream);
        await ready(client, publishMs).catch(onError);
        if (closing) {
          return;
        }
        readers.set(
          name,
          startReading({
            ...{client, subscription, group, consumer: wanted, publisher, waker},
            ...{keepDeadLetters, onError, expireMs, handlerMs, heldMax, pollMs, settleRetryMs, now},
            sweepMs: expireMs / 2,
          }),
        );
      };
      readers.set(name, {stop: async () => {}});
      const started = start()
        .catch(onError)
        .finally(() => starting.delete(started));
      starting.add(started);
    },
    pending: () =>
      bounded('pending', async () => {
        const seen = await Promise.all([...subscriptions.values()].map(look));
        return new Map(seen.map(({subscription, lag, pending}) => [subscription, lag + pending]));
      }),
    async close() {
      closing = true;
      clearInterval(sweeping);
      await Promise.all(starting);
      await Promise.all([...readers.values()].map(reader => reader.stop()));
      await Promise.all([...wakers.values()].map(async waker => (await waker).close()));
      client.disconnect();
    },
  };
};
