/**
World: what the functions need to start and to handle their main event: PostgreSQL with fsync, tenants, a key, a model that answers.

Out: the roles' URLs, ids and secrets, a client that sees everything, and the end of all.
*/
import {randomBytes} from 'node:crypto';
import {chmod, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import pg from 'pg';
import {startPostgres} from '../../../knative/local/postgres/postgres.ts';
import {startSimulatedModel} from '../../../knative/local/simulated-model/server.ts';
import {prepare} from '../../../schemas/sql/prepare.ts';
import {type Role, roles} from '../../../schemas/sql/roles.ts';
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

export const openWorld = async (): Promise<World> => {
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
    const {superuserUrl, stop: stopPostgres} = await startPostgres({
      directory: join(folder, 'postgres'),
      password,
    });
    stops.push(stopPostgres);
    const urlOf = (role?: Role) => {
      const url = new URL(superuserUrl);
      url.pathname = '/start';
      if (role) {
        url.username = role;
        url.password = password;
      }
      return url.href;
    };
    await prepare({
      adminUrl: superuserUrl,
      ownerUrl: urlOf('sluice_owner'),
      passwords: Object.fromEntries(roles.map(role => [role, password])) as Record<Role, string>,
    });
    const client = new pg.Client({connectionString: urlOf()});
    client.on('error', () => {});
    await client.connect();
    stops.push(() => client.end());
    const model = await startSimulatedModel();
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
