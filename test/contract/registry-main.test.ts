import {fork} from 'node:child_process';
import {once} from 'node:events';
import test, {type ExecutionContext} from 'ava';
import {createTestDatabase} from '../helpers/database.ts';

const start = (t: ExecutionContext, environment: Record<string, string>) => {
  const child = fork('functions/registry/main.ts', {
    silent: true,
    env: {PATH: process.env.PATH ?? '', ...environment},
  });
  t.teardown(() => child.kill('SIGKILL'));
  let errors = '';
  child.stderr?.on('data', part => {
    errors += part;
  });
  return {child, errors: () => errors};
};

test('the registry serves as its own process and ends when told to', async t => {
  const database = await createTestDatabase(t);
  const {child} = start(t, {
    PORT: '0',
    DATABASE_URL: database.url('system'),
    ADMIN_KEY: 'a key of sixteen or more',
  });
  const [{listening}] = (await once(child, 'message')) as [{listening: number}];
  const response = await fetch(`http://127.0.0.1:${listening}/admin/v1/models`, {
    headers: {authorization: 'Bearer a key of sixteen or more'},
  });
  t.deepEqual(await response.json(), {data: []});
  child.kill('SIGTERM');
  t.deepEqual(await once(child, 'exit'), [0, null]);
});

test('the registry tells all that is wrong with its settings and exits 2', async t => {
  const {child, errors} = start(t, {PORT: 'x', ADMIN_KEY: 'short'});
  t.deepEqual(await once(child, 'close'), [2, null]);
  t.regex(errors(), /PORT: .*\n.*DATABASE_URL: .*\n.*ADMIN_KEY: /);
  t.notRegex(errors(), /short"/);
});
