/**
Kafka: a real broker of Apache Kafka on this machine: one process, KRaft, its jars from Maven Central.

Out: its address, and how to stop, kill and start it. Jars and a formatted data folder are made once, under
`node_modules/.cache/sluice`, for each version of `kafka/pom.xml`.
*/
import {createHash} from 'node:crypto';
import {cp, readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {
  downloadJars,
  execute,
  findOnPath,
  type Installing,
  installPackage,
  makeOnce,
  NotInstalled,
  tailOf,
} from './install.ts';
import {
  createServerProcess,
  freePort,
  inTemporaryFolder,
  type Server,
  startOnFreePort,
} from './server.ts';

export type KafkaServer = Server & Readonly<{brokers: string[]; remove(): Promise<void>}>;

type Programs = Readonly<{java: string; folder: string}>;

const pom = fileURLToPath(new URL('kafka/pom.xml', import.meta.url));
const cache = fileURLToPath(new URL('../../node_modules/.cache/sluice', import.meta.url));
const version = '4.1.1';
const clusterId = 'c2x1aWNlLXRlc3RzLWthZg';
const javaAdvice =
  'install Java 17 or later (Debian: `apt-get install openjdk-17-jre-headless`), with `java` on the PATH: the tests need it for Apache Kafka';
/** A small heap, and a start in half the time: the tests are short, the second compiler would not pay. */
const javaOptions = [
  '-Xmx400m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info',
];

export const startKafkaServer = async ({
  sessionTimeoutMs = 9_000,
  host = '127.0.0.1',
  ...installing
}: Installing & {
  /** A broker that was killed is let in again after this long; one that is silent for so long is shut out. */
  sessionTimeoutMs?: number;
  /** An address of this machine: where clients find it. */
  host?: string;
} = {}): Promise<KafkaServer> => {
  const programs = await requireKafka(installing);
  return await inTemporaryFolder('kafka', async (folder, removeFolder) => {
    await cp(join(programs.folder, 'formatted'), join(folder, 'data'), {recursive: true});
    const {server, broker} = await startOnFreePort(async () => {
      const broker = `${host}:${await freePort()}`;
      const controller = `127.0.0.1:${await freePort()}`;
      const file = join(folder, 'server.properties');
      await writeFile(
        file,
        properties({broker, controller, data: join(folder, 'data'), sessionTimeoutMs}),
      );
      const server = createServerProcess({
        name: 'Kafka',
        command: programs.java,
        args: [...javaOptions, '-cp', join(programs.folder, 'jars', '*'), 'kafka.Kafka', file],
        folder,
        check: isStarted,
      });
      return {server, broker};
    });
    const remove = async () => {
      await server.kill();
      await removeFolder();
    };
    return {...server, brokers: [broker], remove};
  });
};

const properties = ({
  broker,
  controller,
  data,
  sessionTimeoutMs,
}: {
  broker: string;
  controller: string;
  data: string;
  sessionTimeoutMs: number;
}) => `
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@${controller}
listeners=BROKER://${broker},CONTROLLER://${controller}
advertised.listeners=BROKER://${broker}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=BROKER
log.dirs=${data}
broker.session.timeout.ms=${sessionTimeoutMs}
broker.heartbeat.interval.ms=${Math.min(2_000, Math.floor(sessionTimeoutMs / 8))}
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=4194304
`;

const requireKafka = async (installing: Installing): Promise<Programs> => {
  const java = await requireJava(installing);
  const hash = createHash('sha256')
    .update(await readFile(pom))
    .digest('hex');
  const folder = join(cache, `kafka-${version}-${hash.slice(0, 8)}`);
  await makeOnce(folder, async draft => {
    await downloadJars(pom, join(draft, 'jars'), installing);
    await format(java, draft);
  });
  return {java, folder};
};

/** A formatted folder names neither ports nor paths: each server begins with a copy, and saves a start of Java. */
const format = async (java: string, folder: string) => {
  const file = join(folder, 'format.properties');
  await writeFile(
    file,
    properties({
      broker: '127.0.0.1:9092',
      controller: '127.0.0.1:9093',
      data: join(folder, 'formatted'),
      sessionTimeoutMs: 9_000,
    }),
  );
  const {code, output} = await execute(java, [
    ...javaOptions,
    '-cp',
    join(folder, 'jars', '*'),
    'kafka.tools.StorageTool',
    'format',
    '--cluster-id',
    clusterId,
    '--config',
    file,
  ]);
  if (code !== 0) {
    throw new Error(`Kafka could not format its data folder:\n${tailOf(output)}`);
  }
};

const requireJava = async (installing: Installing): Promise<string> => {
  const find = async () => {
    const java = findOnPath('java');
    const {output} = java ? await execute(java, ['-version']) : {output: ''};
    return Number(/version "(\d+)/.exec(output)?.[1]) >= 17 ? java : undefined;
  };
  let java = await find();
  if (java === undefined) {
    await installPackage('openjdk-17-jre-headless', javaAdvice, installing);
    java = await find();
  }
  if (java === undefined) {
    throw new NotInstalled(javaAdvice);
  }
  return java;
};

/** Its port is open long before: this it says when the controller has let it in. */
const isStarted = async (output: string) => {
  if (!output.includes('Kafka Server started')) {
    throw new Error('the broker is not let in yet');
  }
};
