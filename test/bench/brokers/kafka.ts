/**
Kafka: our broker beside kafkajs: `sendBatch` with acks of all, `eachBatch`, which commits after each fetch of a partition.

Both have the same number of partitions and the organisation as key. For batches of one the raw client sends single messages,
gathers nothing, and takes them by `eachMessage`.
*/
import {type Consumer, Kafka, logLevel, Partitioners} from 'kafkajs';
import {createKafkaBroker} from '../../../events/brokers/kafka/broker.ts';
import {type Contender, parsed, type Started, startOurs} from './contender.ts';

const partitions = 24;

const ours =
  (brokers: string[]) =>
  async (started: Started): Promise<Contender> => {
    const name = `ours-${started.load.batch}`;
    const broker = createKafkaBroker({
      settings: {brokers, clientId: 'ours'},
      topicOf: () => name,
      groupOf: () => name,
      partitions,
      keepDeadLetters: async () => {},
      onError: error => console.error(error),
    });
    return {...(await startOurs(broker, started)), async clean() {}};
  };

const raw =
  (brokers: string[]) =>
  async ({load: {batch, concurrency}, onEvent}: Started): Promise<Contender> => {
    const topic = `raw-${batch}`;
    const kafka = new Kafka({brokers, clientId: 'raw', logLevel: logLevel.NOTHING});
    const admin = kafka.admin();
    await admin.connect();
    await admin
      .createTopics({
        topics: [{topic, numPartitions: partitions, replicationFactor: 1}],
        waitForLeaders: true,
      })
      .finally(() => admin.disconnect());
    const producer = kafka.producer({createPartitioner: Partitioners.DefaultPartitioner});
    const consumer = kafka.consumer({groupId: topic, maxWaitTimeInMs: 250});
    await Promise.all([producer.connect(), consumer.connect()]);
    await consumer.subscribe({topic, fromBeginning: true});
    const joined = new Promise(resolve => consumer.on('consumer.group_join', resolve));
    const read = (value: Buffer | null) => onEvent(parsed(String(value)));
    const common = {partitionsConsumedConcurrently: concurrency};
    await (batch === 1
      ? consumer.run({...common, eachMessage: async ({message}) => read(message.value)})
      : consumer.run({...common, eachBatch: eachBatchWith(read)}));
    await joined;
    return {
      async publish(events) {
        const messages = events.map(event => ({
          key: event.orgid as string,
          value: JSON.stringify(event),
        }));
        await (batch === 1
          ? producer.send({topic, acks: -1, messages})
          : producer.sendBatch({acks: -1, topicMessages: [{topic, messages}]}));
      },
      async clean() {},
      async close() {
        await Promise.all([producer.disconnect(), consumer.disconnect()]);
      },
    };
  };

type EachBatch = NonNullable<NonNullable<Parameters<Consumer['run']>[0]>['eachBatch']>;

const eachBatchWith =
  (read: (value: Buffer | null) => void): EachBatch =>
  async ({batch, resolveOffset}) => {
    for (const {value} of batch.messages) {
      read(value);
    }
    resolveOffset(batch.lastOffset());
  };

export const kafkaContenders = (brokers: string[]) => ({
  ours: ours(brokers),
  kafkajs: raw(brokers),
});
