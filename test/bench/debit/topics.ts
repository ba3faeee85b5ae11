/**
Topics: the log of a run, made and filled before anybody reads it.

In: Kafka's address, a name, events. Out: a topic of 24 partitions in which every event is acknowledged; its end. Each has a
producer of its own: one that has written to a topic that is gone asks for it for ever.
*/
import {type Admin, Kafka, logLevel} from 'kafkajs';
import {toKafkaRecord} from '../../../events/codec.ts';
import type {Event} from '../../../events/event.ts';
import {partitionByKey} from '../../../events/kafka/partitioner.ts';
import {eventually} from '../../helpers/eventually.ts';
import {partitions} from './batches.ts';

export type Topic = Readonly<{
  name: string;
  send(events: readonly Event[]): Promise<unknown>;
  fill(events: Iterable<Event>): Promise<void>;
  /** Deletes the records that all of these groups have read. */
  trim(groups: readonly string[]): Promise<void>;
  remove(): Promise<void>;
}>;

/** A partition takes no more than 1 MiB at once, and all of these may be of one. */
const perSend = 500;
/** kafkajs's own waiting counts its tries, and a busy machine takes longer than they last. */
const waiting = {timeoutMs: 30_000};

const configEntries = [
  // Small files: the soak deletes what was read, and only whole files go away.
  {name: 'segment.bytes', value: String(16 * 1024 * 1024)},
];

export const createTopics = async (brokers: string[]) => {
  const kafka = new Kafka({brokers, clientId: 'bench', logLevel: logLevel.NOTHING});
  const admin = kafka.admin();
  await admin.connect();
  return {
    async create(name: string): Promise<Topic> {
      await createTopic(admin, name);
      const producer = kafka.producer({
        allowAutoTopicCreation: false,
        // Else what kafkajs sends again on a busy machine is in the log twice.
        idempotent: true,
        maxInFlightRequests: 1,
        createPartitioner: partitionByKey(() => () => 0),
      });
      await producer.connect();
      const send = (events: readonly Event[]) =>
        producer.send({topic: name, messages: events.map(toKafkaRecord), acks: -1});
      // Whoever leads a partition may learn of it a moment later.
      await eventually(() => send([]), waiting);
      return {
        name,
        send,
        async fill(events) {
          let some: Event[] = [];
          for (const event of events) {
            some.push(event);
            if (some.length === perSend) {
              await send(some);
              some = [];
            }
          }
          if (some.length > 0) {
            await send(some);
          }
        },
        trim: groups => trim(admin, name, groups),
        async remove() {
          await producer.disconnect();
          await admin.deleteTopics({topics: [name]});
        },
      };
    },
    stop: () => admin.disconnect(),
  };
};

export type Topics = Awaited<ReturnType<typeof createTopics>>;

const createTopic = async (admin: Admin, topic: string) => {
  await admin.createTopics({
    waitForLeaders: false,
    topics: [{topic, numPartitions: partitions, configEntries}],
  });
  await eventually(async () => {
    const {topics} = await admin.fetchTopicMetadata({topics: [topic]});
    const led = topics[0]?.partitions.filter(({leader}) => leader >= 0).length;
    if (led !== partitions) {
      throw new Error(`${led ?? 0} of ${partitions} partitions of ${topic} have a leader`);
    }
  }, waiting);
};

const trim = async (admin: Admin, topic: string, groups: readonly string[]) => {
  const read = await Promise.all(
    groups.map(async groupId => {
      const [offsets] = await admin.fetchOffsets({groupId, topics: [topic]});
      return new Map(offsets?.partitions.map(({partition, offset}) => [partition, offset]));
    }),
  );
  await admin.deleteTopicRecords({
    topic,
    partitions: Array.from({length: partitions}, (_, partition) => ({
      partition,
      offset: String(
        Math.max(0, Math.min(...read.map(offsets => Number(offsets.get(partition) ?? 0)))),
      ),
    })),
  });
};
