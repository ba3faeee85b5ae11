import test from 'ava';
import {createBrowser} from '../helpers/browser.ts';
import {type LoginWorld, publicUrl, startLogin} from '../helpers/login.ts';

const ada = {email: 'Ada@Example.org', email_verified: true, name: 'Ada L.', groups: ['engineers']};
const login = `${publicUrl}/auth/login`;

type Session = {
  user: {id: string; email: string; name: string};
  operator: boolean;
  grants: unknown[];
  csrfToken: string;
  expiresAt: string;
  idleExpiresAt: string;
};

const sessionOf = async (browser: ReturnType<LoginWorld['browser']>) => {
  const response = await browser.send(`${publicUrl}/auth/session`);
  return {status: response.status, body: (await response.json()) as Session};
};

test.serial(
  'a first login by the provider makes a user, a session and nothing else; a second one finds them again',
  async t => {
    const world = await startLogin(t);
    world.oidc.enter('ada', ada);
    const browser = world.browser();
    const {response, url} = await browser.visit(`${login}?return_to=/auth/session`);
    t.is(response.status, 200);
    t.is(url, `${publicUrl}/auth/session`);
    const {body} = await sessionOf(browser);
    t.like(body, {user: {email: 'ada@example.org', name: 'Ada L.'}, operator: false, grants: []});
    t.regex(body.csrfToken, /^[\w-]{43}$/);
    t.true(Date.parse(body.expiresAt) - Date.now() > 11.9 * 3_600_000);
    t.true(Date.parse(body.idleExpiresAt) - Date.now() <= 3_600_000);

    const again = world.browser();
    await again.visit(login);
    t.is((await sessionOf(again)).body.user.id, body.user.id);
    const {rows} = await world.system.query(
      'select issuer, subject, last_login_at is not null as came from users',
    );
    t.deepEqual(rows, [{issuer: world.oidc.issuer, subject: 'ada', came: true}]);
    const audit = await world.system.query(
      `select actor_name, operation, subject_kind, before from audit where subject_kind = 'user'`,
    );
    t.deepEqual(audit.rows, [
      {actor_name: 'ada@example.org', operation: 'login', subject_kind: 'user', before: null},
    ]);
  },
);

test.serial(
  'an invited user is found by the email that the provider has verified, with the roles of the invitation',
  async t => {
    const world = await startLogin(t, {mayCreate: false});
    const {org} = await world.admin.createTenant('acme');
    const invited = await world.insertUser('ada@example.org');
    await world.insertMember(invited, org, 'admin');
    world.oidc.enter('ada', ada);
    const browser = world.browser();
    await browser.visit(login);
    const {body} = await sessionOf(browser);
    t.is(body.user.id, invited);
    t.deepEqual(body.grants, [{org, role: 'admin'}]);
  },
);

test.serial(
  'an email that is not verified neither finds an invitation nor makes a user',
  async t => {
    const world = await startLogin(t);
    const invited = await world.insertUser('ada@example.org', {operator: true});
    for (const more of [{email_verified: false}, {email_verified: undefined}, {email: undefined}]) {
      world.oidc.enter('mallory', {...ada, ...more});
      const browser = world.browser();
      const {response, text} = await browser.visit(login);
      t.is(response.status, 403);
      t.regex(text, /not verified/);
      t.is((await sessionOf(browser)).status, 401);
    }
    const {rows} = await world.system.query('select id, subject from users');
    t.deepEqual(rows, [{id: invited, subject: null}]);
  },
);

test.serial('an email that another account of the provider has is nobody else’s', async t => {
  const world = await startLogin(t);
  world.oidc.enter('ada', ada);
  await world.browser().visit(login);
  world.oidc.enter('mallory', ada);
  const browser = world.browser();
  const {response, text} = await browser.visit(login);
  t.is(response.status, 403);
  t.regex(text, /another account/);
  t.is((await sessionOf(browser)).status, 401);
});

test.serial('without just-in-time users nobody comes in who was not invited', async t => {
  const world = await startLogin(t, {mayCreate: false});
  world.oidc.enter('ada', ada);
  const {response, text} = await world.browser().visit(login);
  t.is(response.status, 403);
  t.regex(text, /not invited/);
  t.is((await world.system.query('select from users')).rowCount, 0);
});

test.serial(
  'a group is a role where an organisation says so, and the operators’ group runs the platform',
  async t => {
    const world = await startLogin(t);
    const {org} = await world.admin.createTenant('acme');
    await world.system.query(
      `insert into group_roles (id, org_id, group_name, role) values (gen_random_uuid(), $1, 'engineers', 'member')`,
      [org],
    );
    world.oidc.enter('ada', ada);
    const browser = world.browser();
    await browser.visit(login);
    const {body} = await sessionOf(browser);
    t.deepEqual(body.grants, [{org, role: 'member'}]);
    t.false(body.operator);

    world.oidc.enter('grace', {
      email: 'grace@example.org',
      email_verified: true,
      groups: ['platform'],
    });
    const operator = world.browser();
    await operator.visit(login);
    t.true((await sessionOf(operator)).body.operator);
    const {rows} = await world.system.query(`select operator from users where email like 'grace%'`);
    t.deepEqual(rows, [{operator: false}], 'the flag is the session’s, and ends with the group');
  },
);

test.serial('a disabled user gets a page that says so, and no session', async t => {
  const world = await startLogin(t);
  world.oidc.enter('ada', ada);
  const before = world.browser();
  await before.visit(login);
  await world.system.query('update users set disabled_at = now()');
  t.is((await sessionOf(before)).status, 401, 'a session that runs ends with it');
  const {response, text} = await world.browser().visit(login);
  t.is(response.status, 403);
  t.regex(text, /disabled/);
});

test.serial('a login returns to paths of this host only', async t => {
  const world = await startLogin(t);
  world.oidc.enter('ada', ada);
  const elsewhere = [
    '//evil.example',
    '/\\evil.example',
    '/%5cevil.example',
    '/%2f%2fevil.example',
    '/%252f%252fevil.example',
    'https://evil.example/',
    'javascript:alert(1)',
    '/\t/evil.example',
    '/.//evil.example',
    'evil.example',
    '/auth/login',
  ];
  for (const path of elsewhere) {
    const {url} = await world.browser().visit(`${login}?return_to=${encodeURIComponent(path)}`, {
      until: next => !next.includes('/auth/callback') && next.startsWith(publicUrl),
    });
    t.is(url, `${publicUrl}/auth`, path);
  }
  const {url} = await world
    .browser()
    .visit(`${login}?return_to=${encodeURIComponent('/console?tab=keys&page=2')}`, {
      until: next => next.includes('/console'),
    });
  t.is(url, `${publicUrl}/console?tab=keys&page=2`);
});

test.serial('without a provider the login page says how to log in by link', async t => {
  const world = await startLogin(t, {withProvider: false});
  const {response, text} = await world.browser().visit(login);
  t.is(response.status, 200);
  t.regex(text, /by a link that works once/);
});

test.serial('logging out ends the session here and leads to the provider’s own logout', async t => {
  const world = await startLogin(t);
  world.oidc.enter('ada', ada);
  const browser = world.browser();
  await browser.visit(login);
  const {csrfToken} = (await sessionOf(browser)).body;
  const copy = browser.cookiesOf(publicUrl).get('__Host-sluice-session') as string;
  const out = await browser.post(`${publicUrl}/auth/logout`, {}, {'x-csrf-token': csrfToken});
  t.is(out.status, 200);
  const logoutUrl = new URL(out.body.logoutUrl);
  t.is(logoutUrl.origin, world.oidc.issuer);
  t.is(logoutUrl.searchParams.get('post_logout_redirect_uri'), `${publicUrl}/auth`);
  const there = await world.browser().visit(logoutUrl.href);
  t.is(there.response.status, 200, 'the provider knows who asks, and where to return');
  t.is(browser.cookiesOf(publicUrl).size, 0);
  const thief = createBrowser({[publicUrl]: world.auth.url});
  thief.cookiesOf(publicUrl).set('__Host-sluice-session', copy);
  t.is((await thief.send(`${publicUrl}/auth/session`)).status, 401);
  const onAdmin = await fetch(`${world.admin.url}/admin/v1/orgs`, {
    headers: {cookie: `__Host-sluice-session=${copy}`},
  });
  t.is(onAdmin.status, 401, 'in every function');
});

test.serial('who logs in for the first time in many browsers at once is one user', async t => {
  const world = await startLogin(t);
  world.oidc.enter('ada', ada);
  const ids = await Promise.all(
    Array.from({length: 8}, async () => {
      const browser = world.browser();
      await browser.visit(login);
      return (await sessionOf(browser)).body.user.id;
    }),
  );
  t.is(new Set(ids).size, 1);
  t.is((await world.system.query('select from users')).rowCount, 1);
});

test.serial(
  'an invitation is one person’s, whoever comes with its email at the same moment',
  async t => {
    const world = await startLogin(t);
    const invited = await world.insertUser('ada@example.org');
    const tenant = world.admin.database.pool('tenant');
    const signIn = (subject: string) =>
      tenant.query<{found: {id?: string; refused?: string}}>(
        'select sign_in($1, $2, $3, $3, gen_random_uuid(), true) as found',
        [world.oidc.issuer, subject, 'ada@example.org'],
      );
    const answers = await Promise.all(['one', 'two', 'three', 'four'].map(signIn));
    const found = answers.map(({rows}) => rows[0]?.found);
    t.deepEqual(
      found.filter(each => each?.id !== undefined).map(each => each?.id),
      [invited],
    );
    t.is(found.filter(each => each?.refused === 'taken').length, 3);
  },
);

test.serial('a user has a hundred sessions at most, and what is over is swept', async t => {
  const world = await startLogin(t);
  const user = await world.insertUser('ada@example.org');
  const tenant = world.admin.database.pool('tenant');
  const start = (life: number) =>
    tenant.query(
      `select start_session($1, gen_random_uuid(), sha256(gen_random_uuid()::text::bytea), '{}', false, $2, 3600, null)`,
      [user, life],
    );
  for (let count = 0; count < 105; count += 1) {
    await start(3_600);
  }
  const count = async () => (await world.system.query('select from sessions')).rowCount;
  t.is(await count(), 100);
  await world.system.query(`update sessions set expires_at = now() - interval '1 minute'`);
  await start(3_600);
  t.is(await count(), 1);
});
