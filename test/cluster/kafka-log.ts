/**
Kafka log: the Kafka of an installation, with the topics that an operator makes before the first start.

In: `SLUICE_TEST_KAFKA_BROKERS`: addresses as pods name them, or `own` for one that runs on this machine, which several installations
on one cluster need, because groups and topics have fixed names. Out: its brokers, and an end that takes away the topics it made.
*/
import type {Admin} from 'kafkajs';
import type {Installing} from '../runner/install.ts';
import {startKafkaServer} from '../runner/kafka.ts';
import {openKafka} from './kafka-client.ts';
import type {Kubectl} from './kubectl.ts';

export type KafkaLog = Readonly<{brokers: string; stop(): Promise<void>}>;

const clusterBrokers = 'kafka.kafka.svc.cluster.local:9092';
const topics = [
  {topic: 'sluice.usage', numPartitions: 24},
  {topic: 'usage.records.v1', numPartitions: 3},
];

const administrate = async <Result>(
  kubectl: Kubectl,
  brokers: string,
  work: (admin: Admin) => Promise<Result>,
): Promise<Result> => {
  const admin = (await openKafka(kubectl, brokers)).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
};

export const startKafkaLog = async (
  {kubectl, host}: {kubectl: Kubectl; host: string},
  installing: Installing = {},
): Promise<KafkaLog> => {
  const given = process.env.SLUICE_TEST_KAFKA_BROKERS ?? clusterBrokers;
  const own = given === 'own' ? await startKafkaServer({host, ...installing}) : undefined;
  const brokers = own?.brokers.join(',') ?? given;
  try {
    const made = await administrate(kubectl, brokers, async admin => {
      const known = await admin.listTopics();
      const missing = topics.filter(({topic}) => !known.includes(topic));
      await admin.createTopics({topics: missing, waitForLeaders: false});
      return missing.map(({topic}) => topic);
    });
    return {
      brokers,
      async stop() {
        if (own) {
          await own.remove();
        } else if (made.length > 0) {
          await administrate(kubectl, brokers, admin => admin.deleteTopics({topics: made}));
        }
      },
    };
  } catch (error) {
    await own?.remove();
    throw error;
  }
};
