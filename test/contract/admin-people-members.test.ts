import test from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {startAdmin} from '../helpers/admin-server.ts';
import {createPeople} from '../helpers/people.ts';

const members = (org: string) => `/admin/v1/orgs/${org}/members`;
const member = (id: string) => `/admin/v1/members/${id}`;

test('a member is added by email: a user there is, or one who is invited until they log in', async t => {
  const {call, create, createTenant, database} = await startAdmin(t);
  const {org, project} = await createTenant('acme');
  const user = await create('/admin/v1/users', {email: 'ada@example.com', name: 'Ada'});
  const ada = await call('POST', members(org), {
    email: 'ADA@example.com',
    role: 'admin',
    name: 'Not Ada',
  });
  t.like(ada, {
    status: 201,
    body: {org, user: user.id, email: 'ada@example.com', name: 'Ada', role: 'admin', invited: true},
  });
  t.is(ada.headers.get('location'), member(ada.body.id));
  const named = await create(members(org), {email: 'b@c.de', role: 'viewer', name: 'Bob', project});
  t.like(named, {name: 'Bob', project, invited: true});
  const unnamed = await create(members(org), {email: 'new@c.de', role: 'viewer'});
  t.is(unnamed.name, 'new@c.de');
  const long = `${'a'.repeat(64)}@${`${'b'.repeat(60)}.`.repeat(3)}de`;
  const other = await createTenant('other');
  t.is((await create(members(other.org), {email: long, role: 'viewer'})).name, long.slice(0, 200));
  await database
    .pool('superuser')
    .query('update users set last_login_at = now() where id = $1', [user.id]);
  const shown = (await call('GET', member(ada.body.id))).body;
  t.is(shown.invited, false);
  t.is(typeof shown.lastLoginAt, 'string');
  t.deepEqual((await call('GET', members(org))).body.data, [shown, named, unnamed]);
  t.deepEqual((await call('GET', `${members(org)}?project=${project}`)).body.data, [named]);
  t.deepEqual((await call('GET', `${members(org)}?email=New@C.de`)).body.data, [unnamed]);
  const page = (await call('GET', `${members(org)}?limit=2`)).body;
  t.deepEqual((await call('GET', `${members(org)}?limit=2&after=${page.next}`)).body, {
    data: [unnamed],
  } as never);
});

test('one person has one role in a place, and others in its projects', async t => {
  const {call, createTenant} = await startAdmin(t);
  const {org, project} = await createTenant('acme');
  const email = 'ada@example.com';
  const answers = await Promise.all(
    [1, 2, 3].map(() => call('POST', members(org), {email, role: 'viewer'})),
  );
  t.deepEqual(answers.map(({status}) => status).toSorted(), [201, 409, 409]);
  t.is(answers.find(({status}) => status === 409)?.body.parameter, 'email');
  t.is((await call('POST', members(org), {email, role: 'admin', project})).status, 201);
  t.is((await call('POST', members(org), {email, role: 'admin', project})).status, 409);
});

test('what is no role, email or project is refused and named, and changes nothing', async t => {
  const {call, createTenant} = await startAdmin(t);
  const {org} = await createTenant('acme');
  const {project: foreign} = await createTenant('other');
  const good = {email: 'ada@example.com', role: 'viewer'};
  for (const [body, status, parameter] of [
    [{...good, role: 'operator'}, 400, 'role'],
    [{...good, role: 'Owner'}, 400, 'role'],
    [{...good, role: undefined}, 400, 'role'],
    [{...good, email: 'ada'}, 400, 'email'],
    [{...good, project: 'x'}, 400, 'project'],
    [{...good, org}, 400, 'org'],
    [{...good, project: uuidv7()}, 404, 'project'],
    [{...good, project: foreign}, 404, 'project'],
  ] as const) {
    const answer = await call('POST', members(org), body);
    t.like(answer, {status, body: {parameter}}, answer.text);
  }
  t.deepEqual((await call('GET', members(org))).body.data, []);
  t.is((await call('POST', members(uuidv7()), good)).status, 404);
  t.is((await call('PATCH', member(uuidv7()), {role: 'viewer'})).status, 404);
  t.is((await call('DELETE', member(uuidv7()))).status, 404);
  const {id} = (await call('POST', members(org), good)).body;
  t.like(await call('PATCH', member(id), {role: 'boss'}), {status: 400, body: {parameter: 'role'}});
  t.like(await call('PATCH', member(id), {role: 'admin', email: 'x@y.de'}), {status: 400});
  const users = (await call('GET', '/admin/v1/users')).body.data;
  t.deepEqual(
    users.map(({email}) => email),
    ['ada@example.com'],
    'a refused invitation leaves no user behind',
  );
});

test('a role counts from the next request on: given, changed, taken away', async t => {
  const admin = await startAdmin(t);
  const {createMember} = createPeople(admin);
  const {org} = await admin.createTenant('acme');
  const {id, call} = await createMember(org, 'viewer');
  const projects = `/admin/v1/orgs/${org}/projects`;
  t.is((await call('POST', projects, {name: 'one'})).status, 403);
  t.is((await admin.call('PATCH', member(id), {role: 'admin'})).body.role, 'admin');
  t.is((await call('POST', projects, {name: 'one'})).status, 201);
  t.is((await admin.call('DELETE', member(id))).status, 204);
  t.is((await call('GET', projects)).status, 404);
  t.is((await admin.call('DELETE', member(id))).status, 404);
});

test('each change of a member is in the audit of its organisation', async t => {
  const admin = await startAdmin(t);
  const {createMember} = createPeople(admin);
  const {org, project} = await admin.createTenant('acme');
  const owner = await createMember(org, 'owner');
  const {body} = await owner.call('POST', members(org), {email: 'x@y.de', role: 'viewer', project});
  await owner.call('PATCH', member(body.id), {role: 'member'});
  await owner.call('DELETE', member(body.id));
  const {rows} = await admin.database
    .pool('superuser')
    .query('select * from audit where subject = $1 order by id', [body.id]);
  t.deepEqual(
    rows.map(row => [row.operation, row.before?.role, row.after?.role]),
    [
      ['createMember', undefined, 'viewer'],
      ['changeMember', 'viewer', 'member'],
      ['removeMember', 'member', undefined],
    ],
  );
  t.true(rows.every(row => row.org_id === org && row.subject_kind === 'member'));
  t.true(rows.every(row => row.actor_id === owner.user && row.actor_name === owner.email));
});

test('the last owner who can log in is neither removed nor weakened, but by the operator', async t => {
  const admin = await startAdmin(t);
  const {createMember} = createPeople(admin);
  const {org, project} = await admin.createTenant('acme');
  const one = await createMember(org, 'owner');
  const two = await createMember(org, 'owner');
  await createMember(org, 'owner', {project});
  await admin.call('PATCH', `/admin/v1/users/${two.user}`, {disabled: true});
  const refused = {status: 409, body: {code: 'conflict'}} as const;
  t.like(await one.call('DELETE', member(one.id)), refused);
  t.like(await one.call('PATCH', member(one.id), {role: 'admin'}), refused);
  t.is((await one.call('PATCH', member(one.id), {role: 'owner'})).status, 200, 'nothing changes');
  await admin.call('PATCH', `/admin/v1/users/${two.user}`, {disabled: false});
  t.is((await one.call('DELETE', member(one.id))).status, 204);
  t.is((await admin.call('PATCH', member(two.id), {role: 'viewer'})).status, 200);
  t.deepEqual((await admin.call('GET', `${members(org)}?email=${one.email}`)).body.data, []);
});

test('of owners who remove or weaken each other at once one stays', async t => {
  const admin = await startAdmin(t);
  const {createMember} = createPeople(admin);
  for (const [round, act] of [
    'DELETE DELETE',
    'PATCH PATCH',
    'DELETE PATCH',
    'DELETE DELETE',
    'PATCH PATCH',
  ].entries()) {
    const {org} = await admin.createTenant(`acme ${round}`);
    const owners = [await createMember(org, 'owner'), await createMember(org, 'owner')] as const;
    const methods = act.split(' ');
    const answers = await Promise.all(
      owners.map(({call}, index) =>
        call(
          methods[index] as string,
          member(owners[1 - index]?.id as string),
          methods[index] === 'PATCH' ? {role: 'viewer'} : undefined,
        ),
      ),
    );
    const left = (await admin.call('GET', members(org))).body.data.filter(
      ({role}) => role === 'owner',
    );
    t.is(left.length, 1, `${act}: ${answers.map(({status}) => status)}`);
    t.true(answers.every(({status}) => [200, 204, 409, 403, 404].includes(status)));
  }
});

test('of three owners who each remove the next at once at least one stays, and nobody waits for ever', async t => {
  const admin = await startAdmin(t);
  const {createMember} = createPeople(admin);
  const {org} = await admin.createTenant('acme');
  const owners: Array<Awaited<ReturnType<typeof createMember>>> = [];
  for (let count = 0; count < 3; count += 1) {
    owners.push(await createMember(org, 'owner'));
  }
  const answers = await Promise.all(
    owners.map(({call}, index) => call('DELETE', member(owners[(index + 1) % 3]?.id as string))),
  );
  t.true(answers.every(({status}) => [204, 409, 404].includes(status)));
  t.true((await admin.call('GET', members(org))).body.data.length >= 1);
});

test('a viewer reads who is a member, also of a project, and nobody of another organisation', async t => {
  const admin = await startAdmin(t);
  const {createMember} = createPeople(admin);
  const acme = await admin.createTenant('acme');
  const other = await admin.createTenant('other');
  const viewer = await createMember(acme.org, 'viewer');
  const inProject = await createMember(acme.org, 'viewer', {project: acme.project});
  const stranger = await createMember(other.org, 'owner', {email: 'zebra@example.com'});
  const {text, body} = await viewer.call('GET', members(acme.org));
  t.is(body.data.length, 2);
  t.false(text.includes('zebra'));
  t.is(
    (await viewer.call('GET', `${members(acme.org)}?email=zebra@example.com`)).body.data.length,
    0,
  );
  t.is((await viewer.call('GET', member(stranger.id))).status, 404);
  t.is((await viewer.call('GET', members(other.org))).status, 404);
  t.is((await inProject.call('GET', members(acme.org))).status, 403);
  const own = await inProject.call('GET', `${members(acme.org)}?project=${acme.project}`);
  t.deepEqual(
    own.body.data.map(({id}) => id),
    [inProject.id],
  );
  t.is((await inProject.call('GET', member(viewer.id))).status, 403);
  const mixed = `${members(acme.org)}?project=${other.project}`;
  t.is((await viewer.call('GET', mixed)).status, 404);
  t.deepEqual((await admin.call('GET', mixed)).body.data, []);
});
