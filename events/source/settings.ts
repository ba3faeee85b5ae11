/**
Settings: what a source reads, where it sends it, and how patient it is. By the environment that Knative gives a ContainerSource
or the subject of a SinkBinding, and by `SOURCE_…`.

In: the environment. Out: the settings, or a ConfigError that lists every complaint.
*/
import {
  ConfigError,
  databaseUrl,
  integer,
  oneOf,
  optional,
  port,
  type Reader,
  readConfig,
  secret,
  string,
  url,
} from '../config.ts';
import {type DeliveryPolicy, sourcePolicy} from '../delivery/policy.ts';
import {type KafkaSettings, kafkaReaders, kafkaSettings} from '../kafka/settings.ts';
import {limits} from '../limits.ts';
import {redisUrl} from '../redis.ts';

export type Reading =
  | Readonly<{
      kind: 'kafka';
      kafka: KafkaSettings;
      topic: string;
      group: string;
      /** Of this process alone, and the same when it is started again. Undefined: it has no name. */
      consumer: string | undefined;
    }>
  | Readonly<{kind: 'redis'; url: string; stream: string; group: string; consumer: string}>
  /** To a Broker, and where Kafka is configured to logs too. */
  | Readonly<{kind: 'outbox'; kafka: KafkaSettings | undefined}>;

export type SourceSettings = Readonly<{
  reading: Reading;
  sink: string;
  /** Of events; what is of another type is passed over. Undefined: all are sent. */
  types: readonly string[] | undefined;
  /** From `K_CE_OVERRIDES`: set on every event. */
  extensions: Readonly<Record<string, string>> | undefined;
  /** 1: each event alone, in binary mode; more: JSON batches. */
  batchMax: number;
  concurrency: number;
  ordered: boolean;
  policy: DeliveryPolicy;
  token: string | undefined;
  /** Where replies go. Without it a reply is a dead letter. */
  replyTo: string | undefined;
  databaseUrl: string;
  port: number;
  logLevel: string;
}>;

const words = (pattern: RegExp, expected: string): Reader<string> => {
  return text => {
    if (text === undefined || !pattern.test(text)) {
      throw new Error(`expected ${expected}, got ${text === undefined ? 'nothing' : `"${text}"`}`);
    }
    return text;
  };
};

/** `{"extensions": {…}}`; Knative sets an empty text where there are none. */
const overrides: Reader<Readonly<Record<string, string>> | undefined> = text => {
  if (text === undefined) {
    return undefined;
  }
  const parsed = parsedOrNothing(text) as {extensions?: unknown} | null | undefined;
  const extensions = parsed?.extensions ?? {};
  const valid =
    typeof parsed === 'object' &&
    parsed !== null &&
    typeof extensions === 'object' &&
    Object.entries(extensions).every(
      ([name, value]) => /^[a-z0-9]+$/.test(name) && typeof value === 'string',
    );
  if (!valid) {
    throw new Error('expected {"extensions": {"name": "value"}} with names of a-z and 0-9');
  }
  return Object.keys(extensions).length === 0 ? undefined : (extensions as Record<string, string>);
};

const parsedOrNothing = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Names of types, with commas between. */
export const typesIn: Reader<readonly string[]> = text => {
  const names = (text ?? '').split(',').map(name => name.trim());
  if (names.length > 100 || names.some(name => !/^[\x21-\x7e]{1,200}$/.test(name))) {
    throw new Error('expected at most 100 types of events with commas between them');
  }
  return names;
};

/** What Kafka's logs and quotas call a source; with its own name it can be told from the others of its group. */
const clientId = 'sluice-source';
const clientIdOf = (consumer: string | undefined) =>
  consumer === undefined ? clientId : `${clientId}-${consumer}`;

const kafkaName = words(/^[A-Za-z0-9._-]{1,249}$/, 'the name of a Kafka topic');
const anyName = string();

const readers = {
  SOURCE_KIND: oneOf(['kafka', 'redis', 'outbox']),
  K_SINK: url({protocols: ['http:', 'https:']}),
  K_CE_OVERRIDES: overrides,
  SOURCE_TYPES: optional(typesIn),
  SOURCE_BATCH_MAX: integer({min: 1, max: limits.batchEvents, defaultValue: 1}),
  SOURCE_CONCURRENCY: integer({min: 1, max: 256, defaultValue: 8}),
  SOURCE_ORDERED: oneOf(['true', 'false'], 'false'),
  SOURCE_ATTEMPTS_MAX: optional(integer({min: 1, max: 1_000})),
  SOURCE_TIMEOUT_MS: integer({min: 100, max: limits.requestMs, defaultValue: 60_000}),
  SOURCE_BACKOFF_MS: integer({min: 1, max: 60_000, defaultValue: 200}),
  SOURCE_BACKOFF_MAX_MS: integer({min: 1, max: 600_000, defaultValue: 5_000}),
  SOURCE_TOKEN: optional(secret()),
  DATABASE_URL: databaseUrl,
  PORT: port,
  LOG_LEVEL: string('info'),
};

const readersOf = {
  kafka: {
    ...kafkaReaders,
    SOURCE_TOPIC: kafkaName,
    SOURCE_GROUP: anyName,
    REPLY_TOPIC: optional(kafkaName),
    SOURCE_CONSUMER: optional(string()),
    HOSTNAME: optional(string()),
  },
  redis: {
    REDIS_URL: redisUrl,
    SOURCE_STREAM: string('stream:zweistein'),
    SOURCE_GROUP: string('group:zweistein'),
    REPLY_STREAM: optional(string()),
    SOURCE_CONSUMER: optional(string()),
    HOSTNAME: optional(string()),
  },
  outbox: kafkaReaders,
} as const;

export const readSettings = (
  environment: Readonly<Record<string, string | undefined>>,
): SourceSettings => {
  const kind = environment.SOURCE_KIND ?? kindIn(environment);
  const [common, complaints] = attempt(() =>
    readConfig({...environment, SOURCE_KIND: kind}, readers),
  );
  const [read, more] = attempt(() => readingIn(environment, kind));
  if (!common || !read) {
    throw new ConfigError([...complaints, ...more]);
  }
  const attemptsMax = common.SOURCE_ATTEMPTS_MAX;
  return {
    ...read,
    sink: common.K_SINK,
    types: common.SOURCE_TYPES,
    extensions: common.K_CE_OVERRIDES,
    batchMax: common.SOURCE_BATCH_MAX,
    concurrency: common.SOURCE_CONCURRENCY,
    ordered: common.SOURCE_ORDERED === 'true',
    policy: {
      ...sourcePolicy,
      retries: attemptsMax === undefined ? Number.POSITIVE_INFINITY : attemptsMax - 1,
      backoffMs: common.SOURCE_BACKOFF_MS,
      backoffMaxMs: common.SOURCE_BACKOFF_MAX_MS,
      timeoutMs: common.SOURCE_TIMEOUT_MS,
    },
    token: common.SOURCE_TOKEN,
    databaseUrl: common.DATABASE_URL,
    port: common.PORT,
    logLevel: common.LOG_LEVEL,
  };
};

/** A topic is Kafka's, a stream is Redis's. */
const kindIn = (environment: Readonly<Record<string, string | undefined>>) =>
  environment.SOURCE_TOPIC ? 'kafka' : environment.REDIS_URL ? 'redis' : undefined;

const attempt = <Value>(work: () => Value): [Value | undefined, readonly string[]] => {
  try {
    return [work(), []];
  } catch (error) {
    if (error instanceof ConfigError) {
      return [undefined, error.complaints];
    }
    throw error;
  }
};

const readingIn = (
  environment: Readonly<Record<string, string | undefined>>,
  kind: string | undefined,
): Pick<SourceSettings, 'reading' | 'replyTo'> => {
  if (kind === 'kafka') {
    const read = readConfig(environment, readersOf.kafka);
    const consumer = read.SOURCE_CONSUMER ?? read.HOSTNAME;
    const kafka = kafkaSettings(read, clientIdOf(consumer));
    if (kafka === undefined) {
      throw new ConfigError(['KAFKA_BROKERS: expected host:port, but it is not set']);
    }
    return {
      reading: {kind, kafka, topic: read.SOURCE_TOPIC, group: read.SOURCE_GROUP, consumer},
      replyTo: read.REPLY_TOPIC,
    };
  }
  if (kind === 'redis') {
    const read = readConfig(environment, readersOf.redis);
    const consumer = read.SOURCE_CONSUMER ?? read.HOSTNAME;
    if (consumer === undefined) {
      throw new ConfigError(['SOURCE_CONSUMER: expected a name that outlives the process']);
    }
    return {
      reading: {
        kind,
        url: read.REDIS_URL,
        stream: read.SOURCE_STREAM,
        group: read.SOURCE_GROUP,
        consumer,
      },
      replyTo: read.REPLY_STREAM,
    };
  }
  const kafka = kafkaSettings(readConfig(environment, readersOf.outbox), clientId);
  return {reading: {kind: 'outbox', kafka}, replyTo: undefined};
};
