import {execFile} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import test from 'ava';
import {createBrowser} from '../helpers/browser.ts';
import {audience, clientSecret, startOidcProvider} from '../helpers/oidc-provider.ts';
import {startSluice} from '../helpers/sluice.ts';
import {freePort} from '../runner/server.ts';

const cli = fileURLToPath(new URL('../../functions/admin/cli/main.ts', import.meta.url));

type Session = {
  user: {id: string; email: string};
  operator: boolean;
  csrfToken: string;
  grants: {org: string; role: string}[];
};

test('from an admin key to an owner who works by themselves: user, role and link in one command, a session, a service key', async t => {
  t.timeout(300_000);
  const port = await freePort();
  const publicUrl = `http://127.0.0.1:${port}`;
  const oidc = await startOidcProvider(t, {publicUrl});
  const sluice = await startSluice(t, {
    args: ['--port', String(port)],
    env: {
      OIDC_ISSUER: oidc.issuer,
      OIDC_AUDIENCE: audience,
      OIDC_CLIENT_ID: 'sluice',
      OIDC_CLIENT_SECRET: clientSecret,
      OIDC_SCOPES: 'openid email profile groups',
      OIDC_OPERATOR_GROUPS: 'platform',
    },
  });
  t.is(sluice.url, publicUrl);
  const {stdout} = await promisify(execFile)(
    process.execPath,
    [
      ...[cli, 'user', 'create', '--email', 'owner@example.org', '--org', 'demo'],
      ...['--role', 'owner', '--login-link', '--json'],
    ],
    {env: {...process.env, SLUICE_URL: sluice.url, SLUICE_ADMIN_KEY: sluice.adminKey}},
  );
  const {loginLink} = JSON.parse(stdout) as {loginLink: string};
  const [page, token] = loginLink.split('#');
  t.is(page, `${publicUrl}/auth/link`);

  const owner = createBrowser();
  t.is((await owner.visit(page as string)).response.status, 200);
  t.is((await owner.post(`${publicUrl}/auth/link`, {token})).status, 200);
  t.deepEqual(
    [...owner.cookiesOf(publicUrl).keys()],
    ['sluice-session'],
    'plain HTTP on this machine',
  );
  const session = (await (await owner.send(`${publicUrl}/auth/session`)).json()) as Session;
  t.is(session.user.email, 'owner@example.org');
  const org = session.grants[0]?.org as string;
  t.deepEqual(session.grants, [{org, role: 'owner'}]);

  const keys = `${publicUrl}/admin/v1/orgs/${org}/service-keys`;
  const wanted = {name: 'ci', role: 'member'};
  t.is((await owner.post(keys, wanted)).status, 403, 'without the CSRF token');
  const made = await owner.post(keys, wanted, {'x-csrf-token': session.csrfToken});
  t.is(made.status, 201, made.text);
  const projects = (authorization: string) =>
    fetch(`${publicUrl}/admin/v1/orgs/${org}/projects`, {headers: {authorization}});
  t.is((await projects(`Bearer ${made.body.key}`)).status, 200);

  oidc.enter('grace', {email: 'grace@example.org', email_verified: true, groups: ['platform']});
  const operator = createBrowser();
  const {url, text} = await operator.visit(`${publicUrl}/auth/login`);
  t.is(url, `${publicUrl}/auth`);
  t.regex(text, /grace@example\.org.*who runs this Sluice/);
  t.is((await operator.send(`${publicUrl}/admin/v1/users`)).status, 200);
  t.is((await owner.send(`${publicUrl}/admin/v1/users`)).status, 403);

  const out = await owner.post(`${publicUrl}/auth/logout`, {}, {'x-csrf-token': session.csrfToken});
  t.is(out.status, 200);
  t.is((await owner.send(`${publicUrl}/auth/session`)).status, 401);

  const verified = await fetch(`${publicUrl}/verify?scope=inference`, {
    headers: {authorization: `Bearer ${sluice.apiKey}`},
  });
  t.is(verified.status, 200);
  t.is(verified.headers.get('x-sluice-org'), org);
});
