/**
Settings: how a process reaches Kafka, by its environment.

In: the readers' values. Out: what `connectKafka` takes, or nothing where no Kafka is configured.
*/
import {ConfigError, oneOf, optional, type Reader, string} from '../config.ts';

export type KafkaSettings = Readonly<{
  /** `host:port`, some of the cluster's. */
  brokers: readonly string[];
  /** What Kafka calls us in its logs and quotas. */
  clientId: string;
  tls?: boolean;
  sasl?: Readonly<{mechanism: Mechanism; username: string; password: string}> | undefined;
}>;

const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
type Mechanism = (typeof mechanisms)[number];

const brokerList: Reader<readonly string[]> = text => {
  const brokers = (text ?? '').split(',').map(broker => broker.trim());
  if (!brokers.every(broker => /^([\w.-]+|\[[\da-fA-F:]+\]):\d{1,5}$/.test(broker))) {
    throw new Error('expected host:port, or several with commas between them');
  }
  return brokers;
};

/** For `readConfig`. Without KAFKA_BROKERS there is no Kafka. */
export const kafkaReaders = {
  KAFKA_BROKERS: optional(brokerList),
  KAFKA_USERNAME: optional(string()),
  KAFKA_PASSWORD: optional(string()),
  KAFKA_MECHANISM: oneOf(mechanisms, 'scram-sha-512'),
  KAFKA_TLS: oneOf(['true', 'false'], 'false'),
};

export const kafkaSettings = (
  read: {readonly [Name in keyof typeof kafkaReaders]: ReturnType<(typeof kafkaReaders)[Name]>},
  clientId: string,
): KafkaSettings | undefined => {
  const {KAFKA_BROKERS: brokers, KAFKA_USERNAME: username, KAFKA_PASSWORD: password} = read;
  if ((username === undefined) !== (password === undefined)) {
    throw new ConfigError(['KAFKA_USERNAME, KAFKA_PASSWORD: expected both or neither']);
  }
  return (
    brokers && {
      brokers,
      clientId,
      tls: read.KAFKA_TLS === 'true',
      sasl:
        username === undefined || password === undefined
          ? undefined
          : {mechanism: read.KAFKA_MECHANISM, username, password},
    }
  );
};
