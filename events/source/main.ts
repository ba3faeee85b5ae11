/** Source: the program of a ContainerSource or a StatefulSet. Wiring only: what to read comes from the environment. */
import {Agent} from 'undici';
import type {KeepDeadLetters} from '../brokers/broker.ts';
import {createPool, refuseSuperuser} from '../database.ts';
import {keepDeadLettersIn} from '../dead-letters.ts';
import {createPost} from '../delivery/post.ts';
import {targetAt} from '../delivery/target.ts';
import {runMain} from '../listen.ts';
import {createMetrics} from '../metrics.ts';
import {serve} from '../serve.ts';
import {createLogger, type Logger} from '../telemetry.ts';
import {startOutboxSource} from './outbox.ts';
import {type Reading, readSettings} from './settings.ts';
import {startSource} from './source.ts';

type Making = Readonly<{
  keepDeadLetters: KeepDeadLetters;
  logger: Logger;
  onError: (error: Error) => void;
}>;

/** Only the client that is needed is loaded. */
const brokerFor = async (
  reading: Exclude<Reading, {kind: 'outbox'}>,
  {keepDeadLetters, logger, onError}: Making,
) => {
  if (reading.kind === 'kafka') {
    const {createKafkaBroker} = await import('../brokers/kafka/broker.ts');
    const {kafka: settings, topic, consumer} = reading;
    const broker = createKafkaBroker({
      settings,
      soleClient: consumer !== undefined,
      keepDeadLetters: letters => keepDeadLetters(letters),
      logger,
      onError,
      topicOf: name => name,
    });
    return {broker, topic, letterTopic: `log:${topic}`};
  }
  const [{createRedisBroker}, {redisAt}] = await Promise.all([
    import('../brokers/redis/broker.ts'),
    import('../redis.ts'),
  ]);
  const {url, consumer, stream} = reading;
  const broker = await createRedisBroker({
    redis: redisAt(url, {onError, name: consumer}),
    consumer,
    keepDeadLetters: letters => keepDeadLetters(letters),
    onError,
    streamOf: name => name,
    groupOf: name => name,
  });
  return {broker, topic: stream, letterTopic: `stream:${stream}`};
};

await runMain(async () => {
  const settings = readSettings(process.env);
  const {reading} = settings;
  const types = settings.types && new Set(settings.types);
  const logger = createLogger({name: 'source', level: settings.logLevel});
  const onError = (error: Error) => logger.warn({err: error}, 'a fault');
  const pool = createPool({
    databaseUrl: settings.databaseUrl,
    name: 'source',
    // The relay's transaction is idle while a Broker takes what it read: ended before the answer, it would send it all again.
    idleTransactionMs: settings.policy.timeoutMs + 10_000,
    onError,
  });
  const keepDeadLetters = keepDeadLettersIn(pool);
  const metrics = createMetrics();
  const dispatcher = new Agent({connections: 64});
  const post = createPost(dispatcher);
  let source: {degraded(): string | undefined; close(): Promise<void>};
  if (reading.kind === 'outbox') {
    await refuseSuperuser(pool);
    const {sink, policy} = settings;
    const {kafka} = reading;
    source = await startOutboxSource({pool, sink, kafka, post, policy, keepDeadLetters, onError});
  } else {
    const {broker, topic, letterTopic} = await brokerFor(reading, {
      // What is redriven goes back to where it was read.
      keepDeadLetters: letters =>
        keepDeadLetters(
          letters.map(letter =>
            letter.topic === topic ? {...letter, topic: letterTopic} : letter,
          ),
        ),
      logger,
      onError,
    });
    source = await startSource({
      ...settings,
      broker,
      subscription: {
        name: reading.group,
        topic,
        from: 'start',
        types,
        wants: types && (event => types.has(event.type)),
      },
      target: targetAt({url: settings.sink, post}),
      keepDeadLetters,
      metrics,
      logger,
    });
  }
  await serve({
    name: 'source',
    port: settings.port,
    logger,
    metrics,
    health: source.degraded,
    onClose: async () => {
      await source.close();
      await dispatcher.destroy();
      await pool.end();
    },
  });
});
