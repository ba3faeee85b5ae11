/**
Tail Kafka: reads topics from now on, or from a time on, as nobody that counts: a consumer group of its own that commits nothing and is
removed when it ends.

In: settings, topics, an instant, a signal. Out: each record's event, as it comes; what is no event is counted. Who comes later than
Kafka's retention sees what is left.
*/
import {randomUUID} from 'node:crypto';
import type {Admin, Consumer} from 'kafkajs';
import {readKafkaRecord} from '../../../../events/codec.ts';
import type {Event} from '../../../../events/event.ts';
import {connectKafka, within} from '../../../../events/kafka/connect.ts';
import type {KafkaSettings} from '../../../../events/kafka/settings.ts';
import {Failure} from '../shell/failure.ts';

type Tail = Readonly<{
  topics: readonly string[];
  /** Undefined: from now on. */
  fromMs: number | undefined;
  onEvent: (event: Event) => void;
  onUnreadable: () => void;
  /** The group has its partitions: what is sent from now on is seen. */
  onReady?: () => void;
  signal: AbortSignal;
}>;

const leaveMs = 5_000;

export const tailKafka = async (settings: KafkaSettings, tail: Tail): Promise<void> => {
  const groupId = `sluice-tail-${randomUUID()}`;
  const {kafka, cut} = await connectKafka(settings, {connectMs: 5_000, requestMs: 30_000});
  const admin = kafka.admin();
  const consumer = kafka.consumer({groupId, allowAutoTopicCreation: false});
  try {
    await admin.connect();
    const offsets = await startsOf(admin, tail);
    await read(consumer, offsets, tail);
  } catch (error) {
    if (error instanceof Failure) {
      throw error;
    }
    throw new Failure('unreachable', `Kafka: ${(error as Error).message}`, error);
  } finally {
    await within(consumer.disconnect(), leaveMs, 'leaving Kafka').catch(() => {});
    // Without a commit Kafka forgets it by itself, some time.
    await within(admin.deleteGroups([groupId]), leaveMs, 'removing the group').catch(() => {});
    await within(admin.disconnect(), leaveMs, 'leaving Kafka').catch(() => {});
    cut();
  }
};

type Start = Readonly<{topic: string; partition: number; offset: string}>;

/** Said for each partition: a group without commits would begin anew wherever it is when a member comes or goes. */
const startsOf = async (admin: Admin, {topics, fromMs}: Tail): Promise<Start[]> => {
  const known = await admin.listTopics();
  const missing = topics.find(topic => !known.includes(topic));
  if (missing !== undefined) {
    throw new Failure(
      'notFound',
      `there is no topic ${missing}; there are ${known.sort().join(', ')}`,
    );
  }
  const starts: Start[] = [];
  for (const topic of topics) {
    const ends = await admin.fetchTopicOffsets(topic);
    const since =
      fromMs === undefined ? ends : await admin.fetchTopicOffsetsByTimestamp(topic, fromMs);
    starts.push(...since.map(({partition, offset}) => ({topic, partition, offset})));
  }
  return starts;
};

/** A seek while a fetch is on its way lets kafkajs read the same again. */
const createOrder = (starts: readonly Start[]) => {
  const next = new Map(
    starts.map(({topic, partition, offset}) => [`${topic}/${partition}`, BigInt(offset)]),
  );
  return (place: string, offset: bigint): boolean => {
    const isNext = offset >= (next.get(place) ?? 0n);
    if (isNext) {
      next.set(place, offset + 1n);
    }
    return isNext;
  };
};

const read = async (consumer: Consumer, starts: readonly Start[], tail: Tail) => {
  const {topics, onEvent, onUnreadable, onReady, signal} = tail;
  const isNext = createOrder(starts);
  const ended = new Promise<void>(resolve => {
    signal.addEventListener('abort', () => resolve(), {once: true});
    if (signal.aborted) {
      resolve();
    }
  });
  const crashed = new Promise<never>((_resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({payload}) => {
      if (!payload.restart) {
        reject(payload.error);
      }
    });
  });
  crashed.catch(() => {});
  await consumer.connect();
  await consumer.subscribe({topics: [...topics], fromBeginning: false});
  consumer.on(consumer.events.GROUP_JOIN, () => onReady?.());
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({topic, partition, message}) => {
      if (signal.aborted || !isNext(`${topic}/${partition}`, BigInt(message.offset))) {
        return;
      }
      try {
        onEvent(readKafkaRecord(message as Parameters<typeof readKafkaRecord>[0]));
      } catch {
        onUnreadable();
      }
    },
  });
  for (const start of starts) {
    consumer.seek(start);
  }
  await Promise.race([ended, crashed]);
};
