import test from 'ava';
import {hashToken} from '../../events/access/session.ts';
import {uuidv7} from '../../events/uuid.ts';
import {type AdminServer, startAdmin} from '../helpers/admin-server.ts';
import {createPeople} from '../helpers/people.ts';

const users = '/admin/v1/users';
const ada = {email: 'Ada.Lovelace@Example.COM', name: 'Ada'};

const auditOf = async ({database}: AdminServer, subject: string) => {
  const {rows} = await database
    .pool('superuser')
    .query('select * from audit where subject = $1 order by id', [subject]);
  return rows;
};

/** As the auth function does it. */
const use = async ({database}: AdminServer, token: unknown) => {
  const {rows} = await database
    .pool('tenant')
    .query('select use_login_link($1) as found', [hashToken(String(token))]);
  return rows[0].found;
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

test('a login link is used once, however many come with it, and by no other token', async t => {
  const admin = await startAdmin(t);
  const {body: user} = await admin.call('POST', users, ada);
  const made = await admin.call('POST', `${users}/${user.id}/login-links`);
  t.is(made.status, 201);
  t.is(made.headers.get('cache-control'), 'no-store');
  const {token, path, expiresAt} = made.body;
  t.is(path, `/auth/link#${token}`);
  const minutes = (Date.parse(String(expiresAt)) - Date.now()) / 60_000;
  t.true(minutes > 13 && minutes < 16, String(minutes));
  const {rows} = await admin.database.pool('superuser').query('select l::text from login_links l');
  t.false(JSON.stringify(rows).includes(String(token)));
  t.is(await use(admin, `${String(token).slice(0, -1)}_`), null);
  const found = await Promise.all(Array.from({length: 5}, () => use(admin, token)));
  t.deepEqual(
    found.filter(one => one !== null),
    [{id: user.id, email: 'ada.lovelace@example.com', name: 'Ada'}],
  );
});

test('a login link that is over, or of a user who is disabled, logs nobody in', async t => {
  const admin = await startAdmin(t);
  const {body: user} = await admin.call('POST', users, ada);
  const path = `${users}/${user.id}/login-links`;
  const {token: old} = (await admin.call('POST', path)).body;
  const pool = admin.database.pool('superuser');
  await pool.query("update login_links set expires_at = now() - interval '1 second'");
  t.is(await use(admin, old), null);
  const {token} = (await admin.call('POST', path)).body;
  await admin.call('PATCH', `${users}/${user.id}`, {disabled: true});
  t.is(await use(admin, token), null);
  t.like(await admin.call('POST', path), {status: 409, body: {code: 'conflict'}});
  await admin.call('PATCH', `${users}/${user.id}`, {disabled: false});
  t.is(await use(admin, token), null, 'it is gone, not asleep');
});

test('of many login links of a user the newest three are good', async t => {
  const admin = await startAdmin(t);
  const {body: user} = await admin.call('POST', users, ada);
  const {body: other} = await admin.call('POST', users, {email: 'b@c.de', name: 'B'});
  const kept = (await admin.call('POST', `${users}/${other.id}/login-links`)).body.token;
  const tokens: unknown[] = [];
  for (let count = 0; count < 6; count += 1) {
    tokens.push((await admin.call('POST', `${users}/${user.id}/login-links`)).body.token);
  }
  const found = [];
  for (const token of tokens) {
    found.push((await use(admin, token)) !== null);
  }
  t.deepEqual(found, [false, false, false, true, true, true]);
  t.not(await use(admin, kept), null);
});

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

test('a repeated request with the same Idempotency-Key makes one of each, and shows no secret again', async t => {
  const admin = await startAdmin(t);
  const {org} = await admin.createTenant('acme');
  const {id} = await admin.create(users, ada);
  const posts: ReadonlyArray<readonly [path: string, body: object | undefined, secret?: string]> = [
    [users, {email: 'x@y.de', name: 'X'}],
    [`/admin/v1/orgs/${org}/members`, {email: 'x@y.de', role: 'viewer'}],
    [`/admin/v1/orgs/${org}/group-roles`, {group: 'g', role: 'viewer'}],
    [`/admin/v1/orgs/${org}/service-keys`, {name: 'k', role: 'viewer'}, 'key'],
    [`${users}/${id}/login-links`, undefined, 'token'],
  ];
  for (const [path, body, secret] of posts) {
    const headers = {'idempotency-key': path};
    const first = await admin.call('POST', path, body, {headers});
    const again = await admin.call('POST', path, body, {headers});
    t.is(first.status, 201, first.text);
    t.is(again.status, 201, again.text);
    t.is(again.headers.get('idempotency-replayed'), 'true');
    t.is(again.body.id, first.body.id);
    t.is(again.headers.get('etag'), first.headers.get('etag'), path);
    if (secret) {
      t.is(again.body.secretShown, false);
      t.false(again.text.includes(String(first.body[secret])));
      const {rows} = await admin.database.pool('superuser').query('select a::text from answers a');
      t.false(JSON.stringify(rows).includes(String(first.body[secret])));
    }
  }
});

test('who changes or removes what is another by now is told so, and changes nothing', async t => {
  const admin = await startAdmin(t);
  const {org} = await admin.createTenant('acme');
  const user = await admin.create(users, ada);
  const base = `/admin/v1/orgs/${org}`;
  const member = await admin.create(`${base}/members`, {email: 'x@y.de', role: 'viewer'});
  const group = await admin.create(`${base}/group-roles`, {group: 'g', role: 'viewer'});
  const key = await admin.create(`${base}/service-keys`, {name: 'k', role: 'viewer'});
  const paths: ReadonlyArray<readonly [path: string, change?: object]> = [
    [`${users}/${user.id}`, {name: 'Other'}],
    [`/admin/v1/members/${member.id}`, {role: 'admin'}],
    [`/admin/v1/group-roles/${group.id}`, {role: 'admin'}],
    [`/admin/v1/service-keys/${key.id}`],
  ];
  for (const [path, change] of paths) {
    const shown = await admin.call('GET', path);
    const tag = String(shown.headers.get('etag'));
    const stale = {headers: {'if-match': '"another"'}};
    t.is((await admin.call('DELETE', path, undefined, stale)).status, 412, path);
    if (change) {
      t.is((await admin.call('PATCH', path, change, stale)).status, 412, path);
      t.deepEqual((await admin.call('GET', path)).body, shown.body);
      const changed = await admin.call('PATCH', path, change, {headers: {'if-match': tag}});
      t.is(changed.status, 200, changed.text);
      const late = await admin.call('PATCH', path, change, {headers: {'if-match': tag}});
      t.is(late.status, 412, path);
    }
    const now = String((await admin.call('GET', path)).headers.get('etag'));
    t.is((await admin.call('GET', path, undefined, {headers: {'if-none-match': now}})).status, 304);
    const gone = await admin.call('DELETE', path, undefined, {headers: {'if-match': now}});
    t.is(gone.status, 204, gone.text);
  }
});
