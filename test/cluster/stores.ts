/**
Stores: a PostgreSQL and a Redis on the test's machine that pods of the cluster reach.

In: the address (`address.ts`). Out: their URLs, databases of one's own with or without our schema, and how to end both. Both ask for
a password; PostgreSQL lets in only who comes from the pods' networks or from this machine.
*/
import {randomBytes} from 'node:crypto';
import {appendFile, chmod, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import pg from 'pg';
import {prepareDatabase} from '../../knative/local/postgres/database.ts';
import {startPostgres} from '../../knative/local/postgres/postgres.ts';
import type {Secrets} from '../../knative/local/state.ts';
import type {Installing} from '../runner/install.ts';
import {startRedisServer} from '../runner/redis.ts';
import type {Address} from './address.ts';

export type Database = Readonly<{
  name: string;
  /** As the superuser: for whoever makes the roles. */
  superuserUrl: string;
  ownerUrl: string;
  tenantUrl: string;
  gatewayUrl: string;
  systemUrl: string;
}>;

export type Stores = Readonly<{
  host: string;
  redisUrl: string;
  /** Without `migrated` it is empty, and the first one's roles are not there either. */
  createDatabase(options?: {migrated?: boolean}): Promise<Database>;
  dropDatabase(name: string): Promise<void>;
  stop(): Promise<void>;
}>;

const password = () => randomBytes(18).toString('hex');

const makeSecrets = (): Secrets => ({
  superuserPassword: password(),
  rolePasswords: {
    sluice_owner: password(),
    sluice_tenant: password(),
    sluice_gateway: password(),
    sluice_system: password(),
  },
  adminKey: password(),
  sourceToken: password(),
});

export const startStores = async (
  {host, networks}: Address,
  installing: Installing = {},
): Promise<Stores> => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-cluster-'));
  // PostgreSQL may run as another user than we do.
  await chmod(folder, 0o755);
  const secrets = makeSecrets();
  const stops: (() => Promise<unknown>)[] = [() => rm(folder, {recursive: true, force: true})];
  const stop = async () => {
    for (const end of stops.splice(0).reverse()) {
      await end();
    }
  };
  try {
    const {port, stop: stopPostgres} = await openPostgres({folder, host, networks, secrets});
    stops.push(stopPostgres);
    const redis = await startRedisServer(installing, {host});
    stops.push(redis.remove);
    const databases = createDatabases({host, port, secrets});
    return {host, redisUrl: redis.url, ...databases, stop};
  } catch (error) {
    await stop();
    throw error;
  }
};

const openPostgres = async ({
  folder,
  host,
  networks,
  secrets,
}: Address & {folder: string; secrets: Secrets}) => {
  const directory = join(folder, 'postgres');
  const postgres = await startPostgres({
    directory,
    addresses: [host],
    password: secrets.superuserPassword,
    fsync: false,
  });
  try {
    await appendFile(
      join(directory, 'pg_hba.conf'),
      networks.map(network => `host all all ${network} scram-sha-256\n`).join(''),
    );
    await asSuperuser(postgres.superuserUrl, client => client.query('select pg_reload_conf()'));
  } catch (error) {
    await postgres.stop();
    throw error;
  }
  return postgres;
};

const createDatabases = ({
  host,
  port,
  secrets,
}: {
  host: string;
  port: number;
  secrets: Secrets;
}): Pick<Stores, 'createDatabase' | 'dropDatabase'> => {
  const urlOf = (user: string, secret: string, database: string) =>
    `postgres://${user}:${secret}@${host}:${port}/${database}`;
  const superuserUrl = urlOf('postgres', secrets.superuserPassword, 'postgres');
  const roleUrl = (role: keyof Secrets['rolePasswords'], database: string) =>
    urlOf(role, secrets.rolePasswords[role], database);
  return {
    async createDatabase({migrated = true} = {}) {
      const name = `sluice_${randomBytes(6).toString('hex')}`;
      if (migrated) {
        await prepareDatabase({superuserUrl, secrets, name});
      } else {
        await asSuperuser(superuserUrl, client => client.query(`create database ${name}`));
      }
      return {
        name,
        superuserUrl: urlOf('postgres', secrets.superuserPassword, name),
        ownerUrl: roleUrl('sluice_owner', name),
        tenantUrl: roleUrl('sluice_tenant', name),
        gatewayUrl: roleUrl('sluice_gateway', name),
        systemUrl: roleUrl('sluice_system', name),
      };
    },
    async dropDatabase(name) {
      await asSuperuser(superuserUrl, client =>
        client.query(`drop database if exists ${client.escapeIdentifier(name)} with (force)`),
      );
    },
  };
};

const asSuperuser = async (url: string, work: (client: pg.Client) => Promise<unknown>) => {
  const client = new pg.Client({connectionString: url});
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
};
