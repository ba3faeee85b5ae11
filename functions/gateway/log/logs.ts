/**
Logs: where the gateway's events become durable: Kafka where there is one, the outbox when it does not take them in time.

In: settings of Kafka, the outbox. Out: a log for intents and one for results, each with its own requests to Kafka, because an
intent's client waits. What comes is gathered already, so nothing lingers here.
*/
import {
  type Circuit,
  createCircuit,
  createFallbackLog,
  createKafkaLog,
  usageTopic,
} from '../../../events/kafka/log.ts';
import {createKafkaProducer} from '../../../events/kafka/producer.ts';
import type {KafkaSettings} from '../../../events/kafka/settings.ts';
import type {Metrics} from '../../../events/metrics.ts';
import type {EventLog} from '../../../events/outbox.ts';
import type {Logger} from '../../../events/telemetry.ts';

export type LogState = Readonly<{
  /** none: the outbox is the log. */
  kafka: 'none' | ReturnType<Circuit['state']>;
  /** All events that went to the outbox since the start. */
  outboxEvents: number;
}>;

export type Logs = Readonly<{
  intents: EventLog;
  results: EventLog;
  state(): LogState;
  close(): Promise<void>;
}>;

const atOnce = {lingerMs: 0};

export const createLogs = ({
  kafka,
  outbox,
  logger,
  metrics,
  sendMs,
  topic = usageTopic,
}: {
  /** Absent: the outbox alone. */
  kafka: KafkaSettings | undefined;
  outbox: EventLog;
  logger: Logger;
  metrics: Metrics;
  /** For Kafka to acknowledge. */
  sendMs: number;
  topic?: string;
}): Logs => {
  let outboxEvents = 0;
  const counted: EventLog = {
    async append(events) {
      await outbox.append(events);
      outboxEvents += events.length;
    },
  };
  if (!kafka) {
    return {
      intents: counted,
      results: counted,
      state: () => ({kafka: 'none', outboxEvents}),
      async close() {},
    };
  }
  const away = metrics.gauge('sluice_kafka_away', '1 while events go to the outbox instead.')();
  const appended = metrics.counter(
    'sluice_log_events_total',
    'Events made durable, by the log that took them.',
  );
  const counts = {primary: appended({log: 'kafka'}), fallback: appended({log: 'outbox'})};
  const producer = createKafkaProducer({
    settings: kafka,
    buffers: {intents: atOnce, results: atOnce},
    sendMs,
    logger,
    onError: error => logger.warn({err: error}, 'a request to Kafka failed'),
  });
  const circuit = createCircuit({
    probe: () => producer.check(topic),
    onOpen(error) {
      away.set(1);
      logger.warn({err: error}, 'Kafka is away: events go to the outbox');
    },
    onClosed() {
      away.set(0);
      logger.info({}, 'Kafka takes events again');
    },
  });
  const logOf = (buffer: 'intents' | 'results') =>
    createFallbackLog({
      primary: createKafkaLog({producer, buffer, topic}),
      fallback: counted,
      circuit,
      onAppended: (where, events) => counts[where].add(events),
    });
  return {
    intents: logOf('intents'),
    results: logOf('results'),
    state: () => ({kafka: circuit.state(), outboxEvents}),
    async close() {
      circuit.close();
      await producer.close();
    },
  };
};
