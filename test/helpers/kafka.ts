/**
Kafka: topics of a test's own on the broker that `test/run.ts` has started, or a broker of the test's own that it may kill.

In: the test. Out: brokers. A test's topics and groups begin with its prefix; its topics are deleted when it ends.
*/
import {randomBytes} from 'node:crypto';
import type {ExecutionContext} from 'ava';
import {type Admin, Kafka, logLevel} from 'kafkajs';
import {type KafkaServer, startKafkaServer} from '../runner/kafka.ts';
import {eventually} from './eventually.ts';

export const environmentName = 'SLUICE_TEST_KAFKA';

export type TestKafka = Readonly<{
  brokers: string[];
  /** Of every topic and consumer group: nobody else's begins so. */
  prefix: string;
  /** The name as this test's own. */
  topic(name: string): string;
  /** Makes a topic by the whole name; done when each of its partitions has a leader. */
  createTopic(name: string, options?: {partitions?: number}): Promise<void>;
}>;

/** An own broker that was killed is let in again after this long. */
const ownSessionTimeoutMs = 2_000;

export const testKafka = (t: Pick<ExecutionContext, 'teardown'>): TestKafka => {
  const text = process.env[environmentName];
  if (!text) {
    throw new Error(
      `${environmentName} is not set: run this test by \`npm run test:only -- FILE\`, which starts Kafka`,
    );
  }
  const {brokers} = JSON.parse(text) as {brokers: string[]};
  const prefix = `test-${randomBytes(8).toString('hex')}-`;
  t.teardown(() =>
    administrate(brokers, async admin => {
      const topics = (await admin.listTopics()).filter(topic => topic.startsWith(prefix));
      if (topics.length > 0) {
        await admin.deleteTopics({topics});
      }
    }),
  );
  return {
    brokers,
    prefix,
    topic: name => `${prefix}${name}`,
    createTopic: (name, options) => createTopic(brokers, name, options),
  };
};

/** Started; ended with the test. For tests that stop or kill it, or that need names of topics that are not theirs to choose. */
export const startKafka = async (
  t: Pick<ExecutionContext, 'teardown'>,
): Promise<KafkaServer & Pick<TestKafka, 'createTopic'>> => {
  const server = await startKafkaServer({sessionTimeoutMs: ownSessionTimeoutMs});
  t.teardown(server.remove);
  return {
    ...server,
    createTopic: (name, options) => createTopic(server.brokers, name, options),
  };
};

const createTopic = (
  brokers: string[],
  topic: string,
  {partitions = 1}: {partitions?: number} = {},
) =>
  administrate(brokers, async admin => {
    await admin.createTopics({topics: [{topic, numPartitions: partitions}], waitForLeaders: false});
    // kafkajs's own waiting counts its tries, and a busy machine takes longer than they last.
    await eventually(
      async () => {
        const {topics} = await admin.fetchTopicMetadata({topics: [topic]});
        const led = topics[0]?.partitions.filter(({leader}) => leader >= 0).length;
        if (led !== partitions) {
          throw new Error(`${led ?? 0} of ${partitions} partitions of ${topic} have a leader`);
        }
      },
      {timeoutMs: 30_000},
    );
  });

const administrate = async (brokers: string[], work: (admin: Admin) => Promise<void>) => {
  const admin = new Kafka({brokers, logLevel: logLevel.NOTHING}).admin();
  await admin.connect();
  try {
    await work(admin);
  } finally {
    await admin.disconnect();
  }
};
