import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import {watchChanges} from '../../events/changes.ts';
import {openDirect} from '../../functions/admin/cli/models/direct.ts';
import {runCli} from '../../functions/admin/cli/program.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';
import {createHttpTestServer} from '../helpers/http.ts';

const setUp = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  const run = async (...args: string[]) => {
    const written = {out: '', err: ''};
    const code = await runCli(['registry', ...args], {
      environment: {DATABASE_URL: database.url('system')},
      folder: '/',
      out: text => {
        written.out += text;
      },
      err: text => {
        written.err += text;
      },
      terminal: false,
      wait: async () => {},
    });
    return {code, ...written};
  };
  return {database, run};
};
const serving = (t: ExecutionContext) =>
  createHttpTestServer(t, (request, response) => {
    response.writeHead(request.url === '/v1/models' ? 200 : 404, {
      'content-type': 'application/json',
    });
    response.end(JSON.stringify({data: [{id: 'tiny', max_model_len: 4096}]}));
  });

test('with the API down a model is registered, disabled, enabled and taken away on PostgreSQL, and it is audited', async t => {
  const {database, run} = await setUp(t);
  const {url} = await serving(t);
  const changes: string[] = [];
  const watching = watchChanges({
    databaseUrl: database.url('gateway'),
    // A first read that comes late on a busy machine would say no more than that all may have changed.
    queryTimeoutMs: 30_000,
    onChanges: found => {
      if (found !== 'all') {
        changes.push(...found.map(({kind}) => kind));
      }
    },
  });
  await watching.start();
  t.teardown(watching.close);
  const registered = await run(
    ...['register', 'tiny', '--environment', 'dev', '--endpoint', url, '--price', 'free'],
    ...['--context-length', '4096', '--start-seconds', '60', '--json', '--database-url'],
  );
  t.is(registered.code, 0, registered.err);
  t.like(JSON.parse(registered.out), {name: 'tiny', environment: 'development', price: 'free'});
  // Gateways follow by what they read there anyway.
  await eventually(async () => assert.ok(changes.includes('model')), {timeoutMs: 60_000});
  t.regex((await run('list', '--database-url')).out, /^tiny +development/m);
  const disabled = await run('disable', 'tiny', '--database-url');
  t.is(disabled.code, 0, disabled.err);
  t.regex(disabled.out, /^status +disabled$/m);
  const {code, err} = await run('deregister', 'tiny', '--database-url');
  t.is(code, 2);
  t.regex(err, /give --yes if it is meant/);
  t.is((await run('deregister', 'tiny', '--yes', '--database-url')).code, 0);
  t.is((await run('show', 'tiny', '--database-url')).code, 5);
  const {rows} = await database
    .pool('superuser')
    .query('select actor_kind, actor_name, operation from audit order by id');
  t.deepEqual(
    [...new Set(rows.map(({operation}) => operation))],
    ['registerModel', 'disableModel', 'removeModel'],
  );
  t.true(rows.every(row => row.actor_kind === 'database' && row.actor_name === 'sluice_system'));
});

test('what the API would refuse is refused on PostgreSQL too', async t => {
  const {run} = await setUp(t);
  const refused = await run(
    ...['register', 'tiny', '--environment', 'nowhere', '--endpoint', 'http://a'],
    ...['--price', 'free', '--database-url'],
  );
  t.is(refused.code, 2);
  t.regex(refused.err, /environment: expected/);
});

test('what works on PostgreSQL listens on this machine, for its own key, and ends', async t => {
  const {database} = await setUp(t);
  const {settings, close} = await openDirect(database.url('system'));
  t.regex(settings.url, /^http:\/\/127\.0\.0\.1:\d+$/);
  const status = async (token: string) =>
    (await fetch(`${settings.url}/admin/v1/models`, {headers: {authorization: `Bearer ${token}`}}))
      .status;
  t.is(await status(settings.token as string), 200);
  t.is(await status('another-key-of-this-test'), 401);
  await close();
  await t.throwsAsync(status(settings.token as string));
});

test('a dry run on PostgreSQL changes nothing', async t => {
  const {database, run} = await setUp(t);
  const dry = await run(
    ...['register', 'tiny', '--environment', 'dev', '--endpoint', 'http://a', '--price', 'free'],
    ...['--dry-run', '--database-url'],
  );
  t.is(dry.code, 0, dry.err);
  t.regex(dry.out, /^would send POST \/admin\/v1\/models$/m);
  const {rows} = await database.pool('superuser').query('select from models');
  t.is(rows.length, 0);
});

test('a database that is away is unreachable, and its password is not shown', async t => {
  const {run} = await setUp(t);
  const {port, server} = await createHttpTestServer(t, () => {});
  await new Promise(resolve => server.close(resolve));
  const {code, err} = await run(
    'list',
    `--database-url=postgres://sluice_system:hunter2@127.0.0.1:${port}/x`,
  );
  t.is(code, 3);
  t.regex(err, /ECONNREFUSED/);
  t.notRegex(err, /hunter2/);
});
