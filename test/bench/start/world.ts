/**
World: what the functions need to start and to handle their main event: PostgreSQL with fsync, tenants, a key, a model that answers.

Out: the roles' URLs, ids and secrets, a client that sees everything, and the end of all.
*/
import {randomBytes} from 'node:crypto';
import {appendFile, chmod, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import pg from 'pg';
import {startPostgres} from '../../../knative/local/postgres/postgres.ts';
import {startSimulatedModel} from '../../../knative/local/simulated-model/server.ts';
import {prepare} from '../../../schemas/sql/prepare.ts';
import {type Role, roles} from '../../../schemas/sql/roles.ts';
import type {Address} from '../../cluster/address.ts';
import {seed as seedLeases} from '../debit/databases.ts';
import {seed as seedTenant} from '../seed.ts';

export type World = Readonly<{
  urlOf(role: Role): string;
  client: pg.Client;
  apiKey: string;
  /** Bearer of `/admin/v1` and of sources. */
  secret: string;
  model: string;
  /** An endpoint that answers, and has not been looked at. */
  endpoint(): Promise<string>;
  stop(): Promise<void>;
}>;

const modelName = 'simulated-chat';

const letIn = async (directory: string, {networks}: Address, superuserUrl: string) => {
  const lines = networks.map(network => `host all all ${network} scram-sha-256\n`);
  await appendFile(join(directory, 'pg_hba.conf'), lines.join(''));
  const client = new pg.Client({connectionString: superuserUrl});
  await client.connect();
  await client.query('select pg_reload_conf()');
  await client.end();
};

/** `address`: where pods reach this machine, when it is they who are started. */
export const openWorld = async (address?: Address): Promise<World> => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-start-'));
  // PostgreSQL may run as another user than we do.
  await chmod(folder, 0o755);
  const stops: (() => Promise<unknown>)[] = [() => rm(folder, {recursive: true, force: true})];
  const stop = async () => {
    for (const next of stops.splice(0).reverse()) {
      await next();
    }
  };
  try {
    const password = randomBytes(18).toString('hex');
    const directory = join(folder, 'postgres');
    const {superuserUrl, stop: stopPostgres} = await startPostgres({
      directory,
      password,
      ...(address ? {addresses: [address.host]} : {}),
    });
    stops.push(stopPostgres);
    const urlOf = (role?: Role) => {
      const url = new URL(superuserUrl);
      url.pathname = '/start';
      if (role) {
        url.hostname = address?.host ?? url.hostname;
        url.username = role;
        url.password = password;
      }
      return url.href;
    };
    if (address) {
      await letIn(directory, address, superuserUrl);
    }
    await prepare({
      adminUrl: superuserUrl,
      ownerUrl: urlOf('sluice_owner'),
      passwords: Object.fromEntries(roles.map(role => [role, password])) as Record<Role, string>,
    });
    const client = new pg.Client({connectionString: urlOf()});
    client.on('error', () => {});
    await client.connect();
    stops.push(() => client.end());
    const model = await startSimulatedModel(address ? {host: address.host} : {});
    stops.push(model.close);
    await seedLeases(client);
    const apiKey = await seedTenant(client, {[modelName]: model.url});
    return {
      urlOf,
      client,
      apiKey,
      secret: randomBytes(24).toString('hex'),
      model: modelName,
      async endpoint() {
        const {rows} = await client.query<{id: string}>(
          'update endpoints set health_at = null returning id',
        );
        return (rows[0] as {id: string}).id;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
};
