/**
Login: the routes under `/auth` and the admin API on one database, behind one public URL, with a real OpenID provider.

In: the test, the settings that differ. Out: browsers that know the way, and both servers.
*/
import {randomBytes} from 'node:crypto';
import type {ExecutionContext} from 'ava';
import {hashToken} from '../../events/access/session.ts';
import {createPool} from '../../events/database.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {uuidv7} from '../../events/uuid.ts';
import {peopleRoutes} from '../../functions/auth/login/people.ts';
import {createProvider, type ProviderOptions} from '../../functions/auth/login/provider.ts';
import type {SessionLife} from '../../functions/auth/login/session-start.ts';
import {startAdmin} from './admin-server.ts';
import {createBrowser} from './browser.ts';
import {clientSecret, startOidcProvider} from './oidc-provider.ts';

export const publicUrl = 'https://sluice.example.org';
const secret = 'a-secret-of-more-than-32-characters';

export const startLogin = async (
  t: ExecutionContext,
  {
    mayCreate = true,
    life = {lifeSeconds: 43_200, idleSeconds: 3_600},
    provider: options = {},
    withProvider = true,
  }: {
    mayCreate?: boolean;
    life?: SessionLife;
    provider?: Partial<ProviderOptions>;
    withProvider?: boolean;
  } = {},
) => {
  const admin = await startAdmin(t);
  const oidc = await startOidcProvider(t, {publicUrl});
  const pool = createPool({
    databaseUrl: admin.database.url('tenant'),
    name: 'auth-login',
    connectTimeoutMs: 60_000,
  });
  const provider = createProvider({
    issuer: oidc.issuer,
    clientId: 'sluice',
    clientSecret,
    scopes: 'openid email profile groups',
    groupsClaim: 'groups',
    operatorGroups: ['platform'],
    redirectUri: `${publicUrl}/auth/callback`,
    // A busy machine is slow; a test of what is late says what late is.
    timeoutMs: 60_000,
    ...options,
  });
  const auth = await serve({
    name: 'auth',
    host: '127.0.0.1',
    logger: createLogger({name: 'auth', level: 'silent'}),
    routes: peopleRoutes({
      people: {publicUrl, secret, life, mayCreate, provider: withProvider ? provider : undefined},
      pool,
      logger: createLogger({name: 'auth', level: 'silent'}),
    }),
    onClose: () => pool.end(),
  });
  t.teardown(auth.close);
  const system = admin.database.pool('system');

  return {
    admin,
    auth,
    oidc,
    system,
    browser: () => createBrowser({[publicUrl]: auth.url}),
    /** A user, as an invitation or the operator makes one. */
    async insertUser(email: string, more: {operator?: boolean} = {}) {
      const id = uuidv7();
      await system.query('insert into users (id, email, name, operator) values ($1, $2, $2, $3)', [
        id,
        email,
        more.operator ?? false,
      ]);
      return id;
    },
    async insertMember(user: string, org: string, role: string) {
      await system.query(
        'insert into members (id, org_id, user_id, role) values ($1, $2, $3, $4::role_name)',
        [uuidv7(), org, user, role],
      );
    },
    async insertLink(user: string, {lasts = '15 minutes'} = {}) {
      const token = randomBytes(32).toString('base64url');
      await system.query(
        'insert into login_links (token_hash, user_id, expires_at) values ($1, $2, now() + $3::interval)',
        [hashToken(token), user, lasts],
      );
      return token;
    },
  };
};

export type LoginWorld = Awaited<ReturnType<typeof startLogin>>;
