/**
Producer: records to Kafka, gathered, acknowledged by all replicas in sync, each within a deadline of our own.

In: records and the name of a buffer: what may linger longer never holds up what may not. Out: a promise that is kept when they
are durable; broken with `unavailable` when that is not known by the deadline. Connects by itself, at first and again, in the
background: its maker never waits for Kafka. A link on which a request failed or hung is cut and another one made: kafkajs
mends most of its own connections, and not all.
*/
import type {Message, Producer} from 'kafkajs';
import {SluiceError} from '../errors.ts';
import type {Logger} from '../telemetry.ts';
import {type ConnectKafka, connectKafka, type KafkaConnection, within} from './connect.ts';
import {partitionByKey} from './partitioner.ts';
import {
  type BufferLimits,
  createSendBuffer,
  type Outgoing,
  type SendBuffer,
} from './send-buffer.ts';
import type {KafkaSettings} from './settings.ts';

const leaveMs = 1_000;

type Link = KafkaConnection & Readonly<{producer: Producer}>;

export type KafkaProducer<Name extends string = string> = Readonly<{
  send(records: readonly Outgoing[], buffer: Name): Promise<void>;
  /** Rejects when Kafka does not answer for the topic. Sends nothing. */
  check(topic: string): Promise<void>;
  /** Records not yet acknowledged. */
  waiting(): number;
  /** Sends what waits; ends within a deadline. */
  close(): Promise<void>;
}>;

/** Intents: a client waits. Results: nobody does. */
export const usageBuffers = {
  intents: {lingerMs: 2},
  results: {lingerMs: 25},
} as const satisfies Record<string, BufferLimits>;

export const createKafkaProducer = <Name extends string>({
  settings,
  buffers,
  logger,
  onError = () => {},
  sendMs = 2_000,
  giveUpMs = 5_000,
  connect = () => connectKafka(settings, {logger, requestMs: giveUpMs}),
}: {
  settings: KafkaSettings;
  buffers: Readonly<Record<Name, BufferLimits>>;
  logger?: Logger;
  onError?: (error: Error) => void;
  sendMs?: number;
  /** After this a request that hangs is ended with its link. More than `sendMs`: a late success costs nothing. */
  giveUpMs?: number;
  connect?: ConnectKafka;
}): KafkaProducer<Name> => {
  let link: Promise<Link> | undefined;
  let closed = false;

  const open = async (): Promise<Link> => {
    const connection = await connect();
    const {Partitioners} = await import('kafkajs');
    const producer = connection.kafka.producer({
      allowAutoTopicCreation: false,
      // The one that other clients have too; said, because kafkajs warns of those who say nothing.
      createPartitioner: partitionByKey(Partitioners.DefaultPartitioner),
      retry: {initialRetryTime: 50, maxRetryTime: 500, factor: 0.2, multiplier: 2, retries: 2},
    });
    try {
      await within(producer.connect(), giveUpMs, 'connecting to Kafka');
    } catch (error) {
      connection.cut();
      throw error;
    }
    return {...connection, producer};
  };

  const current = (): Promise<Link> => {
    if (!link) {
      const opening = open();
      link = opening;
      opening.catch(() => drop(opening));
    }
    return link;
  };

  const drop = (old: Promise<Link>) => {
    if (link === old) {
      link = undefined;
    }
    old.then(disconnect).catch(() => {});
  };

  const sendOn = async (mine: Promise<Link>, records: readonly Outgoing[]) => {
    const {producer} = await mine;
    const byTopic = Map.groupBy(records, ({topic}) => topic);
    await within(
      producer.sendBatch({
        acks: -1,
        timeout: sendMs,
        topicMessages: [...byTopic].map(([topic, some]) => ({
          topic,
          // As they are: of kafkajs's encoders none writes into them.
          messages: some as unknown as Message[],
        })),
      }),
      giveUpMs,
      'a request to Kafka',
    );
  };

  /** Once more on a fresh link where an old one failed: it may have been closed long ago, unnoticed. */
  const transmit = async (records: readonly Outgoing[]) => {
    const isFresh = link === undefined;
    const first = current();
    try {
      await sendOn(first, records);
    } catch (error) {
      if (isRefusal(error)) {
        throw error;
      }
      drop(first);
      onError(error as Error);
      if (isFresh || closed) {
        throw error;
      }
      const second = current();
      await sendOn(second, records).catch(again => {
        drop(second);
        throw again;
      });
    }
  };

  const created = Object.fromEntries(
    Object.entries<BufferLimits>(buffers).map(([name, limits]) => [
      name,
      createSendBuffer({...limits, transmit, sendMs}),
    ]),
  ) as Record<Name, SendBuffer>;
  const all = Object.values<SendBuffer>(created);
  current().catch(onError);

  return {
    send: (records, buffer) => created[buffer].send(records),
    async check(topic) {
      const connection = await connect();
      const admin = connection.kafka.admin();
      try {
        await within(admin.connect(), sendMs, 'connecting to Kafka');
        await within(admin.fetchTopicMetadata({topics: [topic]}), sendMs, 'asking Kafka');
      } catch (error) {
        throw new SluiceError('unavailable', 'Kafka is away', {cause: error});
      } finally {
        await within(admin.disconnect(), sendMs, 'leaving Kafka').catch(() => {});
        connection.cut();
      }
    },
    waiting: () => all.reduce((sum, buffer) => sum + buffer.waiting(), 0),
    async close() {
      closed = true;
      await Promise.all(all.map(buffer => buffer.close()));
      const last = link;
      link = undefined;
      // One that is still being made is not waited for long, and cut when it is there.
      const left = last?.then(disconnect) ?? Promise.resolve();
      await within(left, leaveMs, 'leaving Kafka').catch(() => {});
    },
  };
};

const disconnect = async ({producer, cut}: Link) => {
  await within(producer.disconnect(), leaveMs, 'leaving Kafka').catch(() => {});
  cut();
};

/** Kafka answered, and would answer the same again: the link is sound. */
const isRefusal = (error: unknown) => {
  const {name, type, retriable} = ((error as {cause?: unknown}).cause ?? error) as {
    name?: string;
    type?: string;
    retriable?: boolean;
  };
  return name === 'KafkaJSProtocolError' && retriable === false && type !== undefined;
};
