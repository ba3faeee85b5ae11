/**
Roles: makes an empty PostgreSQL into one that can be migrated: the owner role, its database, and the roles' passwords.

In: a connection that may make roles and databases (a superuser, or the administrator of a managed PostgreSQL), the passwords. Out:
roles and database. Every step does nothing when it was done before; whoever calls it twice at once holds a lock (`administer`).
The other three roles are made by the first migration, as the owner, who may therefore set their passwords.
*/
import {createHash, createHmac, pbkdf2Sync, randomBytes} from 'node:crypto';
import pg from 'pg';

export const roles = ['sluice_owner', 'sluice_tenant', 'sluice_gateway', 'sluice_system'] as const;
export type Role = (typeof roles)[number];
export type Passwords = Readonly<Record<Role, string>>;

/** Any constant that nothing else locks; another than that of migrations, which may be in the same database. */
const lockNumber = 7_258_642_302;

/** Runs work on a connection of its own; who comes meanwhile waits. */
export const administer = async <Result>(
  {adminUrl, connectMs = 10_000}: {adminUrl: string; connectMs?: number},
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> => {
  const client = new pg.Client({
    connectionString: adminUrl,
    application_name: 'sluice-admin',
    connectionTimeoutMillis: connectMs,
  });
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [lockNumber]);
    return await work(client);
  } finally {
    await client.end();
  }
};

export const makeOwner = async (client: pg.Client, password: string) => {
  const {rowCount} = await client.query(`select from pg_roles where rolname = 'sluice_owner'`);
  if (rowCount === 0) {
    // The grant: without it an administrator who is no superuser may not give it a database. Both are one message, which PostgreSQL
    // takes as one transaction: a role without its grant would be found by the next run, and left so.
    await client.query(
      'create role sluice_owner login createrole nosuperuser; grant sluice_owner to current_user',
    );
  }
  await setPassword(client, 'sluice_owner', password);
};

/** One that somebody else made is given to the owner: in another's schema it may make nothing. */
export const makeDatabase = async (client: pg.Client, name: string) => {
  const {rows} = await client.query<{owned: boolean}>(
    `select pg_get_userbyid(datdba) = 'sluice_owner' as owned from pg_database where datname = $1`,
    [name],
  );
  const database = client.escapeIdentifier(name);
  if (rows[0] === undefined) {
    await client.query(`create database ${database} owner sluice_owner`);
  } else if (!rows[0].owned) {
    await client.query(`alter database ${database} owner to sluice_owner`);
  }
};

export const setPassword = (client: pg.Client, role: Role, password: string) =>
  client.query(
    `alter role ${client.escapeIdentifier(role)} password ${client.escapeLiteral(verifierOf(password))}`,
  );

/**
What PostgreSQL keeps of a password (RFC 5803), made here: the password itself would be in the server's log where that has
statements in it.
*/
export const verifierOf = (password: string, salt = randomBytes(16), iterations = 4_096) => {
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, 32, 'sha256');
  const keyOf = (text: string) => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(keyOf('Client Key')).digest('base64');
  const server = keyOf('Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${server}`;
};
