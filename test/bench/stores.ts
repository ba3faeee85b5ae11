/**
Stores: what the gateway leans on, each a server of its own: PostgreSQL, Redis for limits, Kafka for the log, a sink for traces.

In: a folder. Out: the environment of a gateway that uses them all, and the CPU time of each.
*/
import {Kafka, logLevel} from 'kafkajs';
import pg from 'pg';
import {eventually} from '../helpers/eventually.ts';
import {startKafkaServer} from '../runner/kafka.ts';
import {startRedisServer} from '../runner/redis.ts';
import {startChild} from './child.ts';
import {cpuMsOf} from './cpu.ts';
import {startDatabase} from './database.ts';
import type {Stack} from './stack.ts';

export type StoreName = 'postgres' | 'redis' | 'kafka';
export type Stores = Readonly<{
  /** A superuser's. */
  database: pg.Client;
  environment: Readonly<Record<string, string>>;
  cpuMs: Readonly<Record<StoreName, () => number>>;
  /** Spans and bytes that the sink was given. */
  traces(): Promise<Readonly<{requests: number; bytes: number}>>;
}>;

const topic = 'sluice.usage';
const partitions = 24;
const sampledShare = 0.01;

const createTopic = async (brokers: string[]) => {
  const admin = new Kafka({brokers, logLevel: logLevel.NOTHING}).admin();
  await admin.connect();
  try {
    await admin.createTopics({
      topics: [{topic, numPartitions: partitions}],
      waitForLeaders: false,
    });
    // kafkajs's own waiting counts its tries, and a busy machine takes longer than they last.
    await eventually(
      async () => {
        const {topics} = await admin.fetchTopicMetadata({topics: [topic]});
        const led = topics[0]?.partitions.filter(({leader}) => leader >= 0).length ?? 0;
        if (led < partitions) {
          throw new Error(`${led} of ${partitions} partitions have a leader`);
        }
      },
      {timeoutMs: 30_000},
    );
  } finally {
    await admin.disconnect();
  }
};

export const startStores = async (
  stack: Stack,
  {folder, say}: {folder: string; say: (line: string) => void},
): Promise<Stores> => {
  const postgres = await stack.add(startDatabase(folder));
  const database = new pg.Client({connectionString: postgres.superuserUrl});
  await database.connect();
  stack.onStop(() => database.end());
  const kafka = await startKafkaServer({log: say});
  stack.onStop(kafka.remove);
  await createTopic(kafka.brokers);
  const redis = await startRedisServer({log: say});
  stack.onStop(redis.remove);
  const sink = await stack.add(startChild({program: 'test/bench/sink.ts'}));
  return {
    database,
    environment: {
      DATABASE_URL: postgres.gatewayUrl,
      KAFKA_BROKERS: kafka.brokers.join(','),
      REDIS_URL: redis.url,
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: String(sampledShare),
    },
    cpuMs: {
      postgres: postgres.cpuMs,
      redis: () => cpuMsOf(redis.pid()),
      kafka: () => cpuMsOf(kafka.pid()),
    },
    async traces() {
      const answer = await fetch(sink.url);
      return (await answer.json()) as {requests: number; bytes: number};
    },
  };
};
