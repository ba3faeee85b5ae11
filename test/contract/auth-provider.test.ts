import type {ServerResponse} from 'node:http';
import test from 'ava';
import {createDirectory} from '../../events/access/directory.ts';
import {createGuard} from '../../events/access/guard.ts';
import {createVerifyToken} from '../../events/access/tokens.ts';
import {createPool} from '../../events/database.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {adminRoutes} from '../../functions/admin/routes.ts';
import {adminKey} from '../helpers/admin-server.ts';
import {type LoginWorld, publicUrl, startLogin} from '../helpers/login.ts';
import {audience} from '../helpers/oidc-provider.ts';

const ada = {email: 'ada@example.org', email_verified: true, name: 'Ada', groups: ['engineers']};
const login = `${publicUrl}/auth/login`;
const seconds = () => Math.floor(Date.now() / 1_000);

/** The status and text of the page on which a login ends; 200 is that of somebody who is logged in. */
const tryLogin = async (world: LoginWorld) => {
  const browser = world.browser();
  const startedMs = performance.now();
  const {response, text} = await browser.visit(login);
  const isLoggedIn = browser.cookiesOf(publicUrl).has('__Host-sluice-session');
  return {status: response.status, text, isLoggedIn, tookMs: performance.now() - startedMs};
};

/** It is loaded at the first login, which takes seconds on a busy machine. */
test.before(async () => {
  await import('openid-client');
});

test.serial('keys that the provider has changed count at the next login', async t => {
  const world = await startLogin(t);
  world.oidc.enter('ada', ada);
  t.like(await tryLogin(world), {status: 200, isLoggedIn: true});
  await world.oidc.rotateKeys();
  t.like(await tryLogin(world), {status: 200, isLoggedIn: true});
});

test.serial('a provider that is away is told of at once, and is back when it is back', async t => {
  const world = await startLogin(t);
  world.oidc.enter('ada', ada);
  await world.oidc.stop();
  const away = await tryLogin(world);
  t.like(away, {status: 503, isLoggedIn: false});
  t.regex(away.text, /provider is away/);
  t.true(away.tookMs < 30_000, `${away.tookMs} ms: half its deadline`);
  await world.oidc.start();
  t.like(await tryLogin(world), {status: 200, isLoggedIn: true});
});

for (const path of ['/.well-known/openid-configuration', '/token', '/me', '/jwks']) {
  test(`a provider that hangs at ${path} is told of after its deadline`, async t => {
    const timeoutMs = 10_000;
    const world = await startLogin(t, {provider: {timeoutMs}});
    world.oidc.enter('ada', ada);
    const silent: ServerResponse[] = [];
    t.teardown(() => {
      for (const response of silent) {
        response.destroy();
      }
    });
    world.oidc.interfere((request, response) => {
      const hangs = request.url === path;
      if (hangs) {
        silent.push(response);
      }
      return hangs;
    });
    const found = await tryLogin(world);
    t.like(found, {status: 503, isLoggedIn: false});
    t.is(silent.length, 1);
    t.true(found.tookMs < 5 * timeoutMs, `${found.tookMs} ms`);
  });
}

test.serial('a provider that answers 500, or what is none, logs nobody in', async t => {
  const world = await startLogin(t, {provider: {freshMs: 0}});
  world.oidc.enter('ada', ada);
  for (const path of ['/.well-known/openid-configuration', '/token', '/me', '/jwks']) {
    for (const [status, text, expected] of [
      [500, 'oops', 503],
      [200, '<html>', 502],
      [200, '[]', 502],
      [200, '{}', 502],
      [200, 'null', 502],
    ] as const) {
      world.oidc.interfere((request, response) => {
        if (request.url !== path) {
          return false;
        }
        request.resume();
        response.writeHead(status, {'content-type': 'application/json'}).end(text);
        return true;
      });
      const found = await tryLogin(world);
      t.like(found, {status: expected, isLoggedIn: false}, `${path} ${status} ${text}`);
    }
  }
});

test.serial('a discovery document of another issuer is not believed', async t => {
  const world = await startLogin(t);
  world.oidc.enter('ada', ada);
  world.oidc.describe({issuer: 'https://evil.example'});
  const found = await tryLogin(world);
  t.like(found, {status: 502, isLoggedIn: false});
  t.notRegex(found.text, /evil/);
});

test.serial(
  'a discovery document without what a login needs is a fault of the provider',
  async t => {
    for (const more of [
      {authorization_endpoint: undefined},
      {authorization_endpoint: 'nonsense'},
      {token_endpoint: 7},
      {jwks_uri: undefined},
      {userinfo_endpoint: 'nonsense'},
    ]) {
      const world = await startLogin(t);
      world.oidc.enter('ada', ada);
      world.oidc.describe(more);
      t.like(await tryLogin(world), {status: 502, isLoggedIn: false}, JSON.stringify(more));
    }
  },
);

test.serial(
  'what the provider said of itself counts on while it cannot be asked again',
  async t => {
    const world = await startLogin(t, {provider: {freshMs: 0}});
    world.oidc.enter('ada', ada);
    t.true((await tryLogin(world)).isLoggedIn);
    world.oidc.interfere((request, response) => {
      const isAsked = request.url?.startsWith('/.well-known/') === true;
      if (isAsked) {
        response.destroy();
      }
      return isAsked;
    });
    t.true((await tryLogin(world)).isLoggedIn);
  },
);

test.serial('an ID token that does not hold logs nobody in', async t => {
  const world = await startLogin(t);
  world.oidc.enter('ada', ada);
  const wrong = {
    issuer: {iss: 'https://evil.example'},
    audience: {aud: 'somebody-else'},
    nonce: {nonce: 'of-another-login'},
    subject: {sub: ''},
    over: {exp: seconds() - 60},
    'not begun': {nbf: seconds() + 60},
  };
  for (const [what, more] of Object.entries(wrong)) {
    await world.oidc.misstate(claims => ({...claims, ...more}));
    t.like(await tryLogin(world), {status: 502, isLoggedIn: false}, what);
  }
  await world.oidc.misstate(claims => claims, {withOtherKey: true});
  t.like(await tryLogin(world), {status: 502, isLoggedIn: false}, 'signature');
  t.is((await world.system.query('select from users')).rowCount, 0);
});

test.serial('clocks may disagree by half a minute', async t => {
  const world = await startLogin(t);
  world.oidc.enter('ada', ada);
  await world.oidc.misstate(claims => ({...claims, exp: seconds() - 15, iat: seconds() - 600}));
  t.true((await tryLogin(world)).isLoggedIn, 'ours is ahead');
  await world.oidc.misstate(claims => ({...claims, nbf: seconds() + 15, iat: seconds() + 15}));
  t.true((await tryLogin(world)).isLoggedIn, 'ours is behind');
});

test.serial(
  'a client proves itself as its provider wants: without a secret, in a header, in the body; a wrong one logs nobody in',
  async t => {
    const open = await startLogin(t, {provider: {clientId: 'public', clientSecret: undefined}});
    open.oidc.enter('ada', ada);
    t.true((await tryLogin(open)).isLoggedIn);
    const posting = await startLogin(t, {provider: {clientId: 'poster', clientAuth: 'post'}});
    posting.oidc.enter('ada', ada);
    t.true((await tryLogin(posting)).isLoggedIn);
    const wrong = await startLogin(t, {provider: {clientSecret: 'another'}});
    wrong.oidc.enter('ada', ada);
    t.like(await tryLogin(wrong), {status: 502, isLoggedIn: false});
  },
);

test.serial(
  'what the provider says of a refusal is shown as its word and nothing else',
  async t => {
    const world = await startLogin(t);
    const browser = world.browser();
    const begin = async () =>
      new URL((await browser.send(login)).headers.get('location') as string).searchParams.get(
        'state',
      );
    const refuse = async (error: string) => {
      const query = new URLSearchParams({
        error,
        state: (await begin()) ?? '',
        iss: world.oidc.issuer,
      });
      return browser.visit(`${publicUrl}/auth/callback?${query}`);
    };
    const denied = await refuse('access_denied');
    t.is(denied.response.status, 403);
    t.regex(denied.text, /access_denied/);
    const script = await refuse('<script>alert(1)</script>');
    t.is(script.response.status, 400);
    t.notRegex(script.text, /alert/);
  },
);

test.serial(
  'a machine asks the admin API with a token of the same provider, within what its group may',
  async t => {
    const world = await startLogin(t);
    const {org} = await world.admin.createTenant('acme');
    const other = await world.admin.createTenant('other');
    const pool = createPool({databaseUrl: world.admin.database.url('tenant'), name: 'admin'});
    const verifyToken = createVerifyToken({
      issuer: world.oidc.issuer,
      audience,
      groupsClaim: 'groups',
      operatorGroups: ['platform'],
    });
    const server = await serve({
      name: 'admin',
      host: '127.0.0.1',
      logger: createLogger({name: 'admin', level: 'silent'}),
      routes: adminRoutes({
        pool,
        guard: createGuard({adminKey, directory: createDirectory(pool), verifyToken}),
      }),
      onClose: () => pool.end(),
    });
    t.teardown(server.close);
    const token = await world.oidc.machineToken();
    const ask = async (id: string, bearer = token) =>
      (
        await fetch(`${server.url}/admin/v1/orgs/${id}/projects`, {
          headers: {authorization: `Bearer ${bearer}`},
        })
      ).status;
    t.is(await ask(org), 404, 'a group without a role sees nothing');
    await world.system.query(
      `insert into group_roles (id, org_id, group_name, role) values (gen_random_uuid(), $1, 'machines', 'viewer')`,
      [org],
    );
    t.is(await ask(org), 200);
    t.is(await ask(other.org), 404);
    t.is(await ask(org, `${token.slice(0, -4)}AAAA`), 401);
  },
);

test.serial(
  'where emails are trusted one that the provider says nothing of counts, and one that it has not verified does not',
  async t => {
    const world = await startLogin(t, {provider: {trustEmail: true}});
    world.oidc.enter('ada', {...ada, email_verified: false});
    t.like(await tryLogin(world), {status: 403, isLoggedIn: false});
    world.oidc.enter('ada', {...ada, email_verified: undefined});
    t.true((await tryLogin(world)).isLoggedIn);
  },
);
