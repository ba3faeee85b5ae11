import test from 'ava';
import {startAdminWithCli} from '../helpers/cli.ts';

const secretPattern = /s?sk-[a-z2-7]{16}-[A-Za-z0-9_-]{43}/g;
const count = (text: string, part: string) => text.split(part).length - 1;

test('a secret is printed once, on standard output, and never with what --verbose tells', async t => {
  const {run} = await startAdminWithCli(t);
  await run('org', 'create', 'acme');
  await run('project', 'create', 'web');
  await run('key', 'create', 'turned', '--project', 'web');
  for (const [index, more] of [[], ['--json'], ['--csv']].entries()) {
    for (const args of [
      ['key', 'create', `site ${index}`, '--project', 'web'],
      ['key', 'rotate', 'turned'],
      ['service-key', 'create', 'ci', '--role', 'viewer'],
    ]) {
      const {code, out, err} = await run(...args, '--verbose', ...more);
      t.is(code, 0, err);
      const [secret = 'none', ...others] = out.match(secretPattern) ?? [];
      t.deepEqual(others, [], out);
      t.is(count(out, secret), 1);
      t.is(count(err, secret.slice(-43)), 0, err);
      t.regex(err, /POST /);
    }
  }
});

test('the token of a login link is printed once and never with what --verbose tells', async t => {
  const {run} = await startAdminWithCli(t);
  const created = await run(
    'user',
    'create',
    '--email',
    'ada@example.com',
    '--login-link',
    '--verbose',
  );
  const again = await run('user', 'login-link', 'ada@example.com', '--verbose', '--json');
  for (const {code, out, err} of [created, again]) {
    t.is(code, 0, err);
    const token = /#([A-Za-z0-9_-]{43})/.exec(out)?.[1] ?? 'none';
    t.is(count(out, token), 1);
    t.is(count(err, token), 0, err);
    t.regex(err, /login-links/);
  }
});

test('a key is found by its public id and by its name, with quiet only its id is printed', async t => {
  const {json, run} = await startAdminWithCli(t);
  await run('org', 'create', 'acme');
  await run('project', 'create', 'web');
  const made = await json('key', 'create', 'site', '--project', 'web');
  await run('org', 'create', 'other');
  await run('project', 'create', 'web', '--org', 'other');
  for (const name of [made.id, made.id.toUpperCase(), String(made.publicId), 'site']) {
    t.is((await json('key', 'show', name)).id, made.id);
    t.is((await run('key', 'show', name, '--quiet')).out, `${made.id}\n`);
  }
  t.is((await json('key', 'show', 'site', '--org', 'acme', '--project', 'web')).id, made.id);
  const elsewhere = await run('key', 'show', 'site', '--org', 'other');
  t.deepEqual(
    [elsewhere.code, elsewhere.err],
    [5, 'sluice: there is no key "site" in the organisation "other"\n'],
  );
  const service = await json('service-key', 'create', 'ci', '--role', 'viewer', '--org', 'acme');
  t.is((await json('service-key', 'show', String(service.publicId))).id, service.id);
});
