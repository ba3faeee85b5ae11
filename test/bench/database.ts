/**
Database: a PostgreSQL of the bench's own, made as a deployment makes it.

Out: URLs by role, the CPU time of all its processes, its end.
*/
import {randomBytes} from 'node:crypto';
import {chmod, mkdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';
import pg from 'pg';
import {startPostgres} from '../../knative/local/postgres/postgres.ts';
import {migrate} from '../../schemas/sql/migrate.ts';
import {familyCpuMsOf} from './cpu.ts';

const password = () => randomBytes(18).toString('hex');

/** The owner makes schema and roles without being a superuser. */
export const prepareDatabase = async (superuserUrl: string) => {
  const client = new pg.Client({connectionString: superuserUrl});
  await client.connect();
  const url = (user: string, secret: string) => {
    const address = new URL(superuserUrl);
    address.username = user;
    address.password = secret;
    address.pathname = '/bench';
    return address.href;
  };
  const [owner, gateway] = [password(), password()];
  await client.query(`create role sluice_owner login createrole password '${owner}'`);
  await client.query('create database bench owner sluice_owner');
  await migrate({databaseUrl: url('sluice_owner', owner)});
  await client.query(`alter role sluice_gateway login password '${gateway}'`);
  await client.end();
  const superuser = new URL(superuserUrl);
  return {
    gatewayUrl: url('sluice_gateway', gateway),
    superuserUrl: url(superuser.username, superuser.password),
  };
};

export const startDatabase = async (folder: string) => {
  await mkdir(folder, {recursive: true});
  // PostgreSQL may run as another user than we do.
  await chmod(folder, 0o755);
  const directory = join(folder, 'postgres');
  const postgres = await startPostgres({directory, password: password()});
  try {
    const urls = await prepareDatabase(postgres.superuserUrl);
    const [pid] = (await readFile(join(directory, 'postmaster.pid'), 'utf8')).split('\n');
    return {...urls, cpuMs: () => familyCpuMsOf(Number(pid)), stop: postgres.stop};
  } catch (error) {
    await postgres.stop();
    throw error;
  }
};
