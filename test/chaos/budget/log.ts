/**
Log: all of `sluice.usage`, read from its first event to its last, in the order in which a debit reads it.

In: the brokers. Out: events with the broker's own instant of each. One organisation is one partition, so the order is one order.
How far the groups are behind is asked of Kafka too.
*/
import {randomBytes} from 'node:crypto';
import {setTimeout as wait} from 'node:timers/promises';
import {Kafka, logLevel} from 'kafkajs';
import {usageTopic} from '../../../events/kafka/log.ts';
import {mendKafkajs} from '../../../events/kafka/mend.ts';

export type BudgetOf = Readonly<{
  budget: string;
  window: string;
  lease: string;
  unit: string;
  hold: number;
  amount?: number;
}>;

export type LogEvent = Readonly<{
  partition: number;
  offset: number;
  /** The broker's clock, when it was appended. */
  atMs: number;
  id: string;
  type: string;
  /** By the clock of who made it. */
  timeMs: number;
  data: Readonly<{
    request: string;
    lease: string;
    dueBefore: string;
    deadline: string;
    startedAt: string;
    budgets: readonly BudgetOf[];
  }>;
}>;

export const kafkaAt = async (brokers: readonly string[]) => {
  await mendKafkajs();
  return new Kafka({brokers: [...brokers], clientId: 'storm', logLevel: logLevel.NOTHING});
};

export const readLog = async (brokers: readonly string[]): Promise<LogEvent[]> => {
  const kafka = await kafkaAt(brokers);
  const admin = kafka.admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(usageTopic);
  await admin.disconnect();
  const left = new Map(
    offsets
      .filter(({high, low}) => Number(high) > Number(low))
      .map(({partition, high}) => [partition, Number(high)]),
  );
  const events: LogEvent[] = [];
  const consumer = kafka.consumer({groupId: `storm-${randomBytes(6).toString('hex')}`});
  await consumer.connect();
  await consumer.subscribe({topic: usageTopic, fromBeginning: true});
  await consumer.run({
    eachBatch: async ({batch, resolveOffset}) => {
      for (const message of batch.messages) {
        const event = JSON.parse(message.value?.toString('utf8') ?? '{}');
        events.push({
          partition: batch.partition,
          offset: Number(message.offset),
          atMs: Number(message.timestamp),
          id: event.id,
          type: event.type,
          timeMs: Date.parse(event.time),
          data: event.data,
        });
        resolveOffset(message.offset);
        if (Number(message.offset) + 1 >= (left.get(batch.partition) ?? 0)) {
          left.delete(batch.partition);
        }
      }
    },
  });
  const end = performance.now() + 60_000;
  while (left.size > 0) {
    if (performance.now() > end) {
      throw new Error('the log could not be read to its end');
    }
    await wait(20);
  }
  await consumer.disconnect();
  return events;
};

/** Events that a group has not handled yet. */
export const lagOf = async (brokers: readonly string[], groups: readonly string[]) => {
  const admin = (await kafkaAt(brokers)).admin();
  await admin.connect();
  try {
    const ends = await admin.fetchTopicOffsets(usageTopic);
    let lag = 0;
    for (const groupId of groups) {
      const [committed] = await admin.fetchOffsets({groupId, topics: [usageTopic]});
      for (const {partition, high} of ends) {
        const own = committed?.partitions.find(one => one.partition === partition)?.offset ?? '-1';
        lag += Number(high) - Math.max(Number(own), 0);
      }
    }
    return lag;
  } finally {
    await admin.disconnect();
  }
};

/** How far a group has read, by partition; undefined while Kafka does not say. */
export const committedOf = async (
  brokers: readonly string[],
  groups: readonly string[],
): Promise<Map<number, number> | undefined> => {
  const admin = (await kafkaAt(brokers)).admin();
  try {
    await admin.connect();
    const least = new Map<number, number>();
    for (const groupId of groups) {
      const [committed] = await admin.fetchOffsets({groupId, topics: [usageTopic]});
      for (const {partition, offset} of committed?.partitions ?? []) {
        const own = Math.max(Number(offset), 0);
        least.set(partition, Math.min(own, least.get(partition) ?? own));
      }
    }
    return least;
  } catch {
    return undefined;
  } finally {
    await admin.disconnect().catch(() => {});
  }
};

/** The instant of the first event that is not before these offsets; undefined: there is none. */
export const instantAt = (log: readonly LogEvent[], committed: ReadonlyMap<number, number>) =>
  log.find(({partition, offset}) => offset >= (committed.get(partition) ?? 0))?.atMs;
