/**
Groups: topics and where groups begin, made when they are missing; how far behind a group is.

In: names. Out: each topic is there, each group has a committed offset in every partition, so that a crash before its first
commit loses nothing. Topics and offsets that are there are left as they are.
*/
import type {Admin} from 'kafkajs';
import {type ConnectKafka, type KafkaConnection, within} from '../../kafka/connect.ts';

export type Group = Readonly<{groupId: string; topic: string; from: 'now' | 'start'}>;
type Opened = KafkaConnection & Readonly<{admin: Admin}>;
type Offset = Readonly<{partition: number; offset: string}>;

const againMs = 100;
/** Events are up to 10 MiB, and base64 makes more of them. */
const messageBytesMax = 16 * 1024 * 1024;

const sleep = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms));

export const createGroups = ({
  connect,
  partitions,
  replication,
  retentionMs,
  timeoutMs = 30_000,
  countMs = 5_000,
}: {
  connect: ConnectKafka;
  /** Of topics that are made. */
  partitions: number;
  /** -1: what the cluster does by itself. */
  replication: number;
  retentionMs: number;
  /** For all that a declaration does. */
  timeoutMs?: number;
  /** To count what waits. */
  countMs?: number;
}) => {
  let opened: Promise<Opened> | undefined;
  let closed = false;

  const open = async (): Promise<Opened> => {
    const connection = await connect();
    const admin = connection.kafka.admin();
    await admin.connect().catch(error => {
      connection.cut();
      throw error;
    });
    return {...connection, admin};
  };

  const leave = async (old: Promise<Opened>) => {
    const {admin, cut} = await old;
    await within(admin.disconnect(), 1_000, 'leaving Kafka').catch(() => {});
    cut();
  };

  /**
  Again until it succeeds or the time is over: a topic that was just made has leaders that do not know it yet, the first group of
  a cluster has no coordinator. A connection on which something failed is not used again: it may remember the wrong leaders.
  */
  const withAdmin = async <Result>(
    work: (admin: Admin) => Promise<Result>,
    timeoutMs: number,
  ): Promise<Result> => {
    const until = performance.now() + timeoutMs;
    for (;;) {
      opened ??= open();
      const mine = opened;
      try {
        const left = Math.max(until - performance.now(), 1);
        return await within(
          mine.then(({admin}) => work(admin)),
          left,
          'asking Kafka',
        );
      } catch (error) {
        if (opened === mine) {
          opened = undefined;
        }
        leave(mine).catch(() => {});
        if (closed || performance.now() + againMs > until) {
          throw error;
        }
      }
      await sleep(againMs);
    }
  };

  const createTopics = (topics: readonly string[]) =>
    withAdmin(async admin => {
      const there = new Set(await admin.listTopics());
      const missing = topics.filter(topic => !there.has(topic));
      if (missing.length > 0) {
        await admin.createTopics({
          waitForLeaders: false,
          topics: missing.map(topic => ({
            topic,
            numPartitions: partitions,
            replicationFactor: replication,
            configEntries: [
              {name: 'max.message.bytes', value: String(messageBytesMax)},
              {name: 'retention.ms', value: String(retentionMs)},
            ],
          })),
        });
      }
      await requireLeaders(admin, topics);
    }, timeoutMs);

  /**
  The ends are read before what is committed: where another process declares the same group meanwhile, its beginning is seen, or
  ours is not later than it. Somebody who consumes already goes on: what is new to the group it reads from the start.
  */
  const beginGroup = async ({groupId, topic, from}: Group) => {
    const until = performance.now() + timeoutMs;
    for (;;) {
      const missing = await withAdmin(async admin => {
        const bounds = await admin.fetchTopicOffsets(topic);
        const uncommitted = await findUncommitted(admin, groupId, topic);
        return bounds.flatMap(({partition, low, high}) =>
          uncommitted.has(partition) ? [{partition, offset: from === 'now' ? high : low}] : [],
        );
      }, timeoutMs);
      const isRunning =
        missing.length > 0 && (await withAdmin(admin => hasMembers(admin, groupId), timeoutMs));
      if (missing.length === 0 || (isRunning && performance.now() > until)) {
        return;
      }
      if (!isRunning) {
        try {
          await commitAsMember({connect, groupId, topic, offsets: missing, timeoutMs});
          continue;
        } catch (error) {
          if (performance.now() > until) {
            throw error;
          }
        }
      }
      await sleep(againMs);
    }
  };

  const lagOf = ({groupId, topic}: Group) =>
    withAdmin(async admin => {
      const [fetched] = await admin.fetchOffsets({groupId, topics: [topic]});
      const committed = new Map(fetched?.partitions.map(one => [one.partition, one.offset]));
      const bounds = await admin.fetchTopicOffsets(topic);
      return bounds.reduce((sum, {partition, low, high}) => {
        const from = Math.max(Number(committed.get(partition) ?? -1), Number(low));
        return sum + Math.max(Number(high) - from, 0);
      }, 0);
    }, countMs);

  return {
    createTopics,
    beginGroup,
    lagOf,
    async close() {
      closed = true;
      const last = opened;
      opened = undefined;
      await within(last ? leave(last) : Promise.resolve(), 2_000, 'leaving Kafka').catch(() => {});
    },
  };
};

const requireLeaders = async (admin: Admin, topics: readonly string[]) => {
  const {topics: found} = await admin.fetchTopicMetadata({topics: [...topics]});
  const isLed = found.every(
    ({partitions}) => partitions.length > 0 && partitions.every(({leader}) => leader >= 0),
  );
  if (!isLed) {
    throw new Error(`the topics ${topics.join(', ')} have no leaders yet`);
  }
};

const findUncommitted = async (admin: Admin, groupId: string, topic: string) => {
  const [fetched] = await admin.fetchOffsets({groupId, topics: [topic]});
  return new Set(
    fetched?.partitions.filter(({offset}) => Number(offset) < 0).map(({partition}) => partition),
  );
};

const hasMembers = async (admin: Admin, groupId: string) => {
  const {groups} = await admin.describeGroups([groupId]);
  return (groups[0]?.members.length ?? 0) > 0;
};

/** kafkajs's `setOffsets` takes five seconds, because it waits for a fetch of nothing. */
export const commitAsMember = async ({
  connect,
  groupId,
  topic,
  offsets,
  timeoutMs,
}: {
  connect: ConnectKafka;
  groupId: string;
  topic: string;
  offsets: readonly Offset[];
  timeoutMs: number;
}) => {
  const {kafka, cut} = await connect();
  const consumer = kafka.consumer({
    groupId,
    maxWaitTimeInMs: 10,
    // Should this process die here, the group is free again soon.
    sessionTimeout: 6_000,
    heartbeatInterval: 1_000,
    allowAutoTopicCreation: false,
    retry: {retries: 0, restartOnFailure: async () => false},
  });
  const begin = async () => {
    await consumer.connect();
    await consumer.subscribe({topic, fromBeginning: true});
    await consumer.run({autoCommit: false, eachBatchAutoResolve: false, eachBatch: async () => {}});
    await consumer.commitOffsets(
      offsets.map(({partition, offset}) => ({topic, partition, offset})),
    );
  };
  try {
    await within(begin(), timeoutMs, `beginning the group ${groupId}`);
  } finally {
    await within(consumer.disconnect(), 2_000, 'leaving Kafka').catch(() => {});
    cut();
  }
};
