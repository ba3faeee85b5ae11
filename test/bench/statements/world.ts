/**
World: four gateways as they ship, on one PostgreSQL that counts statements, one Kafka, one Redis, one model server.

Out: how to reach them, and their end. No function but the gateway runs: whose statements are counted is the gateways' role.
*/
import {randomBytes} from 'node:crypto';
import {closeSync, openSync} from 'node:fs';
import {chmod, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Kafka, logLevel} from 'kafkajs';
import pg from 'pg';
import {startPostgres} from '../../../knative/local/postgres/postgres.ts';
import {startKafkaServer} from '../../runner/kafka.ts';
import {startRedisServer} from '../../runner/redis.ts';
import {type Child, startChild} from '../child.ts';
import {prepareDatabase} from '../database.ts';
import {seedModel} from './seed.ts';

export const gatewayRole = 'sluice_gateway';
const partitions = 24;
type Starting = Parameters<typeof startChild>[0];

export type World = Readonly<{
  /** A superuser's. */
  database: pg.Client;
  gatewayUrl: string;
  /** Gateways of their own for a row, so that none knows the keys of the row before. */
  startGateways(count: number): Promise<{gateways: readonly Child[]; stop(): Promise<void>}>;
  /** The client of the gateways. */
  load: Child | undefined;
  stop(): Promise<void>;
}>;

/** The extension is loaded by the server's start only, so it starts twice. */
const startCountingPostgres = async (directory: string) => {
  const password = randomBytes(18).toString('hex');
  const first = await startPostgres({directory, password});
  const client = new pg.Client({connectionString: first.superuserUrl});
  await client.connect();
  await client.query(`alter system set shared_preload_libraries = 'pg_stat_statements'`);
  await client.end();
  await first.stop();
  return startPostgres({directory, password});
};

const createTopic = async (brokers: string[]) => {
  const admin = new Kafka({brokers, logLevel: logLevel.NOTHING}).admin();
  await admin.connect();
  await admin.createTopics({
    topics: [{topic: 'sluice.usage', numPartitions: partitions}],
    waitForLeaders: true,
  });
  await admin.disconnect();
};

export const startWorld = async ({
  say,
  profile,
  databaseOnly,
}: {
  say: (line: string) => void;
  /** For what needs no gateway: there is no Kafka, no Redis, no model. */
  databaseOnly: boolean;
  /** A folder for the gateways' CPU profiles. */
  profile: string | undefined;
}): Promise<World> => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  // PostgreSQL may run as another user than we do.
  await chmod(folder, 0o755);
  const stops: (() => Promise<unknown>)[] = [() => rm(folder, {recursive: true, force: true})];
  const stop = async () => {
    for (const next of stops.splice(0).reverse()) {
      await next();
    }
  };
  try {
    const postgres = await startCountingPostgres(join(folder, 'postgres'));
    stops.push(postgres.stop);
    const {gatewayUrl, superuserUrl} = await prepareDatabase(postgres.superuserUrl);
    const database = new pg.Client({connectionString: superuserUrl});
    await database.connect();
    stops.push(() => database.end());
    await database.query('create extension pg_stat_statements');
    if (databaseOnly) {
      const startGateways = () => Promise.reject(new Error('the world has a database only'));
      return {database, gatewayUrl, startGateways, load: undefined, stop};
    }
    const kafka = await startKafkaServer({log: say});
    stops.push(kafka.remove);
    await createTopic(kafka.brokers);
    const redis = await startRedisServer({log: say});
    stops.push(redis.remove);
    const child = async (program: string, environment = {}, more: Partial<Starting> = {}) => {
      const started = await startChild({program, environment, ...more});
      stops.push(started.stop);
      return started;
    };
    const model = await child('knative/local/simulated-model/main.ts', {
      PORT: '0',
      MODELS: 'bench:8192',
      FIRST_TOKEN_DELAY_MS: '100',
    });
    await seedModel(database, model.url);
    const log = openSync(join(folder, 'gateways.log'), 'w');
    stops.push(async () => closeSync(log));
    const load = await child('test/bench/statements/load.ts');
    const environment = {
      PORT: '0',
      DATABASE_URL: gatewayUrl,
      ENVIRONMENT: 'development',
      KAFKA_BROKERS: kafka.brokers.join(','),
      REDIS_URL: redis.url,
    };
    const startGateways = async (count: number) => {
      const gateways = await Promise.all(
        Array.from({length: count}, () =>
          child('functions/gateway/main.ts', environment, {
            output: log,
            // kafkajs sets timers of less than nothing, and Node tells of each.
            nodeArguments: [
              '--no-warnings',
              ...(profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : []),
            ],
          }),
        ),
      );
      return {
        gateways,
        async stop() {
          await Promise.all(gateways.map(gateway => gateway.stop()));
        },
      };
    };
    return {database, gatewayUrl, startGateways, load, stop};
  } catch (error) {
    await stop();
    throw error;
  }
};
