/**
Database: makes the embedded PostgreSQL into Sluice's: the owner role, the database, the schema, the roles' passwords.

In: the superuser's URL, the passwords. Out: a URL a role. The superuser is used for this and for nothing else; every step
does nothing when it was done before.
*/
import pg from 'pg';
import {migrate} from '../../../schemas/sql/migrate.ts';
import {StartError} from '../problems.ts';
import {type Role, roles, type Secrets} from '../state.ts';

export const prepareDatabase = async ({
  superuserUrl,
  secrets,
  name = 'sluice',
}: {
  superuserUrl: string;
  secrets: Secrets;
  name?: string;
}): Promise<{urlOf: (role: Role) => string; migrated: readonly string[]}> => {
  const urlOf = (role: Role) => {
    const url = new URL(superuserUrl);
    url.username = role;
    url.password = secrets.rolePasswords[role];
    url.pathname = `/${name}`;
    return url.href;
  };
  const migrated = await asSuperuser(superuserUrl, async client => {
    await makeRole(client, 'sluice_owner', 'login createrole nosuperuser');
    await setPassword(client, 'sluice_owner', secrets);
    await makeDatabase(client, name);
    const applied = await migrate({databaseUrl: urlOf('sluice_owner')}).catch(error => {
      throw new StartError(
        `the database cannot be brought to this release: ${(error as Error).message}\n` +
          'Start the release that made it, or start afresh with another --data.',
        {cause: error},
      );
    });
    for (const role of roles) {
      await setPassword(client, role, secrets);
    }
    return applied;
  });
  return {urlOf, migrated};
};

const asSuperuser = async <Result>(url: string, work: (client: pg.Client) => Promise<Result>) => {
  const client = new pg.Client({connectionString: url, application_name: 'sluice-start'});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
};

const makeRole = async (client: pg.Client, role: Role, attributes: string) => {
  const {rowCount} = await client.query('select from pg_roles where rolname = $1', [role]);
  if (rowCount === 0) {
    await client.query(`create role ${client.escapeIdentifier(role)} ${attributes}`);
  }
};

const setPassword = (client: pg.Client, role: Role, {rolePasswords}: Secrets) =>
  client.query(
    `alter role ${client.escapeIdentifier(role)} password ${client.escapeLiteral(rolePasswords[role])}`,
  );

const makeDatabase = async (client: pg.Client, name: string) => {
  const {rowCount} = await client.query('select from pg_database where datname = $1', [name]);
  if (rowCount === 0) {
    await client.query(`create database ${client.escapeIdentifier(name)} owner sluice_owner`);
  }
};
