/**
Services: which servers of the person's own are used beside the embedded PostgreSQL.

In: the environment (`KAFKA_BROKERS`, `REDIS_URL`), the option `--broker`. Out: what events travel by, and the texts that functions and
sources are given; or a StartError that says what is missing.
*/
import {ConfigError, optional, readConfig} from '../../../events/config.ts';
import {kafkaReaders, kafkaSettings} from '../../../events/kafka/settings.ts';
import {redisUrl as readRedisUrl} from '../../../events/redis.ts';
import type {BrokerKind, Carriers} from '../eventing/brokers.ts';
import {StartError} from '../problems.ts';

export type Services = Readonly<{
  carriers: Carriers;
  texts: Readonly<
    Record<
      | 'kafkaBrokers'
      | 'kafkaUsername'
      | 'kafkaPassword'
      | 'kafkaMechanism'
      | 'kafkaTls'
      | 'redisUrl'
      | 'resultsKey'
      | 'corsOrigins',
      string | undefined
    >
  >;
}>;

export const servicesOf = (
  environment: Readonly<Record<string, string | undefined>>,
  broker: BrokerKind | undefined,
): Services => {
  try {
    const read = readConfig(environment, {...kafkaReaders, REDIS_URL: optional(readRedisUrl)});
    const kafka = kafkaSettings(read, 'sluice');
    const redisUrl = read.REDIS_URL;
    const kind = broker ?? (kafka ? 'kafka' : 'postgres');
    if (kind === 'kafka' && !kafka) {
      throw new StartError('--broker kafka: expected KAFKA_BROKERS to say where Kafka is');
    }
    if (kind === 'redis' && redisUrl === undefined) {
      throw new StartError('--broker redis: expected REDIS_URL to say where Redis is');
    }
    return {
      carriers: {kind, kafka, redisUrl},
      texts: {
        kafkaBrokers: environment.KAFKA_BROKERS || undefined,
        kafkaUsername: environment.KAFKA_USERNAME || undefined,
        kafkaPassword: environment.KAFKA_PASSWORD || undefined,
        kafkaMechanism: environment.KAFKA_MECHANISM || undefined,
        kafkaTls: environment.KAFKA_TLS || undefined,
        redisUrl,
        resultsKey: environment.RESULTS_KEY || undefined,
        corsOrigins: environment.CORS_ORIGINS || undefined,
      },
    };
  } catch (error) {
    throw error instanceof ConfigError ? new StartError(error.message, {cause: error}) : error;
  }
};
