import assert from 'node:assert/strict';
import test from 'ava';
import {hashToken} from '../../events/access/session.ts';
import {uuidv7} from '../../events/uuid.ts';
import {type AdminServer, startAdmin} from '../helpers/admin-server.ts';
import {eventually} from '../helpers/eventually.ts';
import {createPeople} from '../helpers/people.ts';

const users = '/admin/v1/users';
const ada = {email: 'Ada.Lovelace@Example.COM', name: 'Ada'};

const auditOf = async ({database}: AdminServer, subject: string) => {
  const {rows} = await database
    .pool('superuser')
    .query('select * from audit where subject = $1 order by id', [subject]);
  return rows;
};

test('a user is created, shown, listed and found by their email in whatever case', async t => {
  const {call} = await startAdmin(t);
  const created = await call('POST', users, ada);
  t.like(created, {
    status: 201,
    body: {email: 'ada.lovelace@example.com', name: 'Ada', operator: false, invited: true},
  });
  t.is(created.headers.get('location'), `${users}/${created.body.id}`);
  t.deepEqual((await call('GET', `${users}/${created.body.id}`)).body, created.body);
  await call('POST', users, {email: 'bob@example.com', name: 'Bob', operator: true});
  t.deepEqual((await call('GET', `${users}?email=ADA.lovelace@example.com`)).body.data, [
    created.body,
  ]);
  t.deepEqual((await call('GET', `${users}?email=nobody@example.com`)).body.data, []);
  const first = await call('GET', `${users}?limit=1`);
  t.is(first.body.data[0]?.name, 'Ada');
  const second = await call('GET', `${users}?limit=1&after=${first.body.next}`);
  t.is(second.body.data[0]?.name, 'Bob');
  t.is(second.body.next, undefined);
});

test('an email is of one user, in whatever case and however many ask at once', async t => {
  const {call} = await startAdmin(t);
  const answers = await Promise.all(
    ['a@b.de', 'A@B.DE', 'a@B.de'].map(email => call('POST', users, {...ada, email})),
  );
  t.deepEqual(answers.map(({status}) => status).toSorted(), [201, 409, 409]);
  t.is(answers.find(({status}) => status === 409)?.body.parameter, 'email');
});

test('what is no email, no name or no field is refused and named', async t => {
  const {call} = await startAdmin(t);
  const {body} = await call('POST', users, ada);
  for (const [email, why] of [
    ['', 'empty'],
    ['ada', 'no @'],
    ['ada@', 'no domain'],
    ['@example.com', 'nobody'],
    ['a@b@c', 'two'],
    ['ada @example.com', 'a space'],
    ['ada@example..com', 'an empty part'],
    ['ada@-example.com', 'a hyphen first'],
    ['аda@example.com', 'a letter that looks like another'],
    ['ada@example.com\n', 'a line end'],
    [`${'a'.repeat(250)}@b.de`, 'too long'],
    [7, 'a number'],
  ] as const) {
    const answer = await call('POST', users, {...ada, email});
    t.like(answer, {status: 400, body: {parameter: 'email'}}, why);
  }
  t.like(await call('POST', users, {email: 'x@y.de'}), {status: 400, body: {parameter: 'name'}});
  t.like(await call('POST', users, {...ada, admin: true}), {body: {parameter: 'admin'}});
  t.is((await call('PATCH', `${users}/${body.id}`, {})).status, 400);
  t.like(await call('PATCH', `${users}/${body.id}`, {email: 'x@y.de'}), {
    status: 400,
    body: {parameter: 'email'},
  });
  t.like(await call('PATCH', `${users}/${body.id}`, {disabled: 'yes'}), {status: 400});
  t.like(await call('GET', `${users}?email=x`), {status: 400, body: {parameter: 'email'}});
  t.is((await call('GET', users)).body.data.length, 1);
});

test('a user that there is not is 404 to whatever is asked', async t => {
  const {call, send} = await startAdmin(t);
  const path = `${users}/${uuidv7()}`;
  t.is((await call('GET', path)).status, 404);
  t.is((await call('PATCH', path, {name: 'x'})).status, 404);
  t.is((await call('DELETE', path)).status, 404);
  t.is((await call('POST', `${path}/login-links`)).status, 404);
  t.is((await send('GET', `${users}/x`)).status, 400);
});

test('who is disabled is logged out at once, everywhere, and back when they are enabled and log in', async t => {
  const admin = await startAdmin(t);
  const {logIn, createMember} = createPeople(admin);
  const {org} = await admin.createTenant('acme');
  const {user, call: first} = await createMember(org, 'member');
  const second = await logIn(user);
  const show = `/admin/v1/orgs/${org}`;
  t.is((await first('GET', show)).status, 200);
  const disabled = await admin.call('PATCH', `${users}/${user}`, {disabled: true});
  t.is(disabled.status, 200);
  t.is(typeof disabled.body.disabledAt, 'string');
  t.is((await first('GET', show)).status, 401);
  t.is((await second('GET', show)).status, 401);
  const again = await admin.call('PATCH', `${users}/${user}`, {disabled: true, name: 'Renamed'});
  t.is(again.body.disabledAt, disabled.body.disabledAt);
  const enabled = await admin.call('PATCH', `${users}/${user}`, {disabled: false});
  t.is(enabled.body.disabledAt, undefined);
  t.is(enabled.body.name, 'Renamed');
  t.is((await first('GET', show)).status, 401, 'the session is gone, not asleep');
  t.is((await (await logIn(user))('GET', show)).status, 200);
});

test('an operator may do all, and who is none any more is logged out', async t => {
  const admin = await startAdmin(t);
  const {logIn} = createPeople(admin);
  const {body} = await admin.call('POST', users, {...ada, operator: true});
  const call = await logIn(body.id);
  t.is((await call('POST', '/admin/v1/orgs', {name: 'by a person'})).status, 201);
  await admin.call('PATCH', `${users}/${body.id}`, {operator: false});
  t.is((await call('GET', users)).status, 401);
  t.is((await (await logIn(body.id))('GET', users)).status, 403);
});

test('a user is deleted with roles and sessions, and the audit still says what was', async t => {
  const admin = await startAdmin(t);
  const {createMember} = createPeople(admin);
  const {org} = await admin.createTenant('acme');
  const {id, user, email, call} = await createMember(org, 'owner');
  t.is((await admin.call('DELETE', `${users}/${user}`)).status, 204);
  t.is((await call('GET', `/admin/v1/orgs/${org}`)).status, 401);
  t.is((await admin.call('GET', `/admin/v1/members/${id}`)).status, 404);
  t.is((await admin.call('GET', `${users}/${user}`)).status, 404);
  const [made, gone] = await auditOf(admin, user);
  t.like(made, {operation: 'createMember', before: null, org_id: null});
  t.like(gone, {operation: 'deleteUser', actor_id: 'admin-key', after: null, before: {email}});
  const ofMember = await auditOf(admin, id);
  t.deepEqual(
    ofMember.map(row => [row.operation, row.org_id, row.before?.role, row.after?.role]),
    [
      ['createMember', org, undefined, 'owner'],
      ['deleteUser', org, 'owner', undefined],
    ],
  );
});

test('each change of a user is in the audit, with who made it and what was before', async t => {
  const admin = await startAdmin(t);
  const {logIn} = createPeople(admin);
  const {body: boss} = await admin.call('POST', users, {...ada, operator: true});
  const call = await logIn(boss.id);
  const {body: bob} = await call('POST', users, {email: 'bob@example.com', name: 'Bob'});
  await call('PATCH', `${users}/${bob.id}`, {name: 'Robert'});
  await call('PATCH', `${users}/${bob.id}`, {disabled: true});
  await call('PATCH', `${users}/${bob.id}`, {disabled: false});
  const {token} = (await call('POST', `${users}/${bob.id}/login-links`)).body;
  await call('DELETE', `${users}/${bob.id}`);
  const rows = await auditOf(admin, bob.id);
  t.deepEqual(
    rows.map(row => [row.operation, row.before?.name, row.after?.name]),
    [
      ['createUser', undefined, 'Bob'],
      ['changeUser', 'Bob', 'Robert'],
      ['changeUser', 'Robert', 'Robert'],
      ['changeUser', 'Robert', 'Robert'],
      ['createLoginLink', undefined, undefined],
      ['deleteUser', 'Robert', undefined],
    ],
  );
  t.is(rows[2].before.disabledAt, null);
  t.is(typeof rows[2].after.disabledAt, 'string');
  t.true(rows.every(row => row.actor_kind === 'user' && row.actor_id === boss.id));
  t.true(
    rows.every(row => row.org_id === null),
    'no organisation reads what is of none',
  );
  const text = JSON.stringify(rows);
  t.false(text.includes(String(token)));
  t.false(text.includes(hashToken(String(token)).toString('hex')));
});

test('a login that is under way while its user is disabled leaves no session behind', async t => {
  const admin = await startAdmin(t);
  const {body: user} = await admin.call('POST', users, ada);
  const client = await admin.database.pool('tenant').connect();
  t.teardown(() => client.release());
  await client.query('begin');
  await client.query(
    `select start_session($1, gen_random_uuid(), sha256('x'), '{}', false, 3600, 3600, null)`,
    [user.id],
  );
  const disabling = admin.call('PATCH', `${users}/${user.id}`, {disabled: true});
  const pool = admin.database.pool('superuser');
  await eventually(async () => {
    const {rows} = await pool.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    assert.equal(rows.length, 1);
  });
  await client.query('commit');
  t.is((await disabling).status, 200);
  t.is((await pool.query('select from sessions')).rowCount, 0);
});
