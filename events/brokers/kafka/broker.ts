/**
Kafka broker: topics as logs, a subscription as a consumer group.

A subscription's filter is asked when an event is read. What shares a key keeps its order within its partition, so a barrier
needs no more than its organisation's key. Events are acknowledged by committing an offset: replies are published and dead
letters stored before, and nothing is committed past an event that is not settled. Attempts are counted in the process: who
takes over begins again at 1.
*/
import {recordOf} from '../../codec.ts';
import {type ConnectKafka, connectKafka} from '../../kafka/connect.ts';
import {dismissMembers} from '../../kafka/dismiss.ts';
import {createKafkaProducer, type KafkaProducer} from '../../kafka/producer.ts';
import type {KafkaSettings} from '../../kafka/settings.ts';
import type {Logger} from '../../telemetry.ts';
import {
  type Abilities,
  type Broker,
  type Consumer,
  type DeadLetter,
  type KeepDeadLetters,
  type Message,
  messageOf,
  type Outcome,
  type Publication,
  type Subscription,
} from '../broker.ts';
import {sortOutcomes} from '../outcomes.ts';
import {runConsumer} from './consumer.ts';
import {createDispatch} from './dispatch.ts';
import {createGroups} from './groups.ts';
import {type ConsumerTimes, consumerTimes} from './member.ts';
import {takeRecord} from './message.ts';
import type {BadRecord, Entry} from './partition.ts';

export const kafkaAbilities: Abilities = {
  transactions: false,
  ordered: true,
  barriers: false,
  offsets: true,
  countsCrashes: false,
};

/** `log:sluice.usage` is the topic `sluice.usage`; elsewhere what Kafka takes in no name becomes a dot. */
const plainTopic = (topic: string) => topic.replace(/^log:/, '').replaceAll(/[^\w.-]/g, '.');

const storeRetryMs = 200;

export const createKafkaBroker = ({
  settings,
  keepDeadLetters,
  logger,
  onError = () => {},
  topicOf = plainTopic,
  groupOf = name => name,
  soleClient = false,
  partitions = 24,
  replication = -1,
  retentionMs = 7 * 24 * 3_600_000,
  expireMs = 1_260_000,
  windowMax = 1_000,
  windowBytes = 4 * 1024 * 1024,
  sendMs = 2_000,
  requestMs = 10_000,
  times = {},
}: {
  settings: KafkaSettings;
  keepDeadLetters: KeepDeadLetters<never>;
  logger?: Logger;
  onError?: (error: Error) => void;
  /** What a topic of the port is called in Kafka. */
  topicOf?: (topic: string) => string;
  /** What the group of a subscription is called. */
  groupOf?: (subscription: string) => string;
  /** The client id of the settings is this process's alone: other members of that name are gone, and nobody waits for them. */
  soleClient?: boolean;
  /** Of topics that are not there yet; the number of one that is there is never changed. */
  partitions?: number;
  replication?: number;
  retentionMs?: number;
  /** Longer than any delivery, a halved batch's included: a handler that takes longer is given up. */
  expireMs?: number;
  /** Records of a partition that are held from the oldest unsettled one on; then the partition waits for it. */
  windowMax?: number;
  windowBytes?: number;
  /** For an event to be acknowledged. */
  sendMs?: number;
  /** For Kafka to answer anything else. */
  requestMs?: number;
  times?: Partial<ConsumerTimes>;
}): Broker<never> => {
  const connect: ConnectKafka = () => connectKafka(settings, {logger, requestMs});
  const groups = createGroups({connect, partitions, replication, retentionMs});
  const topics = new Set<string>();
  const subscriptions = new Map<string, Subscription>();
  const closers = new Map<string, () => Promise<void>>();
  let producer: KafkaProducer<'events'> | undefined;
  let closing = false;

  const subscriptionOf = (name: string) => {
    const found = subscriptions.get(name);
    if (!found) {
      throw new Error(`the subscription ${name} was not declared`);
    }
    return found;
  };
  const groupFor = ({name, topic, from = 'now'}: Subscription) => ({
    groupId: groupOf(name),
    topic: topicOf(topic),
    from,
  });

  const publish = async (publications: readonly Publication[]) => {
    const unknown = publications.find(({topic}) => !topics.has(topic));
    if (unknown) {
      throw new Error(`the topic ${unknown.topic} was not declared`);
    }
    producer ??= createKafkaProducer({
      settings,
      buffers: {events: {lingerMs: 1, inFlightMax: 4}},
      sendMs,
      onError,
      ...(logger ? {logger} : {}),
    });
    await producer.send(
      publications.map(({topic, json, key, org}) => ({
        topic: topicOf(topic),
        ...recordOf(json, key ?? org ?? null),
      })),
      'events',
    );
  };

  /** Until it succeeds, or the broker is closed: an outcome that is not stored means that a delivery is repeated. */
  const persist = async (work: () => Promise<void>): Promise<boolean> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await work();
        return true;
      } catch (error) {
        onError(error as Error);
        if (closing) {
          return false;
        }
        await new Promise(resolve => setTimeout(resolve, storeRetryMs * Math.min(attempt, 10)));
      }
    }
  };

  const storeOf =
    (topic: string) =>
    async (messages: readonly Message[], outcomes: readonly Outcome[]): Promise<boolean> => {
      const {letters, replies} = sortOutcomes(topic, messages, outcomes);
      return await persist(async () => {
        if (letters.length > 0) {
          await keepDeadLetters(letters);
        }
        if (replies.length > 0) {
          await publish(replies);
        }
      });
    };

  const start = (subscription: Subscription, consumer: Consumer) => {
    const {name, topic} = subscription;
    const {groupId, topic: kafkaTopic} = groupFor(subscription);
    const idOf = (partition: number, offset: number) => `${kafkaTopic}/${partition}/${offset}`;
    const letterOf = (partition: number, {offset, json, reason}: BadRecord): DeadLetter => ({
      message: messageOf({id: idOf(partition, offset), subscription: name, attempt: 1, json}),
      topic,
      reason,
      destination: name,
    });
    const dispatch = createDispatch({
      consumer,
      expireMs,
      windowMax,
      windowBytes,
      onError,
      take: record => takeRecord(record, subscription),
      messageOf: (partition: number, {offset, attempt, json, event}: Entry) => ({
        id: idOf(partition, offset),
        subscription: name,
        attempt,
        json,
        event,
      }),
      store: storeOf(topic),
      storeBad: (partition, record) =>
        persist(() => keepDeadLetters([letterOf(partition, record)])),
      onExpired: () => member.rejoin(new Error(`a handler of ${name} was given up`)),
    });
    const member = runConsumer({
      connect,
      groupId,
      topic: kafkaTopic,
      dispatch,
      onError,
      async beforeJoin() {
        if (soleClient) {
          await dismissMembers({connect, groupId, clientId: settings.clientId});
        }
      },
      times: {...consumerTimes, ...times},
    });
    return async () => {
      await dispatch.stop();
      await member.stop();
    };
  };

  return {
    abilities: kafkaAbilities,
    async declare(wanted) {
      const named = [...wanted.subscriptions.map(({topic}) => topic), ...(wanted.topics ?? [])];
      await groups.createTopics([...new Set(named.map(topicOf))]);
      await Promise.all(wanted.subscriptions.map(one => groups.beginGroup(groupFor(one))));
      for (const topic of named) {
        topics.add(topic);
      }
      for (const subscription of wanted.subscriptions) {
        subscriptions.set(subscription.name, subscription);
      }
    },
    publish: publications => publish(publications),
    subscribe(name, consumer) {
      if (closers.has(name)) {
        throw new Error(`expected ${name} to be subscribed to once`);
      }
      closers.set(name, start(subscriptionOf(name), consumer));
    },
    async pending() {
      const counts = await Promise.all(
        [...subscriptions.values()].map(
          async one => [one.name, await groups.lagOf(groupFor(one))] as const,
        ),
      );
      return new Map(counts);
    },
    async close() {
      closing = true;
      await Promise.all([...closers.values()].map(close => close()));
      await Promise.all([producer?.close(), groups.close()]);
    },
  };
};
