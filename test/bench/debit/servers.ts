/**
Servers: PostgreSQL and Kafka of one run of the bench, and a file for what the processes log.

Out: both, a client for topics, and the end of all.
*/
import {closeSync, openSync} from 'node:fs';
import {type KafkaServer, startKafkaServer} from '../../runner/kafka.ts';
import {type Databases, startDatabases} from './databases.ts';
import {createTopics, type Topics} from './topics.ts';

export type Servers = Readonly<{
  databases: Databases;
  kafka: KafkaServer;
  topics: Topics;
  /** A file's descriptor. */
  log: number;
  nextName(): string;
  stop(): Promise<void>;
}>;

export const startServers = async (
  say: (line: string) => void,
  logFile = '/dev/null',
): Promise<Servers> => {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const next of stops.reverse()) {
      await next().catch(error => say(String(error)));
    }
  };
  try {
    const databases = await startDatabases();
    stops.push(databases.stop);
    const kafka = await startKafkaServer({log: say});
    stops.push(kafka.remove);
    const topics = await createTopics(kafka.brokers);
    stops.push(topics.stop);
    const log = openSync(logFile, 'a');
    stops.push(async () => closeSync(log));
    let made = 0;
    return {
      databases,
      kafka,
      topics,
      log,
      nextName() {
        made += 1;
        return `bench_${made}`;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
};
