/**
Servers: the real PostgreSQL, Kafka and Redis of one storm, each killed with SIGKILL and started again on its port and data.

PostgreSQL runs without fsync: what a killed process had written is the kernel's, so its commits outlive it; only a machine that
loses power would take them, and none does here. Its backup is a copy of the folder of a killed server: what a snapshot of a
disk is.
*/
import {execFile} from 'node:child_process';
import {chmod, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {promisify} from 'node:util';
import {usageTopic} from '../../../events/kafka/log.ts';
import {runningPid} from '../../../knative/local/postgres/control.ts';
import {prepareDatabase} from '../../../knative/local/postgres/database.ts';
import {startPostgres} from '../../../knative/local/postgres/postgres.ts';
import {roles} from '../../../schemas/sql/roles.ts';
import {childrenOf} from '../../helpers/sluice.ts';
import {startKafkaServer} from '../../runner/kafka.ts';
import {startRedisServer} from '../../runner/redis.ts';
import {kafkaAt} from './log.ts';
import {partitions} from './terms.ts';

const copyFolder = promisify(execFile);
const password = 'storm-storm-storm';
const databaseName = 'sluice';

export type Role = 'owner' | 'tenant' | 'gateway' | 'system' | 'superuser';
export type Postgres = Awaited<ReturnType<typeof startStormPostgres>>;
export type Servers = Awaited<ReturnType<typeof startServers>>;

const urlsOf = (superuserUrl: string) => (role: Role) => {
  const url = new URL(superuserUrl);
  url.pathname = `/${databaseName}`;
  if (role !== 'superuser') {
    url.username = `sluice_${role}`;
  }
  return url.href;
};

const startOn = async (folder: string) => {
  const directory = join(folder, 'postgres');
  const server = await startPostgres({directory, password, fsync: false});
  return {
    directory,
    url: urlsOf(server.superuserUrl),
    superuserUrl: server.superuserUrl,
    /** The server and every process of it, so that no transaction is finished after it. */
    async kill() {
      const pid = runningPid(directory);
      if (pid !== undefined) {
        const all = [pid, ...childrenOf(pid)];
        for (const one of all) {
          endProcess(one);
        }
      }
      while (runningPid(directory) !== undefined) {
        await wait(20);
      }
    },
    start: server.restart,
    stop: server.stop,
  };
};

const endProcess = (pid: number) => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // The first death may have ended another already.
  }
};

const newFolder = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-storm-'));
  // PostgreSQL may run as another user than we do.
  await chmod(folder, 0o755);
  return folder;
};

export const startStormPostgres = async () => {
  const folder = await newFolder();
  const backup = await newFolder();
  const server = await startOn(folder);
  await prepareDatabase({
    superuserUrl: server.superuserUrl,
    name: databaseName,
    secrets: {
      superuserPassword: password,
      adminKey: password,
      sourceToken: password,
      rolePasswords: Object.fromEntries(roles.map(role => [role, password])) as Record<
        (typeof roles)[number],
        string
      >,
    },
  });
  let restored: Awaited<ReturnType<typeof startOn>> | undefined;
  return {
    ...server,
    /** Of a server that was killed. */
    async backUp() {
      await copyFolder('cp', ['-a', server.directory, join(backup, 'postgres')]);
      await rm(join(backup, 'postgres', 'postmaster.pid'), {force: true});
    },
    /** A second server on the backup. */
    async restore() {
      restored = await startOn(backup);
      return restored;
    },
    async remove() {
      await Promise.all([server.stop(), restored?.stop()]);
      await Promise.all(
        [folder, backup].map(path => rm(path, {recursive: true, force: true, maxRetries: 5})),
      );
    },
  };
};

/** The broker's clock is the one that events are told apart by afterwards: the gateways' own are stepped. */
const createTopic = async (brokers: string[]) => {
  const admin = (await kafkaAt(brokers)).admin();
  await admin.connect();
  await admin.createTopics({
    waitForLeaders: true,
    topics: [
      {
        topic: usageTopic,
        numPartitions: partitions,
        configEntries: [{name: 'message.timestamp.type', value: 'LogAppendTime'}],
      },
    ],
  });
  await admin.disconnect();
};

const startKafka = async () => {
  // It is let in again soon after it was killed.
  const server = await startKafkaServer({sessionTimeoutMs: 2_000});
  await createTopic(server.brokers);
  return server;
};

export const startServers = async () => {
  const starting = [startStormPostgres(), startKafka(), startRedisServer()] as const;
  const remove = async () => {
    const started = await Promise.allSettled(starting);
    await Promise.all(started.map(one => one.status === 'fulfilled' && one.value.remove()));
  };
  try {
    const [postgres, kafka, redis] = await Promise.all(starting);
    return {postgres, kafka, redis, remove};
  } catch (error) {
    await remove();
    throw error;
  }
};
