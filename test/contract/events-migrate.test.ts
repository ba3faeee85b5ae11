import assert from 'node:assert/strict';
import {hash} from 'node:crypto';
import {readdir, readFile} from 'node:fs/promises';
import test, {type ExecutionContext} from 'ava';
import type pg from 'pg';
import {migrate} from '../../schemas/sql/migrate.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';

const folder = new URL('../../schemas/sql/', import.meta.url);
const files = (await readdir(folder)).filter(name => name.endsWith('.sql')).sort();

/** A database of the same cluster that no migration has seen. */
const createEmpty = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  await database.pool('owner').query('drop schema public cascade');
  await database.pool('superuser').query('create schema public authorization sluice_owner');
  return database;
};

const applied = async (pool: pg.Pool) =>
  (
    await pool.query<{name: string; hash: string}>(
      'select name, hash from migrations order by name',
    )
  ).rows;

test('an empty database gets every file in the order of their numbers, and a second run has nothing to do', async t => {
  const database = await createEmpty(t);
  const databaseUrl = database.url('owner');
  t.deepEqual(await migrate({databaseUrl}), files);
  t.deepEqual(await migrate({databaseUrl}), []);
  const digests = await Promise.all(
    files.map(async name => ({
      name,
      hash: hash('sha256', await readFile(new URL(name, folder), 'utf8')),
    })),
  );
  t.deepEqual(await applied(database.pool('owner')), digests);
});

test('two migrations at once: one does the work, the other waits for it and has none', async t => {
  const databaseUrl = (await createEmpty(t)).url('owner');
  const done = await Promise.all([migrate({databaseUrl}), migrate({databaseUrl})]);
  t.deepEqual(
    done.sort((one, other) => one.length - other.length),
    [[], files],
  );
});

test('a file that changed after it was applied is an error', async t => {
  const database = await createTestDatabase(t);
  await database
    .pool('owner')
    .query(`update migrations set hash = 'other' where name = $1`, [files[1]]);
  await t.throwsAsync(migrate({databaseUrl: database.url('owner')}), {
    message: `migration ${files[1]} was changed after it was applied; add a new file instead`,
  });
});

const insert = `insert into migrations (name, hash) values ($1, 'x')`;

test('a database that a later release has brought on is left as it is: who goes back runs this release on it', async t => {
  const database = await createTestDatabase(t);
  await database.pool('owner').query(insert, ['9999-later.sql']);
  t.deepEqual(await migrate({databaseUrl: database.url('owner')}), []);
});

test('a database of another line is an error: a migration in between, or one of ours missing below a later one', async t => {
  const between = await createTestDatabase(t);
  await between.pool('owner').query(insert, ['0002-other.sql']);
  await t.throwsAsync(migrate({databaseUrl: between.url('owner')}), {message: /0002-other\.sql/});
  const missing = await createTestDatabase(t);
  await missing.pool('owner').query(insert, ['9999-later.sql']);
  await missing.pool('owner').query('delete from migrations where name = $1', [files.at(-1)]);
  await t.throwsAsync(migrate({databaseUrl: missing.url('owner')}), {message: /9999-later\.sql/});
});

test('a file that fails leaves nothing of itself, and those before it stay', async t => {
  const database = await createEmpty(t);
  // What the second file wants to make is there already.
  await database.pool('owner').query('create table models ()');
  await t.throwsAsync(migrate({databaseUrl: database.url('owner')}), {
    message: /migration 0002-registry\.sql failed/,
  });
  t.deepEqual(
    (await applied(database.pool('owner'))).map(({name}) => name),
    files.slice(0, 1),
  );
  const {rows} = await database.pool('owner').query(`select to_regclass('prices') as prices`);
  t.is(rows[0].prices, null);
  await database.pool('owner').query('drop table models');
  t.deepEqual(await migrate({databaseUrl: database.url('owner')}), files.slice(1));
});

test('a superuser is refused, because what it owns no policy binds', async t => {
  const database = await createTestDatabase(t);
  await t.throwsAsync(migrate({databaseUrl: database.url('superuser')}), {message: /superuser/});
});

test('a migration leaves no connection and no lock', async t => {
  const database = await createTestDatabase(t);
  await migrate({databaseUrl: database.url('owner')});
  await eventually(async () => {
    const {rows} = await database.pool('superuser').query(
      `select from pg_locks where locktype = 'advisory'
         and database = (select oid from pg_database where datname = current_database())`,
    );
    assert.equal(rows.length, 0);
  });
  t.pass();
});
