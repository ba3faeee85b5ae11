/**
Database: a test's own PostgreSQL database, cloned from the migrated template and dropped when the test ends.

In: the test, and the server that `test/run.ts` has started. Out: URLs and pools for each role.
*/
import {randomBytes} from 'node:crypto';
import {setTimeout as wait} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import pg from 'pg';

export const roles = ['owner', 'tenant', 'gateway', 'system'] as const;
export const templateName = 'sluice_template';
export const environmentName = 'SLUICE_TEST_POSTGRES';

export type Role = (typeof roles)[number] | 'superuser';
export type TestPostgres = Readonly<{
  host: string;
  port: number;
  superuserUrl: string;
  passwords: Readonly<Record<(typeof roles)[number], string>>;
}>;

export type TestDatabase = Readonly<{
  name: string;
  url(role: Role): string;
  /** One pool a role, closed when the test ends. */
  pool(role: Role): pg.Pool;
}>;

const cloneAttempts = 100;

export const readTestPostgres = (): TestPostgres => {
  const text = process.env[environmentName];
  if (!text) {
    throw new Error(
      `${environmentName} is not set: run this test by \`npm run test:only -- FILE\`, which starts PostgreSQL`,
    );
  }
  return JSON.parse(text);
};

export const createTestDatabase = async (
  t: Pick<ExecutionContext, 'teardown'>,
  /** Another than the run's: one that the test may freeze. */
  postgres: TestPostgres = readTestPostgres(),
): Promise<TestDatabase> => {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await administrate(postgres, client => clone(client, name));
  const pools = new Map<Role, pg.Pool>();
  t.teardown(async () => {
    await Promise.all([...pools.values()].map(pool => pool.end()));
    await administrate(postgres, client =>
      client.query(`drop database if exists ${name} with (force)`),
    );
  });
  const url = (role: Role) => {
    const address = new URL(postgres.superuserUrl);
    address.pathname = `/${name}`;
    if (role !== 'superuser') {
      address.username = `sluice_${role}`;
      address.password = postgres.passwords[role];
    }
    return address.href;
  };
  return {
    name,
    url,
    pool: role => {
      const pool = pools.get(role) ?? new pg.Pool({connectionString: url(role), max: 5});
      if (!pools.has(role)) {
        // A connection that the drop below cuts is no failure of the test.
        pool.on('error', () => {});
        pools.set(role, pool);
      }
      return pool;
    },
  };
};

const administrate = async (
  postgres: TestPostgres,
  work: (client: pg.Client) => Promise<unknown>,
) => {
  const client = new pg.Client({connectionString: postgres.superuserUrl});
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
};

/** A template that somebody is connected to (an autovacuum worker) cannot be cloned for a moment: 55006. */
const clone = async (client: pg.Client, name: string) => {
  for (let attempt = 1; ; attempt++) {
    try {
      await client.query(`create database ${name} template ${templateName} owner sluice_owner`);
      return;
    } catch (error) {
      if ((error as pg.DatabaseError).code !== '55006' || attempt === cloneAttempts) {
        throw error;
      }
      await wait(50);
    }
  }
};
