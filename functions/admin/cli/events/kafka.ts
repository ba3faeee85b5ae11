/** Kafka: how a command reaches it, by the same settings as the functions. Out: undefined where none is configured; a failure where it is wrongly. */
import {ConfigError, readConfig} from '../../../../events/config.ts';
import {
  type KafkaSettings,
  kafkaReaders,
  kafkaSettings,
} from '../../../../events/kafka/settings.ts';
import {Failure} from '../shell/failure.ts';
import type {Environment} from './target.ts';

export const kafkaOf = (environment: Environment, clientId: string): KafkaSettings | undefined => {
  try {
    return kafkaSettings(readConfig(environment, kafkaReaders), clientId);
  } catch (error) {
    if (error instanceof ConfigError) {
      throw new Failure('usage', error.message, error);
    }
    throw error;
  }
};
