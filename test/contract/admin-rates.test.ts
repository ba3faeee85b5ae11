/** Limits of organisations, projects, keys and models: set, changed, taken away, and known to gateways. */
import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import {runCli} from '../../functions/admin/cli/program.ts';
import {createPrincipalLoader} from '../../functions/auth/load-principal.ts';
import {adminKey, startAdmin} from '../helpers/admin-server.ts';

const all = {requestsPerMinute: 600, tokensPerMinute: 2_147_483_647, parallelRequests: 4};

const createThree = async (t: ExecutionContext, rates: object = {}) => {
  const admin = await startAdmin(t);
  const org = await admin.create('/admin/v1/orgs', {name: 'Acme', ...rates});
  const project = await admin.create(`/admin/v1/orgs/${org.id}/projects`, {
    name: 'search',
    ...rates,
  });
  const key = await admin.create(`/admin/v1/projects/${project.id}/keys`, {name: 'k', ...rates});
  const {key: _secret, ...keyView} = key;
  const three = [
    [`/admin/v1/orgs/${org.id}`, org],
    [`/admin/v1/projects/${project.id}`, project],
    [`/admin/v1/keys/${key.id}`, keyView],
  ] as const;
  return {admin, three, org, project, key};
};

test('limits are given at the creation and shown; what has none shows none', async t => {
  for (const rates of [all, {}, {tokensPerMinute: 5}]) {
    const {admin, three} = await createThree(t, rates);
    for (const [path, created] of three) {
      for (const name of Object.keys(all)) {
        t.is(created[name], (rates as Record<string, number>)[name], name);
      }
      t.deepEqual((await admin.call('GET', path)).body, created);
    }
  }
});

test('a change of limits changes what it names, and null takes a limit away', async t => {
  const {admin, three} = await createThree(t, all);
  for (const [path, created] of three) {
    const changed = await admin.call('PATCH', path, {requestsPerMinute: 7, parallelRequests: null});
    t.is(changed.status, 200);
    const {parallelRequests: _, ...kept} = created;
    t.deepEqual(changed.body, {...kept, requestsPerMinute: 7});
    t.deepEqual((await admin.call('GET', path)).body, changed.body);
  }
});

test('what is no limit is refused, and so is a change of nothing', async t => {
  const {admin, three} = await createThree(t);
  for (const [path] of three) {
    for (const [body, parameter] of [
      [{requestsPerMinute: 0}, 'requestsPerMinute'],
      [{tokensPerMinute: 2_147_483_648}, 'tokensPerMinute'],
      [{parallelRequests: 1.5}, 'parallelRequests'],
      [{parallelRequests: '3'}, 'parallelRequests'],
      [{requestsPerSecond: 3}, 'requestsPerSecond'],
      [{}, undefined],
    ] as const) {
      const {status, body: problem} = await admin.call('PATCH', path, body);
      t.is(status, 400, JSON.stringify(body));
      t.is(problem.parameter, parameter);
    }
  }
});

test('who is not there cannot be changed', async t => {
  const {admin} = await createThree(t);
  for (const kind of ['orgs', 'projects', 'keys']) {
    const path = `/admin/v1/${kind}/0192f0c1-7a00-7000-8000-00000000000a`;
    t.is((await admin.call('PATCH', path, {requestsPerMinute: 1})).status, 404);
    t.is((await admin.call('GET', path)).status, 404);
  }
});

test('a project can change what an unsettled request costs and whether results are kept', async t => {
  const {admin, three, project} = await createThree(t, all);
  const [path] = three[1];
  const changed = await admin.call('PATCH', path, {unsettledPolicy: 'hold', keepResults: true});
  t.deepEqual(changed.body, {...project, unsettledPolicy: 'hold', keepResults: true});
  t.is((await admin.call('PATCH', path, {unsettledPolicy: 'never'})).status, 400);
});

test('a gateway loads the limits with the key, and is told of a change once and of none not at all', async t => {
  const {admin, three, key} = await createThree(t, {tokensPerMinute: 5});
  const gateway = admin.database.pool('gateway');
  const load = createPrincipalLoader(gateway);
  const ratesOf = async () => (await load(key.publicId as string))?.rates;
  t.deepEqual(await ratesOf(), {org: {tokens: 5}, project: {tokens: 5}, key: {tokens: 5}});
  const count = async () => {
    const {rows} = await gateway.query('select count(*)::int as count from changes');
    return rows[0].count as number;
  };
  const before = await count();
  for (const [path] of three) {
    await admin.call('PATCH', path, {tokensPerMinute: null, requestsPerMinute: 3});
    await admin.call('PATCH', path, {requestsPerMinute: 3});
  }
  t.is((await count()) - before, 3);
  t.deepEqual(await ratesOf(), {org: {requests: 3}, project: {requests: 3}, key: {requests: 3}});
  for (const [path] of three) {
    await admin.call('PATCH', path, {requestsPerMinute: null});
  }
  t.is(await ratesOf(), undefined);
});

test('the most output that may be asked for is said of projects and keys, and not of an organisation', async t => {
  const {admin, three, org} = await createThree(t);
  const [[organisation], ...owners] = three;
  for (const [path, created] of owners) {
    const changed = await admin.call('PATCH', path, {maxOutputTokens: 1_024});
    t.deepEqual(changed.body, {...created, maxOutputTokens: 1_024});
    t.deepEqual((await admin.call('GET', path)).body, changed.body);
    t.like(await admin.call('PATCH', path, {maxOutputTokens: 0}), {
      status: 400,
      body: {parameter: 'maxOutputTokens'},
    });
    t.deepEqual((await admin.call('PATCH', path, {maxOutputTokens: null})).body, created);
  }
  t.is((await admin.call('PATCH', organisation, {maxOutputTokens: 5})).status, 400);
  const project = await admin.create(`/admin/v1/orgs/${org.id}/projects`, {
    name: 'bounded',
    maxOutputTokens: 7,
  });
  t.is(project.maxOutputTokens, 7);
  const key = await admin.create(`/admin/v1/projects/${project.id}/keys`, {
    name: 'bounded',
    maxOutputTokens: 9,
  });
  t.is(key.maxOutputTokens, 9);
});

test('a gateway loads the smaller of what project and key allow, and is told of a change', async t => {
  const {admin, three, key} = await createThree(t);
  const [, [project], [ofKey]] = three;
  const gateway = admin.database.pool('gateway');
  const load = createPrincipalLoader(gateway);
  const most = async () => (await load(key.publicId as string))?.maxOutputTokens;
  const count = async () => {
    const {rows} = await gateway.query('select count(*)::int as count from changes');
    return rows[0].count as number;
  };
  const set = async (path: string, maxOutputTokens: number | null) => {
    const before = await count();
    await admin.call('PATCH', path, {maxOutputTokens});
    return [await most(), (await count()) - before];
  };
  t.is(await most(), undefined);
  t.deepEqual(await set(project, 100), [100, 1]);
  t.deepEqual(await set(ofKey, 200), [100, 1]);
  t.deepEqual(await set(ofKey, 50), [50, 1]);
  t.deepEqual(await set(ofKey, 50), [50, 0]);
  t.deepEqual(await set(project, null), [50, 1]);
  t.deepEqual(await set(ofKey, null), [undefined, 1]);
});

test('the command shows and sets limits', async t => {
  const {admin, org, project, key} = await createThree(t);
  const run = async (...args: string[]) => {
    const written = {out: '', err: ''};
    const code = await runCli(['limit', ...args], {
      environment: {SLUICE_URL: admin.url, SLUICE_ADMIN_KEY: adminKey},
      folder: '/',
      out: text => {
        written.out += text;
      },
      err: text => {
        written.err += text;
      },
      terminal: false,
    });
    return {code, ...written};
  };
  for (const owner of [
    ['--org', 'Acme'],
    ['--project', project.id as string],
    ['--key', key.id as string],
  ]) {
    const set = await run('set', ...owner, '--requests', '60', '--parallel', '2', '--json');
    assert.equal(set.code, 0, set.err);
    t.like(JSON.parse(set.out), {requestsPerMinute: 60, parallelRequests: 2});
    await run('set', ...owner, '--parallel', 'none');
    const shown = await run('show', ...owner);
    t.regex(shown.out, /requests a minute +60\n.*tokens a minute +none\n.*requests at once +none/s);
  }
  for (const owner of [
    ['--project', project.id as string],
    ['--key', key.id as string],
  ]) {
    const set = await run('set', ...owner, '--max-output-tokens', '512');
    t.regex(set.out, /output tokens +512\n/, set.err);
    t.regex((await run('set', ...owner, '--max-output-tokens', 'none')).out, /tokens +none\n/);
  }
  const ofOrg = await run('set', '--org', 'Acme', '--max-output-tokens', '512');
  t.is(ofOrg.code, 2);
  t.regex(ofOrg.err, /--max-output-tokens/);
  t.is((await run('set', '--org', org.id as string)).code, 2);
  t.is((await run('set', '--requests', '3')).code, 2);
  t.is((await run('set', '--org', 'Acme', '--requests', 'many')).code, 2);
  t.is((await run('set', '--org', 'Acme', '--requests', '0')).code, 2);
});
