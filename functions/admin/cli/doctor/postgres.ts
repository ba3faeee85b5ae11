/**
Doctor, PostgreSQL: by DATABASE_URL. Its version, whether row-level security binds the role, whether the schema is this release's, its
clock, whether connections are left.
*/
import {readdirSync} from 'node:fs';
import pg from 'pg';
import {clockDifference, clockFinding, type Finding, fail, ok, reasonOf, warn} from './finding.ts';

const check = 'PostgreSQL';
const schemaCheck = 'schema';
const roleCheck = 'database role';
const versionMin = 15;
const sqlFolder = new URL('../../../../schemas/sql/', import.meta.url);

type Facts = Readonly<{
  version: number;
  name: string;
  unbound: boolean;
  now: Date;
  used: number;
  most: number;
}>;

const factsText = `
  select current_setting('server_version_num')::integer as version, rolname as name,
         rolsuper or rolbypassrls as unbound, clock_timestamp() as now,
         (select count(*)::integer from pg_stat_activity where backend_type = 'client backend') as used,
         current_setting('max_connections')::integer as most
  from pg_roles where rolname = current_user`;

export const expectedMigrations = (): string[] =>
  readdirSync(sqlFolder)
    .filter(name => /^\d{4}-[a-z-]+\.sql$/.test(name))
    .sort();

export const checkPostgres = async (databaseUrl: string, timeoutMs: number): Promise<Finding[]> => {
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'sluice-doctor',
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
  });
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (error) {
    return [
      fail(
        check,
        reasonOf(error),
        'is it running and reachable from here, and are user and password in DATABASE_URL right?',
      ),
    ];
  }
  try {
    const began = Date.now();
    const {rows} = await client.query<Facts>(factsText);
    const facts = rows[0] as Facts;
    const shown = facts.now.getTime();
    const difference = clockDifference(
      {fromMs: shown, toMs: shown},
      {fromMs: began, toMs: Date.now()},
    );
    return [
      versionFinding(facts),
      roleFinding(facts),
      connectionsFinding(facts),
      clockFinding('database clock', difference, 'PostgreSQL'),
      await schemaFinding(client),
    ];
  } catch (error) {
    return [fail(check, reasonOf(error), 'its log says more')];
  } finally {
    await client.end().catch(() => {});
  }
};

const versionFinding = ({version}: Facts): Finding => {
  const major = Math.floor(version / 10_000);
  return major >= versionMin
    ? ok(check, `version ${major}.${version % 10_000}`)
    : fail(check, `version ${major}`, `upgrade it: Sluice is tested with ${versionMin} and later`);
};

const roleFinding = ({name, unbound}: Facts): Finding =>
  unbound
    ? fail(
        roleCheck,
        `${name} passes row-level security, so that one tenant could see another's rows`,
        'use sluice_tenant, sluice_gateway or sluice_system, which the migrations make',
      )
    : ok(roleCheck, `${name} is bound by row-level security`);

const connectionsFinding = ({used, most}: Facts): Finding =>
  used < most * 0.8
    ? ok('connections', `${used} of ${most} are in use`)
    : warn(
        'connections',
        `${used} of ${most} are in use`,
        'put PgBouncer before it (transaction mode) or raise max_connections',
      );

const schemaFinding = async (client: pg.Client): Promise<Finding> => {
  const expected = expectedMigrations();
  const {rows} = await client.query<{exists: boolean; readable: boolean}>(
    `select to_regclass('migrations') is not null as exists,
            coalesce(has_table_privilege(to_regclass('migrations'), 'select'), false) as readable`,
  );
  if (!rows[0]?.exists) {
    return fail(
      schemaCheck,
      'there is none',
      'node schemas/sql/main.ts, with DATABASE_URL of the role sluice_owner',
    );
  }
  if (!rows[0].readable) {
    return await byTables(client, expected);
  }
  const found = await client.query<{name: string}>('select name from migrations order by name');
  const names = found.rows.map(({name}) => name);
  const missing = expected.filter(name => !names.includes(name));
  const ahead = names.filter(name => !expected.includes(name));
  if (missing.length > 0) {
    return fail(
      schemaCheck,
      `${missing.join(', ')} is not applied`,
      'node schemas/sql/main.ts, with DATABASE_URL of the role sluice_owner',
    );
  }
  return ahead.length > 0
    ? fail(
        schemaCheck,
        `the database has ${ahead.join(', ')}, which this release does not know`,
        'use the release that the database was migrated by',
      )
    : ok(schemaCheck, `${expected.length} migrations, the newest is ${expected.at(-1)}`);
};

/** A function's role may not read which migrations there were: the tables of the newest tell. */
const byTables = async (client: pg.Client, expected: readonly string[]): Promise<Finding> => {
  const tables = ['orgs', 'models', 'outbox', 'ledger', 'refusals', 'users', 'audit'];
  const {rows} = await client.query<{name: string}>(
    'select name from unnest($1::text[]) as name where to_regclass(name) is null',
    [tables],
  );
  return rows.length > 0
    ? fail(
        schemaCheck,
        `the table ${rows[0]?.name} is missing`,
        'node schemas/sql/main.ts, with DATABASE_URL of the role sluice_owner',
      )
    : ok(
        schemaCheck,
        `has the tables of ${expected.at(-1)}; this role may not read which migrations were applied`,
      );
};
