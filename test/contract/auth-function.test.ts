import assert from 'node:assert/strict';
import {fork} from 'node:child_process';
import {once} from 'node:events';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {hashSecret, makeApiKey} from '../../events/api-key.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createTestDatabase, type TestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';

/** What is promised is a second; a machine with other work may take ten times as long. */
const soon = {timeoutMs: 10_000};

const main = fileURLToPath(new URL('../../functions/auth/main.ts', import.meta.url));

const startProcess = (t: ExecutionContext, environment: Record<string, string>) => {
  const child = fork(main, {env: {PORT: '0', ENVIRONMENT: 'prod', ...environment}, silent: true});
  t.teardown(() => child.kill('SIGKILL'));
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', text => {
    complaint += text;
  });
  const exited = once(child, 'close').then(([code]) => ({code, complaint}));
  return {child, exited};
};

const start = async (t: ExecutionContext, database: TestDatabase) => {
  const {child, exited} = startProcess(t, {DATABASE_URL: database.url('gateway')});
  const [message] = (await Promise.race([
    once(child, 'message'),
    exited.then(({complaint}) => Promise.reject(new Error(complaint))),
  ])) as [{listening: number}];
  const url = `http://127.0.0.1:${message.listening}`;
  const verify = (key?: string) =>
    fetch(`${url}/verify`, {headers: key === undefined ? {} : {authorization: `Bearer ${key}`}});
  return {url, verify, child, exited};
};

const makeKey = async (database: TestDatabase) => {
  const pool = database.pool('system');
  const [org, project, key] = [uuidv7(), uuidv7(), uuidv7()];
  const {text, publicId, secret} = makeApiKey();
  await pool.query('insert into orgs (id, name) values ($1, $1::uuid::text)', [org]);
  await pool.query(`insert into projects (id, org_id, name) values ($1, $2, 'p')`, [project, org]);
  await pool.query(
    `insert into keys (id, org_id, project_id, public_id, secret_hash, name) values ($1, $2, $3, $4, $5, 'k')`,
    [key, org, project, publicId, hashSecret(secret)],
  );
  return {org, project, key, text, pool};
};

test('the function on PostgreSQL: a key passes, is refused within a second of its revocation, and the process drains', async t => {
  const database = await createTestDatabase(t);
  const {org, project, key, text, pool} = await makeKey(database);
  const {url, verify, child, exited} = await start(t, database);
  const passed = await verify(text);
  t.is(passed.status, 200);
  t.deepEqual(
    ['org', 'project', 'key'].map(name => passed.headers.get(`x-sluice-${name}`)),
    [org, project, key],
  );
  t.is((await verify()).status, 401);
  t.is((await verify(makeApiKey().text)).status, 401);
  t.deepEqual(await (await fetch(`${url}/healthz`)).json(), {status: 'ok', function: 'auth'});

  await pool.query('update orgs set suspended_at = now() where id = $1', [org]);
  await eventually(async () => assert.equal((await verify(text)).status, 403), soon);
  await pool.query('update keys set revoked_at = now() where id = $1', [key]);
  await eventually(async () => assert.equal((await verify(text)).status, 401), soon);

  child.kill('SIGTERM');
  t.is((await exited).code, 0);
});

test('a key passes only for its scopes, by the one that the proxy names', async t => {
  const database = await createTestDatabase(t);
  const {key, text, pool} = await makeKey(database);
  await pool.query(`update keys set scopes = '{events}' where id = $1`, [key]);
  const {url} = await start(t, database);
  const verify = async (query: string) =>
    (await fetch(`${url}/verify${query}`, {headers: {authorization: `Bearer ${text}`}})).status;
  t.is(await verify('?scope=events'), 200);
  t.is(await verify('?scope=models'), 403);
  t.is(await verify('?scope=everything'), 400);
});

test('a superuser is refused at the start', async t => {
  const database = await createTestDatabase(t);
  const {exited} = startProcess(t, {DATABASE_URL: database.url('superuser')});
  const {code, complaint} = await exited;
  t.is(code, 1);
  t.regex(complaint, /no row-level policy binds/);
});

test('a wrong configuration is told at once, and ends with 2', async t => {
  const {exited} = startProcess(t, {PORT: 'http', ENVIRONMENT: 'moon'});
  const {code, complaint} = await exited;
  t.is(code, 2);
  for (const name of ['PORT', 'ENVIRONMENT', 'DATABASE_URL']) {
    t.regex(complaint, new RegExp(`^  ${name}: expected`, 'm'));
  }
});
