/**
Servers: the stores of the rows, started when a row asks for one and shared by the rows of its kind.

Out: an address, the CPU time of the server's processes, its end.
*/
import {randomBytes} from 'node:crypto';
import {chmod, mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Redis} from 'ioredis';
import {startPostgres} from '../../../knative/local/postgres/postgres.ts';
import {startKafkaServer} from '../../runner/kafka.ts';
import {startRedisServer} from '../../runner/redis.ts';
import {cpuMsOf, familyCpuMsOf} from '../cpu.ts';
import type {Store} from './rows.ts';

export type Server = Readonly<{address: string; cpuMs(): number; stop(): Promise<void>}>;
type Say = (line: string) => void;

const startRedis = async (fsync: 'everysec' | 'always', log: Say): Promise<Server> => {
  const server = await startRedisServer({log});
  const client = new Redis(server.url);
  await client.config('SET', 'appendfsync', fsync);
  // Else the file is written anew in the middle of somebody's round.
  await client.config('SET', 'auto-aof-rewrite-percentage', '0');
  client.disconnect();
  return {address: server.url, cpuMs: () => cpuMsOf(server.pid()), stop: server.remove};
};

const startKafka = async (log: Say): Promise<Server> => {
  const server = await startKafkaServer({log});
  return {
    address: server.brokers.join(','),
    cpuMs: () => cpuMsOf(server.pid()),
    stop: server.remove,
  };
};

/** With fsync, as the local runner has it. */
const startDatabase = async (): Promise<Server> => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const remove = () => rm(folder, {recursive: true, force: true});
  try {
    // PostgreSQL may run as another user than we do.
    await chmod(folder, 0o755);
    const directory = join(folder, 'postgres');
    const postgres = await startPostgres({directory, password: randomBytes(18).toString('hex')});
    const [pid] = (await readFile(join(directory, 'postmaster.pid'), 'utf8')).split('\n');
    return {
      address: postgres.superuserUrl,
      cpuMs: () => familyCpuMsOf(Number(pid)),
      async stop() {
        await postgres.stop();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
};

const start: Readonly<Record<Store, (log: Say) => Promise<Server>>> = {
  memory: async () => ({address: '', cpuMs: () => 0, stop: async () => {}}),
  postgres: startDatabase,
  redis: log => startRedis('everysec', log),
  'redis-always': log => startRedis('always', log),
  kafka: startKafka,
};

/** One server at a time: an idle Kafka takes CPU too. */
export const createServers = (log: Say) => {
  let current: {store: Store; server: Server} | undefined;
  const stop = async () => {
    const last = current;
    current = undefined;
    await last?.server.stop();
  };
  return {
    async of(store: Store): Promise<Server> {
      if (current?.store !== store) {
        await stop();
        current = {store, server: await start[store](log)};
      }
      return current.server;
    },
    stop,
  };
};
