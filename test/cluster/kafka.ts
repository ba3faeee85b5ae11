/**
Kafka: a topic of a test's own in the Kafka of the installation.

In: an installation. Out: the topic's name, how to append to it, and how far a group is behind.
*/
import {randomBytes} from 'node:crypto';
import type {ExecutionContext} from 'ava';
import {toStructured} from '../../events/codec.ts';
import type {Event} from '../../events/event.ts';
import {eventually} from '../helpers/eventually.ts';
import type {Installation} from '../helpers/installation.ts';
import {openKafka} from './kafka-client.ts';

export type Topic = Readonly<{
  name: string;
  send(records: readonly Readonly<{key: string; event: Event}>[]): Promise<void>;
  /** Records that a group has not acknowledged. */
  lag(group: string): Promise<number>;
}>;

export const openTopic = async (
  t: ExecutionContext,
  installation: Installation,
  {partitions}: {partitions: number},
): Promise<Topic> => {
  const kafka = await openKafka(installation.cluster, installation.kafkaBrokers);
  const [admin, producer] = [kafka.admin(), kafka.producer()];
  const name = `test.${randomBytes(6).toString('hex')}`;
  await admin.connect();
  t.teardown(async () => {
    await admin.deleteTopics({topics: [name]}).catch(() => {});
    await Promise.all([admin.disconnect(), producer.disconnect()]);
  });
  await admin.createTopics({
    topics: [{topic: name, numPartitions: partitions}],
    waitForLeaders: false,
  });
  await producer.connect();
  return {
    name,
    async send(records) {
      const messages = records.map(({key, event}) => {
        const {headers, body} = toStructured(event);
        return {key, value: Buffer.from(body), headers};
      });
      // A new topic has no leader for a moment.
      await eventually(() => producer.send({topic: name, messages}), {
        timeoutMs: 300_000,
        intervalMs: 250,
      });
    },
    async lag(group) {
      const [ends, [read]] = await Promise.all([
        admin.fetchTopicOffsets(name),
        admin.fetchOffsets({groupId: group, topics: [name]}),
      ]);
      return ends.reduce((sum, {partition, offset}) => {
        const at = read?.partitions.find(one => one.partition === partition)?.offset;
        return sum + Number(offset) - Math.max(0, Number(at ?? 0));
      }, 0);
    },
  };
};
