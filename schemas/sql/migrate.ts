/**
Migrate: brings a database to the newest schema.

In: a connection as the owner role. Out: the names of the files that were applied now.
Files run in the order of their numbers, each in a transaction of its own, once; a file that changed after it was applied is an error.
A database that a later release has brought on is left as it is: this release runs on it, and who goes back by GitOps runs the
migration of the release that he goes back to. What no later release can have made is an error. Two at once wait for each other.
*/
import {hash} from 'node:crypto';
import {readdir, readFile} from 'node:fs/promises';
import pg from 'pg';

const folder = new URL('.', import.meta.url);

/** The lock's number: any constant that nothing else in the database locks. */
const lockNumber = 7_258_642_301;

export const migrate = async ({databaseUrl}: {databaseUrl: string}): Promise<string[]> => {
  const client = new pg.Client({connectionString: databaseUrl});
  await client.connect();
  try {
    await refuseSuperuser(client);
    await client.query('select pg_advisory_lock($1)', [lockNumber]);
    await client.query(
      'create table if not exists migrations (name text primary key, hash text not null, applied_at timestamptz not null default now())',
    );
    const {rows} = await client.query<{name: string; hash: string}>(
      'select name, hash from migrations',
    );
    const applied = new Map(rows.map(row => [row.name, row.hash]));
    const files = (await readdir(folder)).filter(name => /^\d{4}-[a-z-]+\.sql$/.test(name)).sort();
    refuseOtherHistory(files, [...applied.keys()]);
    const done: string[] = [];
    for (const name of files) {
      const sql = await readFile(new URL(name, folder), 'utf8');
      const digest = hash('sha256', sql);
      if (applied.has(name)) {
        if (applied.get(name) !== digest) {
          throw new Error(
            `migration ${name} was changed after it was applied; add a new file instead`,
          );
        }
        continue;
      }
      await apply(client, name, sql, digest);
      done.push(name);
    }
    return done;
  } finally {
    await client.end();
  }
};

/** Later releases only add to the end. A migration in between, or one of ours that is missing below it, is of another line. */
const refuseOtherHistory = (files: readonly string[], applied: readonly string[]) => {
  const unknown = applied.filter(name => !files.includes(name)).sort();
  const [first] = unknown;
  if (first === undefined) {
    return;
  }
  const missing = files.find(name => !applied.includes(name));
  if (missing !== undefined || first < (files.at(-1) ?? '')) {
    throw new Error(
      `the database has migration ${first}, which is no later release's: this one has ${missing ?? files.at(-1)}`,
    );
  }
};

const apply = async (client: pg.Client, name: string, sql: string, digest: string) => {
  await client.query('begin');
  try {
    await client.query(sql);
    await client.query('insert into migrations (name, hash) values ($1, $2)', [name, digest]);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw new Error(`migration ${name} failed: ${(error as Error).message}`, {cause: error});
  }
};

const refuseSuperuser = async (client: pg.Client) => {
  const {rows} = await client.query<{super: boolean}>(
    'select rolsuper as super from pg_roles where rolname = current_user',
  );
  if (rows[0]?.super) {
    throw new Error('migrations must not run as a superuser: use the role sluice_owner');
  }
};
