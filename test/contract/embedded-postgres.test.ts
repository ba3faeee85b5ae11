import {spawn} from 'node:child_process';
import {chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import pg from 'pg';
import {
  chooseAccount,
  reachablePrograms,
  unreachable,
} from '../../knative/local/postgres/account.ts';
import {explain} from '../../knative/local/postgres/errors.ts';
import {
  DataFolderInUse,
  EmbeddedPostgresError,
  type Postgres,
  startPostgres,
} from '../../knative/local/postgres/postgres.ts';
import {createHttpTestServer} from '../helpers/http.ts';

/** With what a URL and a shell would trip over. */
const password = `a'b"c /@:$x`;

const temporaryFolder = async (t: ExecutionContext) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-postgres-'));
  await chmod(folder, 0o755);
  t.teardown(() => rm(folder, {recursive: true, force: true}));
  return folder;
};

const start = async (
  t: ExecutionContext,
  directory: string,
  options: {takeover?: boolean; port?: number} = {},
) => {
  const postgres = await startPostgres({directory, password, fsync: false, ...options});
  t.teardown(postgres.stop);
  return postgres;
};

const query = async (postgres: Postgres, sql: string) => {
  const client = new pg.Client({connectionString: postgres.superuserUrl});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
};

const pidOf = async (directory: string) =>
  Number.parseInt(await readFile(join(directory, 'postmaster.pid'), 'utf8'), 10);

test('a new database speaks UTF-8, takes 200 connections and listens on this machine only', async t => {
  const postgres = await start(t, join(await temporaryFolder(t), 'postgres'));
  const [row] = await query(
    postgres,
    `select current_setting('server_encoding') as encoding, current_setting('max_connections') as connections,
       current_setting('listen_addresses') as addresses, datlocale as locale
     from pg_database where datname = current_database()`,
  );
  t.deepEqual(row, {
    encoding: 'UTF8',
    connections: '200',
    addresses: '127.0.0.1',
    locale: 'C.UTF-8',
  });
});

test('a wrong password is refused', async t => {
  const postgres = await start(t, join(await temporaryFolder(t), 'postgres'));
  const url = new URL(postgres.superuserUrl);
  url.password = 'wrong';
  await t.throwsAsync(query({...postgres, superuserUrl: url.href}, 'select 1'), {code: '28P01'});
});

test('data is there after a restart, and the password is not lying about', async t => {
  const folder = await temporaryFolder(t);
  const directory = join(folder, 'postgres');
  const first = await start(t, directory);
  await query(first, 'create table kept as select 42 as answer');
  await first.stop();
  await t.throwsAsync(stat(join(directory, 'postmaster.pid')), {code: 'ENOENT'});
  await t.throwsAsync(stat(`${directory}.password`), {code: 'ENOENT'});
  const second = await start(t, directory);
  t.deepEqual(await query(second, 'select answer from kept'), [{answer: 42}]);
});

test('a data folder in use is refused, and the server on it goes on', async t => {
  const directory = join(await temporaryFolder(t), 'postgres');
  const first = await start(t, directory);
  const error = await t.throwsAsync(startPostgres({directory, password}), {
    instanceOf: DataFolderInUse,
  });
  t.is(error?.pid, await pidOf(directory));
  t.deepEqual(await query(first, 'select 1 as one'), [{one: 1}]);
});

test('a server that an earlier run left behind is stopped on takeover, its data kept', async t => {
  const directory = join(await temporaryFolder(t), 'postgres');
  const first = await start(t, directory);
  await query(first, 'create table kept as select 42 as answer');
  const left = await pidOf(directory);
  const second = await start(t, directory, {takeover: true});
  t.not(await pidOf(directory), left);
  t.deepEqual(await query(second, 'select answer from kept'), [{answer: 42}]);
  await t.throwsAsync(query(first, 'select 1'), {code: 'ECONNREFUSED'});
});

test('a server that was killed is repaired by the next start', async t => {
  const directory = join(await temporaryFolder(t), 'postgres');
  const first = await start(t, directory);
  await query(first, 'create table kept as select 42 as answer');
  process.kill(await pidOf(directory), 'SIGKILL');
  const second = await start(t, directory, {takeover: true});
  t.deepEqual(await query(second, 'select answer from kept'), [{answer: 42}]);
});

test('a number in postmaster.pid that some other program has by now stops nothing', async t => {
  const directory = join(await temporaryFolder(t), 'postgres');
  const first = await start(t, directory);
  await first.stop();
  const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
    stdio: 'ignore',
  });
  t.teardown(() => bystander.kill());
  await writeFile(join(directory, 'postmaster.pid'), `${bystander.pid}\n${directory}\n`);
  await start(t, directory, {takeover: true});
  t.is(bystander.exitCode, null);
  t.is(bystander.signalCode, null);
});

test('a port in use is named', async t => {
  const {port} = await createHttpTestServer(t, (_request, response) => response.end());
  const directory = join(await temporaryFolder(t), 'postgres');
  await t.throwsAsync(startPostgres({directory, password, port, fsync: false}), {
    instanceOf: EmbeddedPostgresError,
    message: new RegExp(`port ${port} is in use`),
  });
});

test('a folder that holds something else is left alone', async t => {
  const directory = join(await temporaryFolder(t), 'postgres');
  await mkdir(directory);
  await writeFile(join(directory, 'thesis.txt'), 'mine');
  await t.throwsAsync(startPostgres({directory, password}), {
    message: /is not empty and holds no database/,
  });
  t.is(await readFile(join(directory, 'thesis.txt'), 'utf8'), 'mine');
});

test('a folder that cannot be made gives a message and no stack of PostgreSQL', async t => {
  const file = join(await temporaryFolder(t), 'file');
  await writeFile(file, '');
  await t.throwsAsync(startPostgres({directory: join(file, 'postgres'), password}), {
    instanceOf: EmbeddedPostgresError,
  });
});

test('no space and no permission are told apart', t => {
  t.is(explain('initdb', '/data', 'could not write: No space left on device').code, 'no_space');
  t.is(explain('initdb', '/data', 'Error: EACCES: permission denied').code, 'no_permission');
  t.is(explain('initdb', '/data', 'something else').code, 'failed');
});

const account = process.getuid?.() === 0 ? chooseAccount() : undefined;

if (account) {
  test('as root, a data folder below a private folder is refused by name', async t => {
    const folder = await temporaryFolder(t);
    await chmod(folder, 0o700);
    t.is(unreachable(account, join(folder, 'deep', 'postgres')), folder);
    await t.throwsAsync(startPostgres({directory: join(folder, 'deep', 'postgres'), password}), {
      instanceOf: EmbeddedPostgresError,
      message: new RegExp(`may not enter ${folder};`),
    });
  });

  test('as root, programs below a private folder are copied to where the account can run them', async t => {
    const folder = await temporaryFolder(t);
    const bin = join(folder, 'private/native/bin');
    await mkdir(bin, {recursive: true});
    await chmod(join(folder, 'private'), 0o700);
    const programs = {
      initdb: join(bin, 'initdb'),
      pg_ctl: join(bin, 'pg_ctl'),
      postgres: join(bin, 'postgres'),
    };
    for (const program of Object.values(programs)) {
      await writeFile(program, '#!/bin/sh\n', {mode: 0o700});
    }
    t.is(unreachable(account, programs.postgres), join(folder, 'private'));
    const copied = reachablePrograms(account, programs, join(folder, 'postgres'));
    t.deepEqual(copied, {
      initdb: join(folder, 'postgres.programs/bin/initdb'),
      pg_ctl: join(folder, 'postgres.programs/bin/pg_ctl'),
      postgres: join(folder, 'postgres.programs/bin/postgres'),
    });
    t.is(unreachable(account, copied.postgres), undefined);
    t.deepEqual(reachablePrograms(account, programs, join(folder, 'postgres')), copied);
  });
}
