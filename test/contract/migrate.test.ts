/** The program `migrate` on a PostgreSQL of its own, because roles and their passwords are the whole server's. */
import {chmod, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import pg from 'pg';
import {startPostgres} from '../../knative/local/postgres/postgres.ts';
import {makeOwner, verifierOf} from '../../schemas/sql/roles.ts';
import {runProgram} from '../helpers/programs.ts';

const users = ['owner', 'tenant', 'gateway', 'system'] as const;
type User = (typeof users)[number];

/** With what a URL and a statement would trip over. */
const password = (user: string) => `a'b"c /@:$x ${user}`;

type Server = Readonly<{
  adminUrl: string;
  url(user: User, options?: {secret?: string}): string;
  environment: Readonly<Record<string, string>>;
}>;

const startServer = async (t: ExecutionContext): Promise<Server> => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-migrate-'));
  await chmod(folder, 0o755);
  t.teardown(() => rm(folder, {recursive: true, force: true}));
  const directory = join(folder, 'postgres');
  const postgres = await startPostgres({directory, password: 'superuser', fsync: false});
  t.teardown(postgres.stop);
  const url = (user: User, {secret = password(user)} = {}) => {
    const address = new URL(postgres.superuserUrl);
    address.username = `sluice_${user}`;
    address.password = encodeURIComponent(secret);
    address.pathname = '/sluice';
    return address.href;
  };
  return {
    adminUrl: postgres.superuserUrl,
    url,
    environment: {
      ADMIN_DATABASE_URL: postgres.superuserUrl,
      DATABASE_URL: url('owner'),
      TENANT_DATABASE_URL: url('tenant'),
      GATEWAY_DATABASE_URL: url('gateway'),
      SYSTEM_DATABASE_URL: url('system'),
    },
  };
};

const query = async (databaseUrl: string, sql: string): Promise<Record<string, unknown>[]> => {
  const client = new pg.Client({connectionString: databaseUrl});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
};

/** Tables, columns and functions: what a failed migration must not have changed. */
const schemaOf = (databaseUrl: string) =>
  query(
    databaseUrl,
    `select table_name as of, column_name as name, data_type as type from information_schema.columns where table_schema = 'public'
     union all select routine_name, specific_name, routine_definition from information_schema.routines where routine_schema = 'public'
     union all select 'migrations', name, hash from migrations order by 1, 2, 3`,
  );

const withDatabase = (databaseUrl: string, name: string) => {
  const address = new URL(databaseUrl);
  address.pathname = `/${name}`;
  return address.href;
};

const timeoutMs = 120_000;

test('an empty PostgreSQL gets roles, database and schema, and each role gets in with the password of its URL', async t => {
  t.timeout(timeoutMs);
  const {environment, url} = await startServer(t);
  const {status, said} = await runProgram(t, 'migrate', environment);
  t.is(status, 0, said);
  t.regex(said, /^migrate: applied 0001-tenancy\.sql, .*\.sql\n$/);
  for (const user of users) {
    const [row] = await query(url(user), 'select current_user as name');
    t.is(row?.name, `sluice_${user}`);
  }
  t.deepEqual(
    await query(
      url('owner'),
      `select rolsuper from pg_roles where rolname ~ '^sluice_' and rolsuper`,
    ),
    [],
  );
});

test('a second run has nothing to do; new URLs are new passwords', async t => {
  t.timeout(timeoutMs);
  const {environment, url} = await startServer(t);
  await runProgram(t, 'migrate', environment);
  t.deepEqual(await runProgram(t, 'migrate', environment), {
    status: 0,
    said: 'migrate: nothing to apply\n',
  });
  const renewed = url('tenant', {secret: 'another'});
  await runProgram(t, 'migrate', {...environment, TENANT_DATABASE_URL: renewed});
  t.is((await query(renewed, 'select 1')).length, 1);
  await t.throwsAsync(query(url('tenant'), 'select 1'), {code: '28P01'});
});

test('two at once: both end well, one of them with nothing to do', async t => {
  t.timeout(timeoutMs);
  const {environment} = await startServer(t);
  const ended = await Promise.all([1, 2].map(() => runProgram(t, 'migrate', environment)));
  t.deepEqual(
    ended.map(({status}) => status),
    [0, 0],
    ended.map(({said}) => said).join(),
  );
  t.is(ended.filter(({said}) => said === 'migrate: nothing to apply\n').length, 1);
});

test('an administrator who is no superuser is enough, and a database that is already there', async t => {
  t.timeout(timeoutMs);
  const {environment, adminUrl, url} = await startServer(t);
  await query(adminUrl, `create role landlord login createrole createdb password 'landlord'`);
  const landlord = new URL(adminUrl);
  landlord.username = 'landlord';
  landlord.password = 'landlord';
  await query(landlord.href, 'create database sluice');
  const {status, said} = await runProgram(t, 'migrate', {
    ...environment,
    ADMIN_DATABASE_URL: landlord.href,
  });
  t.is(status, 0, said);
  t.is((await query(url('system'), 'select 1')).length, 1);
});

test('an administrator who is cut off while roles are made leaves none that the next run could not use', async t => {
  t.timeout(timeoutMs);
  const {environment, adminUrl, url} = await startServer(t);
  await query(adminUrl, `create role landlord login createrole createdb password 'landlord'`);
  const landlord = new URL(adminUrl);
  landlord.username = 'landlord';
  landlord.password = 'landlord';
  const client = new pg.Client({connectionString: landlord.href});
  client.on('error', () => {});
  await client.connect();
  const cutOff = new Proxy(client, {
    get(target, name) {
      if (name !== 'query') {
        return Reflect.get(target, name, target);
      }
      return async (sql: string) => {
        const result = await target.query(sql);
        if (sql.includes('create role')) {
          await target.end();
        }
        return result;
      };
    },
  });
  await t.throwsAsync(makeOwner(cutOff, password('owner')));
  const {status, said} = await runProgram(t, 'migrate', {
    ...environment,
    ADMIN_DATABASE_URL: landlord.href,
  });
  t.is(status, 0, said);
  t.is((await query(url('system'), 'select 1')).length, 1);
});

test('without an administrator the owner migrates, and passwords stay as they are', async t => {
  t.timeout(timeoutMs);
  const {adminUrl, url} = await startServer(t);
  await query(
    adminUrl,
    `create role sluice_owner login createrole password '${verifierOf(password('owner'))}'`,
  );
  await query(adminUrl, 'create database sluice owner sluice_owner');
  const {status, said} = await runProgram(t, 'migrate', {DATABASE_URL: url('owner')});
  t.is(status, 0, said);
  await t.throwsAsync(query(url('tenant'), 'select 1'), {code: '28P01'});
});

test('a migration that fails ends with 1 and one line, and leaves the schema as it was', async t => {
  t.timeout(timeoutMs);
  const {environment, url} = await startServer(t);
  await runProgram(t, 'migrate', environment);
  const [last] = await query(
    url('owner'),
    'select name, hash from migrations order by name desc limit 1',
  );
  // The last file is to be applied again, where all that it makes is there already.
  await query(url('owner'), `delete from migrations where name = '${last?.name}'`);
  const before = await schemaOf(url('owner'));
  const {status, said} = await runProgram(t, 'migrate', environment);
  t.is(status, 1);
  t.regex(said, new RegExp(`^migrate: migration ${last?.name} failed: .+\\n$`));
  t.deepEqual(await schemaOf(url('owner')), before);
});

test('a database that a later release has brought on is left as it is, and that is no failure', async t => {
  t.timeout(timeoutMs);
  const {environment, url} = await startServer(t);
  await runProgram(t, 'migrate', environment);
  await query(url('owner'), `insert into migrations (name, hash) values ('9999-later.sql', 'x')`);
  const before = await schemaOf(url('owner'));
  t.deepEqual(await runProgram(t, 'migrate', environment), {
    status: 0,
    said: 'migrate: nothing to apply\n',
  });
  t.deepEqual(await schemaOf(url('owner')), before);
});

test('a superuser as owner is refused', async t => {
  t.timeout(timeoutMs);
  const {adminUrl} = await startServer(t);
  const {status, said} = await runProgram(t, 'migrate', {DATABASE_URL: adminUrl});
  t.is(status, 1);
  t.regex(said, /must not run as a superuser/);
});

test('no password is said, nor sent as it is: whatever fails, and whatever the server logs', async t => {
  t.timeout(timeoutMs);
  const {environment, adminUrl, url} = await startServer(t);
  // A server that were sent the password itself would keep it so.
  await query(adminUrl, `alter system set password_encryption = 'md5'`);
  await query(adminUrl, 'select pg_reload_conf()');
  await runProgram(t, 'migrate', environment);
  const [kept] = await query(
    adminUrl,
    `select rolpassword from pg_authid where rolname = 'sluice_tenant'`,
  );
  t.regex(String(kept?.rolpassword), /^SCRAM-SHA-256\$4096:/);
  const wrong = {
    ...environment,
    ADMIN_DATABASE_URL: withDatabase(url('owner', {secret: 'wrong-one'}), 'postgres'),
  };
  const {status, said} = await runProgram(t, 'migrate', wrong);
  t.is(status, 1);
  t.is(said, 'migrate: password authentication failed for user "sluice_owner"\n');
});
