/**
Brokers of the runner: where the events of Brokers are kept, and where logs are.

In: what there is: always PostgreSQL; Kafka and Redis where they are configured. Out: a broker for each, by the topic's kind,
under one `publish`. Hints (`broker:`) go where the person said, logs (`log:`) to Kafka where there is one: a log may need
its order, and nobody keeps it in Redis.
*/
import type pg from 'pg';
import type {Broker, KeepDeadLetters, Publication} from '../../../events/brokers/broker.ts';
import {createPostgresBroker} from '../../../events/brokers/postgres/broker.ts';
import type {KafkaSettings} from '../../../events/kafka/settings.ts';
import type {Logger} from '../../../events/telemetry.ts';

export type BrokerKind = 'postgres' | 'kafka' | 'redis';

/** What events travel by. */
export type Carriers = Readonly<{
  /** Of the Brokers. */
  kind: BrokerKind;
  kafka?: KafkaSettings | undefined;
  redisUrl?: string | undefined;
}>;

export type Brokers = Readonly<{
  of(topic: string): Broker<pg.PoolClient>;
  /** Those that are stored in PostgreSQL take part in `client`'s transaction; the others are stored when it resolves. */
  publish(publications: readonly Publication[], client?: pg.PoolClient): Promise<void>;
  /** Whether sources read logs from Kafka, by processes of their own. */
  logsAreKafka: boolean;
  pending(): Promise<ReadonlyMap<string, number>>;
  close(): Promise<void>;
}>;

/** Names as Knative's Kafka broker has them. */
const kafkaTopic = (topic: string) =>
  topic.startsWith('log:')
    ? topic.slice('log:'.length)
    : `knative-broker-${topic.slice('broker:'.length).replaceAll('/', '-')}`;
const kafkaGroup = (subscription: string) => {
  const [kind, ...rest] = subscription.split('/');
  // A source's group is what its manifest says.
  return kind === 'source' ? (rest.at(-1) as string) : `knative-trigger-${rest.join('-')}`;
};

export const openBrokers = async ({
  carriers: {kind, kafka, redisUrl},
  pool,
  keepDeadLetters,
  logger,
  onError,
}: {
  carriers: Carriers;
  /** As `sluice_system`. */
  pool: pg.Pool;
  keepDeadLetters: KeepDeadLetters;
  logger: Logger;
  onError: (error: Error) => void;
}): Promise<Brokers> => {
  // No transaction of theirs is PostgreSQL's: dead letters are stored before the event is acknowledged.
  const keepFirst = (letters: Parameters<KeepDeadLetters>[0]) => keepDeadLetters(letters);
  const opened = new Map<BrokerKind, Broker<pg.PoolClient>>();

  const open = async (wanted: BrokerKind): Promise<Broker<pg.PoolClient>> => {
    const found = opened.get(wanted);
    if (found) {
      return found;
    }
    const made = await make(wanted);
    opened.set(wanted, made);
    return made;
  };

  const make = async (wanted: BrokerKind): Promise<Broker<pg.PoolClient>> => {
    if (wanted === 'kafka' && kafka) {
      const {createKafkaBroker} = await import('../../../events/brokers/kafka/broker.ts');
      return withoutClient(
        createKafkaBroker({
          settings: kafka,
          keepDeadLetters: keepFirst,
          logger,
          onError,
          topicOf: kafkaTopic,
          groupOf: kafkaGroup,
        }),
      );
    }
    if (wanted === 'redis' && redisUrl) {
      const {createRedisBroker} = await import('../../../events/brokers/redis/broker.ts');
      const {redisAt} = await import('../../../events/redis.ts');
      return withoutClient(
        await createRedisBroker({
          redis: redisAt(redisUrl, {onError, name: 'sluice'}),
          consumer: 'runner',
          keepDeadLetters: keepFirst,
          onError,
        }),
      );
    }
    return createPostgresBroker({pool, keepDeadLetters, onError});
  };

  const hints = await open(kind);
  const logs = await open(kafka ? 'kafka' : 'postgres');
  const of = (topic: string) => (topic.startsWith('log:') ? logs : hints);
  const all = [...opened.values()];

  return {
    of,
    async publish(publications, client) {
      for (const [broker, some] of Map.groupBy(publications, ({topic}) => of(topic))) {
        await broker.publish(some, broker.abilities.transactions ? client : undefined);
      }
    },
    logsAreKafka: kafka !== undefined,
    async pending() {
      const counts = await Promise.all(all.map(broker => broker.pending()));
      return new Map(counts.flatMap(some => [...some]));
    },
    async close() {
      await Promise.all(all.map(broker => broker.close()));
    },
  };
};

/** A broker without transactions, seen as one that is never given any. */
const withoutClient = (broker: Broker<never> | Broker<undefined>): Broker<pg.PoolClient> => ({
  ...broker,
  publish: publications => broker.publish(publications),
});
