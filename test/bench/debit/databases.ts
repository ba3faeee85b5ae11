/**
Databases: PostgreSQL with fsync, as a deployment has it, and for each run a database of its own, cloned from one with all tenants.

Out: a URL for the role `sluice_system`, what a run left behind, CPU time. No run finds another's rows, bloat or statistics.
*/
import {randomBytes} from 'node:crypto';
import {chmod, mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import pg from 'pg';
import {startPostgres} from '../../../knative/local/postgres/postgres.ts';
import {migrate} from '../../../schemas/sql/migrate.ts';
import {familyCpuMsOf} from '../cpu.ts';
import {budgetsOf, gateways, idOf, leaseOf, organisations, priceVersion} from './traffic.ts';

export type Databases = Readonly<{
  create(name: string): Promise<Database>;
  cpuMs(): number;
  stop(): Promise<void>;
}>;

export type Database = Readonly<{
  systemUrl: string;
  /** As the owner of everything. */
  client: pg.Client;
  drop(): Promise<void>;
}>;

const template = 'bench_template';
const limitNanos = 9_000_000_000_000_000;
const grantedNanos = 1_000_000_000_000_000;

export const startDatabases = async (): Promise<Databases> => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  // PostgreSQL may run as another user than we do.
  await chmod(folder, 0o755);
  const directory = join(folder, 'postgres');
  const remove = () => rm(folder, {recursive: true, force: true});
  try {
    const postgres = await startPostgres({directory, password: randomBytes(18).toString('hex')});
    const [pid] = (await readFile(join(directory, 'postmaster.pid'), 'utf8')).split('\n');
    const password = randomBytes(18).toString('hex');
    await createTemplate(postgres.superuserUrl, password);
    return {
      create: name => createDatabase(postgres.superuserUrl, password, name),
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

const urlOf = (superuserUrl: string, database: string, user?: string, password?: string) => {
  const url = new URL(superuserUrl);
  url.pathname = `/${database}`;
  url.username = user ?? url.username;
  url.password = password ?? url.password;
  return url.href;
};

const connected = async (connectionString: string) => {
  const client = new pg.Client({connectionString});
  // An interrupted run stops the server under it.
  client.on('error', () => {});
  await client.connect();
  return client;
};

const createTemplate = async (superuserUrl: string, password: string) => {
  const root = await connected(superuserUrl);
  await root.query(`create role sluice_owner login createrole password '${password}'`);
  await root.query(`create database ${template} owner sluice_owner`);
  await migrate({databaseUrl: urlOf(superuserUrl, template, 'sluice_owner', password)});
  await root.query(`alter role sluice_system login password '${password}'`);
  await root.end();
  const client = await connected(urlOf(superuserUrl, template));
  await seed(client);
  await client.query('vacuum analyze');
  await client.end();
};

/** Far from every limit, on leases that nobody fences. */
export const seed = async (client: Pick<pg.ClientBase, 'query'>) => {
  const model = idOf('model', 0);
  await client.query(
    `insert into models (id, name, environment, status, context_length) values ($1, 'llama-3.1-8b', 'production', 'ready', 8192)`,
    [model],
  );
  await client.query(
    'insert into prices (model_id, version, input_per_million, output_per_million) values ($1, $2, 200000000, 600000000)',
    [model, priceVersion],
  );
  for (let org = 0; org < organisations; org++) {
    const [id, project, key] = [idOf('org', org), idOf('project', org), idOf('key', org)];
    await client.query('insert into orgs (id, name) values ($1, $2)', [id, `bench ${org}`]);
    await client.query('insert into projects (id, org_id, name) values ($1, $2, $3)', [
      project,
      id,
      'bench',
    ]);
    await client.query(
      `insert into keys (id, org_id, project_id, public_id, secret_hash, name) values ($1, $2, $3, $4, $5, 'bench')`,
      [key, id, project, `bench${String(org).padStart(11, '0')}`, Buffer.alloc(32)],
    );
    const scopes = [
      [null, null],
      [project, null],
      [null, key],
    ];
    for (const [place, budget] of budgetsOf(org).entries()) {
      await seedBudget(client, {org: id, budget, scope: scopes[place] as (string | null)[]});
    }
  }
  await client.query('select open_month(now()::date)');
};

const seedBudget = async (
  client: Pick<pg.ClientBase, 'query'>,
  {org, budget, scope}: {org: string; budget: number; scope: (string | null)[]},
) => {
  const [id, window] = [idOf('budget', budget), idOf('window', budget)];
  await client.query(
    `insert into budgets (id, org_id, project_id, key_id, unit, "limit", period) values ($1, $2, $3, $4, 'usd', $5, 'month')`,
    [id, org, ...scope, limitNanos],
  );
  await client.query(
    `insert into windows (id, org_id, budget_id, starts_at, ends_at, "limit", ceiling, leased)
     select $1, $2, $3, s.starts_at, s.ends_at, $4, $4, $5 from window_bounds('month', 'UTC', now()) s`,
    [window, org, id, limitNanos, grantedNanos * gateways],
  );
  for (let gateway = 0; gateway < gateways; gateway++) {
    await client.query(
      `insert into leases (id, org_id, window_id, gateway_id, granted, expires_at) values ($1, $2, $3, $4, $5, now() + interval '1 day')`,
      [
        idOf('lease', leaseOf(budget, gateway)),
        org,
        window,
        idOf('gateway', gateway),
        grantedNanos,
      ],
    );
  }
};

const createDatabase = async (
  superuserUrl: string,
  password: string,
  name: string,
): Promise<Database> => {
  const root = await connected(superuserUrl);
  try {
    await root.query(`create database ${name} template ${template} owner sluice_owner`);
    // What one run has dirtied is not written to disk in the next one's time.
    await root.query('checkpoint');
  } finally {
    await root.end();
  }
  const client = await connected(urlOf(superuserUrl, name));
  return {
    systemUrl: urlOf(superuserUrl, name, 'sluice_system', password),
    client,
    async drop() {
      await client.end();
      const again = await connected(superuserUrl);
      await again.query(`drop database ${name} with (force)`);
      await again.end();
    },
  };
};
