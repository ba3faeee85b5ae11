/**
Database: the one PostgreSQL that all tests of a run share, with a migrated template that each test clones.

Out: what `test/helpers/database.ts` reads from the environment, and how to end it.
*/
import {randomBytes} from 'node:crypto';
import {chmod, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import pg from 'pg';
import {startPostgres} from '../../knative/local/postgres/postgres.ts';
import {migrate} from '../../schemas/sql/migrate.ts';
import {roles, type TestPostgres, templateName} from '../helpers/database.ts';

const password = () => randomBytes(18).toString('hex');

export const startTestDatabase = async (): Promise<{
  environment: TestPostgres;
  stop(): Promise<void>;
}> => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  // PostgreSQL may run as another user than we do.
  await chmod(folder, 0o755);
  let stopPostgres = async () => {};
  const stop = async () => {
    await stopPostgres();
    await rm(folder, {recursive: true, force: true});
  };
  try {
    const postgres = await startPostgres({
      directory: join(folder, 'postgres'),
      password: password(),
      fsync: false,
    });
    stopPostgres = postgres.stop;
    const passwords = {
      owner: password(),
      tenant: password(),
      gateway: password(),
      system: password(),
    };
    await createTemplate(postgres.superuserUrl, passwords);
    return {
      environment: {
        host: '127.0.0.1',
        port: postgres.port,
        superuserUrl: postgres.superuserUrl,
        passwords,
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
};

/** As a deployment does it: the owner makes schema and roles without being a superuser. */
const createTemplate = async (superuserUrl: string, passwords: TestPostgres['passwords']) => {
  const client = new pg.Client({connectionString: superuserUrl});
  await client.connect();
  try {
    await client.query(`create role sluice_owner login createrole password '${passwords.owner}'`);
    await client.query(`create database ${templateName} owner sluice_owner`);
    const url = new URL(superuserUrl);
    url.username = 'sluice_owner';
    url.password = passwords.owner;
    url.pathname = `/${templateName}`;
    await migrate({databaseUrl: url.href});
    for (const role of roles) {
      await client.query(`alter role sluice_${role} login password '${passwords[role]}'`);
    }
  } finally {
    await client.end();
  }
};
