import {hash, randomBytes} from 'node:crypto';
import {runInNewContext} from 'node:vm';
import test from 'ava';
import {createBrowser} from '../helpers/browser.ts';
import {publicUrl, startLogin} from '../helpers/login.ts';

const ada = {email: 'ada@example.org', email_verified: true, name: 'Ada', groups: []};
const login = `${publicUrl}/auth/login`;
const link = `${publicUrl}/auth/link`;
const logout = `${publicUrl}/auth/logout`;
const session = `${publicUrl}/auth/session`;
const sessionCookie = '__Host-sluice-session';
const loginCookie = '__Host-sluice-login';

test.serial(
  'the cookies have all the flags that keep them, and nothing of the login is left',
  async t => {
    const world = await startLogin(t);
    world.oidc.enter('ada', ada);
    const browser = world.browser();
    const first = await browser.send(login);
    t.is(first.status, 302);
    const [begun = ''] = first.headers.getSetCookie();
    t.regex(
      begun,
      /^__Host-sluice-login=[\w-]{100,}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=600; Secure$/,
    );
    const asked = new URL(first.headers.get('location') as string).searchParams;
    t.is(asked.get('code_challenge_method'), 'S256');
    for (const name of ['state', 'nonce', 'code_challenge']) {
      const value = asked.get(name) as string;
      t.true(value.length >= 32, name);
      t.false(begun.includes(value), `${name} is sealed`);
    }
    const {url} = await browser.visit(first.headers.get('location') as string, {
      until: next => next.startsWith(publicUrl),
    });
    const last = await browser.send(url);
    t.is(last.status, 303);
    const [cleared, kept = ''] = last.headers.getSetCookie();
    t.is(cleared, '__Host-sluice-login=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure');
    t.regex(
      kept,
      /^__Host-sluice-session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=43200; Secure$/,
    );
    t.deepEqual([...browser.cookiesOf(publicUrl).keys()], [sessionCookie]);
    t.is(last.headers.get('cache-control'), 'no-store');
    t.is(last.headers.get('referrer-policy'), 'no-referrer');
  },
);

test.serial('a callback counts in the browser that began it only, and once', async t => {
  const world = await startLogin(t);
  world.oidc.enter('mallory', {...ada, email: 'mallory@example.org'});
  const mallory = world.browser();
  const {url} = await mallory.visit(login, {
    until: next => next.startsWith(`${publicUrl}/auth/callback`),
  });

  const victim = world.browser();
  t.is((await victim.send(url)).status, 400, 'a browser that began no login');
  await victim.send(login);
  t.is((await victim.send(url)).status, 400, 'a browser that began another');
  t.false(victim.cookiesOf(publicUrl).has(sessionCookie));
  const stateless = new URL(url);
  stateless.searchParams.delete('state');
  await victim.send(login);
  t.is((await victim.send(stateless.href)).status, 400, 'no state at all');

  const kept = mallory.cookiesOf(publicUrl).get(loginCookie) as string;
  t.is((await mallory.send(url)).status, 303);
  const replay = world.browser();
  t.is((await replay.send(url)).status, 400, 'without the cookie, which is gone');
  replay.cookiesOf(publicUrl).set(loginCookie, kept);
  t.is((await replay.send(url)).status, 400, 'with it: the provider knows that its code was used');
  t.false(replay.cookiesOf(publicUrl).has(sessionCookie));
  const forged = world.browser();
  forged.cookiesOf(publicUrl).set(loginCookie, `${kept.slice(0, -2)}AA`);
  t.is((await forged.send(url)).status, 400, 'with one that was changed');
});

test.serial(
  'a login link works once, and each login makes a new session in place of the one before',
  async t => {
    const world = await startLogin(t);
    const user = await world.insertUser('ada@example.org');
    const browser = world.browser();
    const planted = randomBytes(32).toString('base64url');
    browser.cookiesOf(publicUrl).set(sessionCookie, planted);
    const token = await world.insertLink(user);
    const used = await browser.post(link, {token});
    t.is(used.status, 200);
    t.is(used.body.user.id, user);
    const first = browser.cookiesOf(publicUrl).get(sessionCookie) as string;
    t.not(first, planted, 'a token that somebody else has chosen is nobody’s session');
    t.is((await browser.send(session)).status, 200);

    t.is((await browser.post(link, {token})).status, 401, 'used');
    t.is(
      (await browser.post(link, {token: await world.insertLink(user, {lasts: '-1 second'})}))
        .status,
      401,
    );
    t.is((await browser.post(link, {token: randomBytes(32).toString('base64url')})).status, 401);
    for (const wrong of [undefined, 7, '', 'x'.repeat(5_000)]) {
      t.is((await browser.post(link, {token: wrong})).status, 401);
    }

    await browser.post(link, {token: await world.insertLink(user)});
    const old = createBrowser({[publicUrl]: world.auth.url});
    old.cookiesOf(publicUrl).set(sessionCookie, first);
    t.is((await old.send(session)).status, 401, 'the one before is over');
    const {rows} = await world.system.query('select count(*)::int as sessions from sessions');
    t.deepEqual(rows, [{sessions: 1}]);
  },
);

test.serial('of a hundred who come with one link at once, one is logged in', async t => {
  const world = await startLogin(t);
  const token = await world.insertLink(await world.insertUser('ada@example.org'));
  const answers = await Promise.all(
    Array.from({length: 100}, () => world.browser().post(link, {token})),
  );
  t.is(answers.filter(({status}) => status === 200).length, 1);
  t.is(answers.filter(({status}) => status === 401).length, 99);
});

test.serial('the page of a link uses its token at a click, and allows nothing else', async t => {
  const world = await startLogin(t);
  const page = await world.browser().visit(link);
  t.is(page.response.status, 200);
  t.is(page.response.headers.get('x-frame-options'), 'DENY');
  const policy = page.response.headers.get('content-security-policy') ?? '';
  const script = /<script>([\s\S]*)<\/script>/.exec(page.text)?.[1] ?? '';
  for (const allowed of [
    "default-src 'none'",
    "frame-ancestors 'none'",
    `script-src 'sha256-${hash('sha256', script, 'base64')}'`,
  ]) {
    t.true(policy.split('; ').includes(allowed), allowed);
  }
  t.notRegex(policy, /unsafe/);

  const requests: unknown[] = [];
  const found: string[] = [];
  const button: {onclick?: () => Promise<void>; disabled?: boolean} = {};
  const location = {
    hash: '#the-token',
    pathname: '/auth/link',
    replace: (to: string) => found.push(to),
  };
  const history = {replaceState: (...to: unknown[]) => found.push(String(to[2]))};
  const document = {querySelector: (name: string) => (name === 'button' ? button : {})};
  const answer = async (...request: unknown[]) => {
    requests.push(request);
    return {ok: true};
  };
  runInNewContext(script, {location, history, document, fetch: answer});
  t.deepEqual(found, ['/auth/link'], 'the token is out of the address');
  t.deepEqual(requests, [], 'a scanner that runs the page uses nothing up');
  await button.onclick?.();
  t.like(requests[0], ['/auth/link', {method: 'POST', body: '{"token":"the-token"}'}]);
  t.deepEqual(found, ['/auth/link', '/auth']);
});

test.serial('a page of another site logs nobody in and nobody out', async t => {
  const world = await startLogin(t);
  const user = await world.insertUser('ada@example.org');
  const browser = world.browser();
  const {csrfToken} = (await browser.post(link, {token: await world.insertLink(user)})).body;
  const token = await world.insertLink(user);
  const foreign: [Record<string, string>, number][] = [
    [{origin: 'https://evil.example'}, 403],
    [{origin: 'null'}, 403],
    [{origin: 'http://sluice.example.org'}, 403],
    [{'sec-fetch-site': 'cross-site'}, 403],
    [{'sec-fetch-site': 'same-site'}, 403],
    [{'content-type': 'text/plain'}, 415],
    [{'content-type': 'application/x-www-form-urlencoded'}, 415],
    [{'content-type': 'text/plain; application/json'}, 415],
  ];
  for (const [headers, status] of foreign) {
    t.is((await browser.post(link, {token}, headers)).status, status, JSON.stringify(headers));
    const out = await browser.post(logout, {}, {'x-csrf-token': csrfToken, ...headers});
    t.is(out.status, status, JSON.stringify(headers));
  }
  t.is((await browser.post(logout, {})).status, 403, 'without the CSRF token');
  t.is((await browser.post(logout, {}, {'x-csrf-token': 'x'.repeat(43)})).status, 403);
  t.is((await browser.send(logout)).status, 404, 'by a link');
  const preflight = await browser.send(link, {
    method: 'OPTIONS',
    headers: {origin: 'https://evil.example', 'access-control-request-method': 'POST'},
  });
  t.is(preflight.headers.get('access-control-allow-origin'), null);
  const read = await browser.send(session, {headers: {origin: 'https://evil.example'}});
  t.is(read.headers.get('access-control-allow-origin'), null);
  t.is(read.headers.get('cross-origin-resource-policy'), 'same-origin');
  t.is(read.status, 200, 'nobody was logged out');
  t.is((await world.browser().post(link, {token})).status, 200, 'and the link was not used');
});

test.serial('a session changes something in the admin API with its CSRF token only', async t => {
  const world = await startLogin(t);
  const {org} = await world.admin.createTenant('acme');
  const user = await world.insertUser('ada@example.org');
  await world.insertMember(user, org, 'owner');
  const browser = createBrowser({[publicUrl]: world.auth.url});
  const {csrfToken} = (await browser.post(link, {token: await world.insertLink(user)})).body;
  const cookie = `${sessionCookie}=${browser.cookiesOf(publicUrl).get(sessionCookie)}`;
  const send = (headers: Record<string, string>) =>
    fetch(`${world.admin.url}/admin/v1/orgs/${org}/projects`, {
      method: 'POST',
      headers: {cookie, 'content-type': 'application/json', ...headers},
      body: JSON.stringify({name: 'made by a page'}),
    });
  t.is((await send({})).status, 403);
  t.is((await send({'x-csrf-token': 'guessed'})).status, 403);
  t.is((await send({origin: 'https://evil.example'})).status, 403);
  t.is((await send({'x-csrf-token': csrfToken})).status, 201);
});

test.serial('a session ends by its absolute life, by disuse, and when its row is gone', async t => {
  const world = await startLogin(t);
  const user = await world.insertUser('ada@example.org');
  const browser = world.browser();
  const cases = [
    `update sessions set expires_at = now() - interval '1 second'`,
    `update sessions set seen_at = now() - interval '1 hour 1 second'`,
    'delete from sessions',
    'update users set disabled_at = now()',
  ];
  for (const statement of cases) {
    await world.system.query('update users set disabled_at = null');
    await browser.post(link, {token: await world.insertLink(user)});
    const cookie = `${sessionCookie}=${browser.cookiesOf(publicUrl).get(sessionCookie)}`;
    const onAdmin = async () =>
      (await fetch(`${world.admin.url}/admin/v1/me`, {headers: {cookie}})).status;
    t.is((await browser.send(session)).status, 200);
    t.not(await onAdmin(), 401);
    await world.system.query(statement);
    t.is((await browser.send(session)).status, 401, statement);
    t.is(await onAdmin(), 401, statement);
  }
});

test.serial('a use of the admin API keeps a session awake, a look at it does not', async t => {
  const world = await startLogin(t);
  const user = await world.insertUser('ada@example.org');
  const browser = world.browser();
  await browser.post(link, {token: await world.insertLink(user)});
  const cookie = `${sessionCookie}=${browser.cookiesOf(publicUrl).get(sessionCookie)}`;
  await world.system.query(`update sessions set seen_at = now() - interval '30 minutes'`);
  const idleAt = async () => {
    const response = await browser.send(session);
    return Date.parse(((await response.json()) as {idleExpiresAt: string}).idleExpiresAt);
  };
  const before = await idleAt();
  t.true(before < Date.now() + 31 * 60_000);
  t.is(await idleAt(), before);
  await fetch(`${world.admin.url}/admin/v1/me`, {headers: {cookie}});
  t.true((await idleAt()) > Date.now() + 59 * 60_000);
});

test.serial(
  'over TLS a session in a cookie that another host of the domain could have set is nobody’s',
  async t => {
    const world = await startLogin(t);
    const user = await world.insertUser('mallory@example.org');
    const browser = world.browser();
    await browser.post(link, {token: await world.insertLink(user)});
    const token = browser.cookiesOf(publicUrl).get(sessionCookie);
    const onAdmin = async (name: string, proto: string) => {
      const headers = {cookie: `${name}=${token}`, 'x-forwarded-proto': proto};
      return (await fetch(`${world.admin.url}/admin/v1/me`, {headers})).status;
    };
    t.is(await onAdmin(sessionCookie, 'https'), 200);
    t.is(await onAdmin('sluice-session', 'http'), 200);
    t.is(await onAdmin('sluice-session', 'https'), 401);
    t.is(await onAdmin('sluice-session', 'HTTPS, http'), 401);
    browser.cookiesOf(publicUrl).clear();
    browser.cookiesOf(publicUrl).set('sluice-session', token as string);
    t.is((await browser.send(session)).status, 401);
  },
);
