import {execFile} from 'node:child_process';
import {readFile} from 'node:fs/promises';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import test from 'ava';
import {ApiError, createClient} from 'sluice/client';
import {routes} from '../../functions/admin/client/operations.ts';
import {adminKey, startAdmin} from '../helpers/admin-server.ts';

test('a tenant is made, listed, changed and shown by the generated client', async t => {
  const admin = await startAdmin(t);
  const client = createClient({url: admin.url, token: adminKey});
  const org = await client.createOrg({body: {name: 'Acme & Sons'}});
  const project = await client.createProject({org: org.id, body: {name: 'search'}});
  const key = await client.createKey({project: project.id, body: {name: 'one'}});
  t.regex(key.key ?? '', /^sk-[a-z2-7]{16}-/);
  t.is((await client.getKey({id: key.id})).key, undefined);
  const {data} = await client.listOrgs({name: 'Acme & Sons'});
  t.deepEqual(
    data.map(({id}) => id),
    [org.id],
  );
  const budget = await client.createBudget({
    body: {org: org.id, unit: 'usd', limit: '5.00', period: 'month'},
  });
  const changed = await client.changeBudget({id: budget.id, body: {limit: '7.50'}});
  t.is(changed.limit, '7.50');
  t.is(await client.revokeKey({id: key.id}), undefined);
  t.is(typeof (await client.getKey({id: key.id})).revokedAt, 'string');
});

test('a list is read to its end over real pages', async t => {
  const admin = await startAdmin(t);
  const client = createClient({url: admin.url, token: adminKey});
  const org = await client.createOrg({body: {name: 'one'}});
  const names = ['a', 'b', 'c', 'd', 'e'];
  for (const name of names) {
    await client.createProject({org: org.id, body: {name}});
  }
  const found: string[] = [];
  for await (const project of client.each.listProjects({org: org.id, limit: 2})) {
    found.push(project.name);
  }
  t.deepEqual(found, names);
});

test('what the server refuses is an ApiError with its code and parameter', async t => {
  const admin = await startAdmin(t);
  const client = createClient({url: admin.url, token: adminKey});
  const none = '0192f0c1-7a00-7000-8000-0000000000ff';
  t.like(await t.throwsAsync(client.getOrg({org: none}), {instanceOf: ApiError}), {
    status: 404,
    code: 'not_found',
  });
  t.like(await t.throwsAsync(client.createOrg({body: {name: ' '}})), {
    status: 400,
    parameter: 'name',
  });
  const stranger = createClient({url: admin.url, token: 'another-key-of-this-test'});
  t.like(await t.throwsAsync(stranger.listOrgs()), {status: 401, code: 'unauthorized'});
});

test('a POST that is sent twice with one Idempotency-Key makes one organisation', async t => {
  const admin = await startAdmin(t);
  let dropped = 0;
  const client = createClient({
    url: admin.url,
    token: adminKey,
    wait: async () => {},
    // The first answer is lost on its way.
    fetch: async (...request) => {
      const response = await fetch(...request);
      if (request[1]?.method === 'POST' && dropped++ === 0) {
        await response.text();
        throw new TypeError('fetch failed', {cause: {code: 'ECONNRESET'}});
      }
      return response;
    },
  });
  const org = await client.createOrg({body: {name: 'once'}});
  const {data} = await client.listOrgs();
  t.deepEqual(
    data.map(({id}) => id),
    [org.id],
  );
  t.is(dropped, 2);
});

test('a change with the ETag of another state is refused', async t => {
  const admin = await startAdmin(t);
  const client = createClient({url: admin.url, token: adminKey});
  const {id: org} = await client.createOrg({body: {name: 'one'}});
  const {etag} = await client.full.getOrg({org});
  t.is(typeof etag, 'string');
  t.like(await client.full.getOrg({org, ...(etag ? {ifNoneMatch: etag} : {})}), {
    status: 304,
    answer: undefined,
  });
  await client.changeOrg({org, body: {requestsPerMinute: 5}, ...(etag ? {ifMatch: etag} : {})});
  const late = client.changeOrg({
    org,
    body: {requestsPerMinute: 6},
    ...(etag ? {ifMatch: etag} : {}),
  });
  t.like(await t.throwsAsync(late), {status: 412});
  t.is((await client.getOrg({org})).requestsPerMinute, 5);
});

test('every operation of the document is a method of the client', async t => {
  const admin = await startAdmin(t);
  const client = createClient({url: admin.url, token: adminKey}) as unknown as Record<
    string,
    unknown
  >;
  const {paths} = admin.contract.document;
  const ids = Object.values(paths).flatMap(item =>
    Object.values(item).flatMap(({operationId}) => (operationId ? [String(operationId)] : [])),
  );
  t.true(ids.length > 40);
  t.deepEqual(Object.keys(routes).sort(), ids.sort());
  t.true(ids.every(name => typeof client[name] === 'function'));
});

test('the example of the README does what it says', async t => {
  const admin = await startAdmin(t);
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const readme = await readFile(`${root}/functions/admin/client/README.md`, 'utf8');
  const [, example = ''] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
  const {stdout} = await promisify(execFile)(
    process.execPath,
    ['--input-type=module-typescript', '--eval', example],
    {cwd: root, env: {...process.env, SLUICE_URL: admin.url, SLUICE_ADMIN_KEY: adminKey}},
  );
  t.is(stdout, 'true\nconflict\n');
});
