import test from 'ava';
import {asTenant} from '../../events/database.ts';
import {startAdmin} from '../helpers/admin-server.ts';
import {createPeople} from '../helpers/people.ts';

const users = '/admin/v1/users';
const ada = {email: 'Ada.Lovelace@Example.COM', name: 'Ada'};

test("users are the operator's: nobody else reads, makes or changes one, nor a link for one", async t => {
  const admin = await startAdmin(t);
  const {createMember} = createPeople(admin);
  const {org} = await admin.createTenant('acme');
  const owner = await createMember(org, 'owner');
  for (const [method, path, body] of [
    ['GET', users],
    ['GET', `${users}?email=${owner.email}`],
    ['GET', `${users}/${owner.user}`],
    ['POST', users, {...ada, operator: true}],
    ['PATCH', `${users}/${owner.user}`, {operator: true}],
    ['DELETE', `${users}/${owner.user}`],
    ['POST', `${users}/${owner.user}/login-links`],
  ] as const) {
    t.is((await owner.call(method, path, body)).status, 403, `${method} ${path}`);
  }
  t.is((await admin.call('GET', `${users}/${owner.user}`)).body.operator, false);
});

test("a tenant's query reads no user but through the functions, and those ask for the operator", async t => {
  const {database, create} = await startAdmin(t);
  const {id} = await create(users, ada);
  const client = await database.pool('tenant').connect();
  t.teardown(() => client.release());
  const asking = async (text: string, actor: object | undefined) => {
    await client.query('begin');
    try {
      await client.query("select set_config('sluice.actor', $1, true)", [
        actor ? JSON.stringify(actor) : '',
      ]);
      return await client.query(text);
    } finally {
      await client.query('rollback');
    }
  };
  const denied = {code: '42501'};
  for (const table of ['users', 'sessions', 'login_links']) {
    await t.throwsAsync(asking(`select from ${table}`, {operator: true}), denied, table);
  }
  for (const text of [
    'select * from list_users(null, null, null, 10)',
    "select * from create_user(gen_random_uuid(), 'x@y.de', 'x', true)",
    `select * from change_user('${id}', null, true, null)`,
    `select delete_user('${id}')`,
    `select * from create_login_link('${id}', sha256('x'))`,
    "select invite_user(gen_random_uuid(), 'x@y.de', 'x')",
  ]) {
    await t.throwsAsync(asking(text, undefined), denied, text);
    await t.throwsAsync(asking(text, {operator: false}), denied, text);
  }
  t.is(
    (await asking('select * from list_users(null, null, null, 10)', {operator: true})).rowCount,
    1,
  );
});

test("an organisation's transaction sees and removes its own people only, whatever ids it names", async t => {
  const admin = await startAdmin(t);
  const acme = await admin.createTenant('acme');
  const other = await admin.createTenant('other');
  const add = (org: string, email: string) =>
    admin.create(`/admin/v1/orgs/${org}/members`, {email, role: 'viewer'});
  const own = await add(acme.org, 'own@example.com');
  const foreign = await add(other.org, 'zebra@example.com');
  const group = await admin.create(`/admin/v1/orgs/${other.org}/group-roles`, {
    group: 'g',
    role: 'viewer',
  });
  const as = asTenant(admin.database.pool('tenant'));
  await as(acme.org, async client => {
    const list = 'select id from list_members($1, null, $2, null, 10)';
    t.deepEqual((await client.query(list, [null, null])).rows, [{id: own.id}]);
    t.deepEqual((await client.query(list, [foreign.id, null])).rows, []);
    t.deepEqual((await client.query(list, [null, 'zebra@example.com'])).rows, []);
    const removed = await client.query(
      'select remove_member($1) as member, remove_group_role($2) as "group"',
      [foreign.id, group.id],
    );
    t.deepEqual(removed.rows, [{member: false, group: false}]);
  });
  t.is((await admin.call('GET', `/admin/v1/members/${foreign.id}`)).status, 200);
  t.is((await admin.call('GET', `/admin/v1/group-roles/${group.id}`)).status, 200);
});

test('what cannot be an id is 400 wherever a person is named', async t => {
  const {send} = await startAdmin(t);
  for (const [method, path, body] of [
    ['GET', (id: string) => `${users}/${id}`],
    ['PATCH', (id: string) => `${users}/${id}`, {name: 'x'}],
    ['DELETE', (id: string) => `${users}/${id}`],
    ['POST', (id: string) => `${users}/${id}/login-links`],
    ['GET', (id: string) => `/admin/v1/orgs/${id}/members`],
    ['POST', (id: string) => `/admin/v1/orgs/${id}/members`, {email: 'a@b.de', role: 'viewer'}],
    ['PATCH', (id: string) => `/admin/v1/members/${id}`, {role: 'viewer'}],
    ['DELETE', (id: string) => `/admin/v1/group-roles/${id}`],
    ['DELETE', (id: string) => `/admin/v1/service-keys/${id}`],
  ] as const) {
    for (const id of ['x', '1', "1' or '1'='1", '%00', '%zz', '__proto__', 'a'.repeat(4_000)]) {
      t.is((await send(method, path(id), body)).status, 400, `${method} ${path(id)}`);
    }
  }
});
