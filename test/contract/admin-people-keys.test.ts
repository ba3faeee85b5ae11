import test from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {startAdmin} from '../helpers/admin-server.ts';
import {createPeople} from '../helpers/people.ts';

const keysOf = (org: string) => `/admin/v1/orgs/${org}/service-keys`;
const groupsOf = (org: string) => `/admin/v1/orgs/${org}/group-roles`;
const keyPath = (id: string) => `/admin/v1/service-keys/${id}`;
const groupPath = (id: string) => `/admin/v1/group-roles/${id}`;

test('a service key is shown once, and of its secret only the hash is kept', async t => {
  const {call, createTenant, database} = await startAdmin(t);
  const {org, project} = await createTenant('acme');
  const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
  const made = await call('POST', keysOf(org), {name: 'ci', role: 'member', project, expiresAt});
  t.is(made.status, 201);
  t.is(made.headers.get('location'), keyPath(made.body.id));
  const {key, ...rest} = made.body;
  t.regex(String(key), /^ssk-/);
  t.like(rest, {org, project, name: 'ci', role: 'member', expiresAt});
  t.deepEqual((await call('GET', keyPath(made.body.id))).body, rest as never);
  t.deepEqual((await call('GET', keysOf(org))).body.data, [rest as never]);
  const {rows} = await database
    .pool('superuser')
    .query('select s::text as row from service_keys s union all select a::text from audit a');
  const secret = String(key).split('-').slice(2).join('-');
  t.true(rows.length > 1);
  t.false(JSON.stringify(rows).includes(secret));
});

test('a service key does what its role may, in its place and nothing more', async t => {
  const {call, create, createTenant} = await startAdmin(t);
  const {org, project} = await createTenant('acme');
  const other = await createTenant('other');
  const inOrg = await create(keysOf(org), {name: 'a', role: 'admin'});
  const inProject = await create(keysOf(org), {name: 'b', role: 'viewer', project});
  const as = (key: typeof inOrg, method: string, path: string, body?: object) =>
    call(method, path, body, {token: String(key.key)});
  t.is((await as(inOrg, 'POST', `/admin/v1/orgs/${org}/projects`, {name: 'x'})).status, 201);
  t.is((await as(inOrg, 'GET', `/admin/v1/orgs/${other.org}`)).status, 404);
  t.is((await as(inProject, 'GET', `/admin/v1/projects/${project}`)).status, 200);
  t.is((await as(inProject, 'GET', `/admin/v1/orgs/${org}/members`)).status, 403);
  const keys = `/admin/v1/projects/${project}/keys`;
  t.is((await as(inProject, 'POST', keys, {name: 'x'})).status, 403);
});

test('a service key that is revoked or over is refused at its next request', async t => {
  const {call, create, createTenant, database} = await startAdmin(t);
  const {org} = await createTenant('acme');
  const one = await create(keysOf(org), {name: 'one', role: 'viewer'});
  const two = await create(keysOf(org), {name: 'two', role: 'viewer'});
  const show = (token: unknown) =>
    call('GET', `/admin/v1/orgs/${org}`, undefined, {token: String(token)});
  t.is((await show(one.key)).status, 200);
  t.is((await call('DELETE', keyPath(one.id))).status, 204);
  t.is((await show(one.key)).status, 401);
  const {revokedAt} = (await call('GET', keyPath(one.id))).body;
  t.is(typeof revokedAt, 'string');
  t.is((await call('DELETE', keyPath(one.id))).status, 204);
  t.is((await call('GET', keyPath(one.id))).body.revokedAt, revokedAt);
  t.is((await show(two.key)).status, 200);
  await database
    .pool('superuser')
    .query('update service_keys set expires_at = now() where id = $1', [two.id]);
  t.is((await show(two.key)).status, 401);
  t.is((await show(`${String(two.key).slice(0, -2)}AA`)).status, 401);
});

test('when a service key was used last is known to the minute, and not audited', async t => {
  const {call, create, createTenant, database} = await startAdmin(t);
  const {org} = await createTenant('acme');
  const {id, key} = await create(keysOf(org), {name: 'one', role: 'viewer'});
  const pool = database.pool('superuser');
  const use = () => call('GET', `/admin/v1/orgs/${org}`, undefined, {token: String(key)});
  const lastUsed = async () =>
    (await call('GET', keyPath(id))).body.lastUsedAt as string | undefined;
  t.is(await lastUsed(), undefined);
  await call('GET', `/admin/v1/orgs/${org}`, undefined, {token: `${String(key).slice(0, -2)}AA`});
  t.is(await lastUsed(), undefined, 'a wrong secret is no use of the key');
  await use();
  const first = await lastUsed();
  t.true(Math.abs(Date.parse(String(first)) - Date.now()) < 60_000);
  await use();
  t.is(await lastUsed(), first, 'within the minute nothing is written');
  await pool.query("update service_keys set last_used_at = now() - interval '61 seconds'");
  const answers = await Promise.all(Array.from({length: 8}, use));
  t.true(answers.every(({status}) => status === 200));
  t.true(Date.parse(String(await lastUsed())) >= Date.parse(String(first)));
  const {rows} = await pool.query('select operation from audit where subject = $1', [id]);
  t.deepEqual(rows, [{operation: 'createServiceKey'}]);
});

test('a service key makes none that outlives it', async t => {
  const {call, create, createTenant} = await startAdmin(t);
  const {org} = await createTenant('acme');
  const inAnHour = new Date(Date.now() + 3_600_000);
  const {key} = await create(keysOf(org), {
    name: 'short',
    role: 'admin',
    expiresAt: inAnHour.toISOString(),
  });
  const token = String(key);
  const make = (expiresAt?: Date) =>
    call(
      'POST',
      keysOf(org),
      {name: 'x', role: 'admin', ...(expiresAt ? {expiresAt} : {})},
      {token},
    );
  t.like(await make(), {status: 403, body: {parameter: 'expiresAt'}});
  t.is((await make(new Date(inAnHour.getTime() + 1))).status, 403);
  t.is((await make(inAnHour)).status, 201);
  const {key: lasting} = await create(keysOf(org), {name: 'long', role: 'admin'});
  const made = await call(
    'POST',
    keysOf(org),
    {name: 'x', role: 'viewer'},
    {token: String(lasting)},
  );
  t.is(made.status, 201);
});

test('what is no service key is refused and named', async t => {
  const {call, createTenant} = await startAdmin(t);
  const {org} = await createTenant('acme');
  const {project: foreign} = await createTenant('other');
  for (const [body, status, parameter] of [
    [{role: 'viewer'}, 400, 'name'],
    [{name: 'x'}, 400, 'role'],
    [{name: 'x', role: 'operator'}, 400, 'role'],
    [{name: 'x', role: 'viewer', expiresAt: 'soon'}, 400, 'expiresAt'],
    [{name: 'x', role: 'viewer', expiresAt: '2020-01-01T00:00:00Z'}, 400, 'expiresAt'],
    [{name: 'x', role: 'viewer', key: 'ssk-mine'}, 400, 'key'],
    [{name: 'x', role: 'viewer', project: foreign}, 404, 'project'],
  ] as const) {
    const answer = await call('POST', keysOf(org), body);
    t.like(answer, {status, body: {parameter}}, answer.text);
  }
  t.is((await call('GET', keyPath(uuidv7()))).status, 404);
  t.is((await call('DELETE', keyPath(uuidv7()))).status, 404);
  t.deepEqual((await call('GET', keysOf(org))).body.data, []);
});

test('a group of the provider is worth a role, from the next request of who is in it', async t => {
  const admin = await startAdmin(t);
  const {logIn} = createPeople(admin);
  const {org, project} = await admin.createTenant('acme');
  const user = await admin.create('/admin/v1/users', {email: 'ada@example.com', name: 'Ada'});
  const call = await logIn(user.id, ['engineering', 'everyone']);
  const show = `/admin/v1/orgs/${org}`;
  t.is((await call('GET', show)).status, 404);
  const made = await admin.call('POST', groupsOf(org), {group: 'engineering', role: 'viewer'});
  t.like(made, {status: 201, body: {org, group: 'engineering', role: 'viewer'}});
  t.is(made.headers.get('location'), groupPath(made.body.id));
  t.is((await call('GET', show)).status, 200);
  t.is((await call('POST', `${show}/projects`, {name: 'x'})).status, 403);
  const changed = await admin.call('PATCH', groupPath(made.body.id), {role: 'admin'});
  t.is(changed.body.role, 'admin');
  t.is((await call('POST', `${show}/projects`, {name: 'x'})).status, 201);
  const inProject = await admin.create(groupsOf(org), {
    group: 'engineering',
    role: 'member',
    project,
  });
  t.deepEqual((await admin.call('GET', groupPath(inProject.id))).body, inProject);
  t.deepEqual((await admin.call('GET', groupsOf(org))).body.data, [changed.body, inProject]);
  t.deepEqual((await admin.call('GET', `${groupsOf(org)}?project=${project}`)).body.data, [
    inProject,
  ]);
  const again = await admin.call('POST', groupsOf(org), {group: 'engineering', role: 'owner'});
  t.like(again, {status: 409, body: {parameter: 'group'}});
  t.is((await admin.call('DELETE', groupPath(made.body.id))).status, 204);
  t.is((await call('GET', `${show}/members`)).status, 403, 'a role in one project is left');
  t.is((await admin.call('DELETE', groupPath(inProject.id))).status, 204);
  t.is((await call('GET', show)).status, 404);
  t.is((await admin.call('DELETE', groupPath(made.body.id))).status, 404);
  const {rows} = await admin.database
    .pool('superuser')
    .query('select operation, before, after from audit where subject = $1 order by id', [
      made.body.id,
    ]);
  t.deepEqual(
    rows.map(row => [row.operation, row.before?.role, row.after?.role]),
    [
      ['createGroupRole', undefined, 'viewer'],
      ['changeGroupRole', 'viewer', 'admin'],
      ['removeGroupRole', 'admin', undefined],
    ],
  );
});

test('what is no group, role or project is refused and named', async t => {
  const {call, createTenant} = await startAdmin(t);
  const {org} = await createTenant('acme');
  const {project: foreign} = await createTenant('other');
  for (const [body, status, parameter] of [
    [{group: '', role: 'viewer'}, 400, 'group'],
    [{group: ' x', role: 'viewer'}, 400, 'group'],
    [{group: 'x'.repeat(257), role: 'viewer'}, 400, 'group'],
    [{group: 'x'}, 400, 'role'],
    [{group: 'x', role: 'root'}, 400, 'role'],
    [{group: 'x', role: 'viewer', project: foreign}, 404, 'project'],
    [{group: 'x', role: 'viewer', user: uuidv7()}, 400, 'user'],
  ] as const) {
    const answer = await call('POST', groupsOf(org), body);
    t.like(answer, {status, body: {parameter}}, answer.text);
  }
  t.is((await call('PATCH', groupPath(uuidv7()), {role: 'viewer'})).status, 404);
  t.deepEqual((await call('GET', groupsOf(org))).body.data, []);
});
