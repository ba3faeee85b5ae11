/**
OIDC provider: a real OpenID provider for one test, whose people log in by themselves.

In: the test, the redirect URIs of its clients. Out: its issuer; who logs in next and what is known of them; new keys; a stop, a start,
a hand on each of its answers.
*/
import {generateKeyPair, type KeyObject, randomBytes, sign} from 'node:crypto';
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import {promisify} from 'node:util';
import type {ExecutionContext} from 'ava';
import Provider, {type Configuration} from 'oidc-provider';

export type Known = Readonly<Record<string, unknown>>;
/** True when it has answered, or means to leave the request without an answer. */
export type Interference = (request: IncomingMessage, response: ServerResponse) => boolean;

export const clientSecret = 'the-secret-of-the-client-of-this-test';
export const audience = 'https://sluice.test/admin';

const makeKey = async () => {
  const {privateKey} = await promisify(generateKeyPair)('ec', {namedCurve: 'P-256'});
  const kid = randomBytes(8).toString('hex');
  return {privateKey, jwk: {...privateKey.export({format: 'jwk'}), kid, alg: 'ES256', use: 'sig'}};
};

type Claims = Record<string, unknown>;

/** The token with other claims, signed again. */
const signAgain = (token: string, change: (claims: Claims) => Claims, key: KeyObject): string => {
  const [header = '', payload = ''] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const text = `${header}.${Buffer.from(JSON.stringify(change(claims))).toString('base64url')}`;
  const signature = sign('sha256', Buffer.from(text), {key, dsaEncoding: 'ieee-p1363'});
  return `${text}.${signature.toString('base64url')}`;
};

/** What ends a request with JSON ends it with JSON that was changed. */
const changeAnswer = (response: ServerResponse, change: (body: Claims) => Claims) => {
  const end = response.end.bind(response) as (text: string) => ServerResponse;
  response.end = ((body: string | Buffer) => {
    const text = JSON.stringify(change(JSON.parse(String(body))));
    response.setHeader('content-length', Buffer.byteLength(text));
    return end(text);
  }) as ServerResponse['end'];
};

export const startOidcProvider = async (t: ExecutionContext, {publicUrl}: {publicUrl: string}) => {
  const people = new Map<string, Known>();
  let person = 'ada';
  let interference: Interference = () => false;
  let handle: (request: IncomingMessage, response: ServerResponse) => unknown = () => {};
  const server = createServer((request, response) => {
    if (!interference(request, response)) {
      handle(request, response);
    }
  });
  const listen = (port: number) =>
    new Promise<number>(resolve => {
      server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
    });
  const stop = () =>
    new Promise<void>(resolve => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  const port = await listen(0);
  t.teardown(stop);
  const issuer = `http://127.0.0.1:${port}`;

  let signingKey: KeyObject | undefined;
  const useKeys = async () => {
    const {privateKey, jwk} = await makeKey();
    signingKey = privateKey;
    const provider = new Provider(issuer, {
      ...configuration(publicUrl, people),
      jwks: {keys: [jwk]} as Configuration['jwks'],
    });
    const answer = provider.callback();
    handle = async (request, response) => {
      if (!request.url?.startsWith('/interaction/')) {
        await answer(request, response);
        return;
      }
      await provider.interactionFinished(
        request,
        response,
        {login: {accountId: person, remember: false}},
        {mergeWithLastSubmission: false},
      );
    };
  };
  await useKeys();

  return {
    issuer,
    /** Who logs in from now on, and what the provider says of them. */
    enter(name: string, known: Known) {
      people.set(name, known);
      person = name;
    },
    rotateKeys: useKeys,
    stop,
    start: async () => {
      await listen(port);
    },
    interfere(next: Interference) {
      interference = next;
    },
    /** From now on its discovery document says this too. */
    describe(more: Claims) {
      interference = (request, response) => {
        if (request.url?.startsWith('/.well-known/')) {
          changeAnswer(response, body => ({...body, ...more}));
        }
        return false;
      };
    },
    /** From now on its ID tokens say this, signed with its key or another. */
    async misstate(change: (claims: Claims) => Claims, {withOtherKey = false} = {}) {
      const key = withOtherKey ? (await makeKey()).privateKey : signingKey;
      interference = (request, response) => {
        if (request.url === '/token') {
          changeAnswer(response, body => ({
            ...body,
            id_token: signAgain(String(body.id_token), change, key as KeyObject),
          }));
        }
        return false;
      };
    },
    /** A machine's token, as JWT. */
    async machineToken(client = 'machine'): Promise<string> {
      const response = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from(`${client}:${clientSecret}`).toString('base64')}`,
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: new URLSearchParams({grant_type: 'client_credentials', resource: audience}),
      });
      const text = await response.text();
      const {access_token: token} = JSON.parse(text) as {access_token?: string};
      if (token === undefined) {
        throw new Error(`the provider answered ${response.status} without a token: ${text}`);
      }
      return token;
    },
  };
};

export type OidcProvider = Awaited<ReturnType<typeof startOidcProvider>>;

const scopes = 'openid email profile groups';

const configuration = (publicUrl: string, people: ReadonlyMap<string, Known>): Configuration => ({
  clients: [
    {
      client_id: 'sluice',
      client_secret: clientSecret,
      redirect_uris: [`${publicUrl}/auth/callback`],
      post_logout_redirect_uris: [`${publicUrl}/auth`],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      id_token_signed_response_alg: 'ES256',
    },
    {
      client_id: 'poster',
      client_secret: clientSecret,
      token_endpoint_auth_method: 'client_secret_post',
      redirect_uris: [`${publicUrl}/auth/callback`],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      id_token_signed_response_alg: 'ES256',
    },
    {
      client_id: 'public',
      token_endpoint_auth_method: 'none',
      redirect_uris: [`${publicUrl}/auth/callback`],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      id_token_signed_response_alg: 'ES256',
    },
    {
      client_id: 'machine',
      client_secret: clientSecret,
      redirect_uris: [],
      grant_types: ['client_credentials'],
      response_types: [],
      id_token_signed_response_alg: 'ES256',
    },
  ],
  ttl: Object.fromEntries(
    ['Interaction', 'Grant', 'Session', 'AccessToken', 'IdToken', 'ClientCredentials'].map(name => [
      name,
      600,
    ]),
  ),
  cookies: {keys: ['the-key-of-the-cookies-of-this-test']},
  scopes: scopes.split(' '),
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name'],
    groups: ['groups'],
  },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: async () => ({sub: id, ...people.get(id)}),
  }),
  interactions: {url: (_context, interaction) => `/interaction/${interaction.uid}`},
  // Nobody is asked whether they agree.
  loadExistingGrant: async context => {
    const {client, session, provider} = context.oidc;
    const grant = new provider.Grant({
      clientId: client?.clientId as string,
      accountId: session?.accountId as string,
    });
    grant.addOIDCScope(scopes);
    await grant.save();
    return grant;
  },
  extraTokenClaims: () => ({groups: ['machines']}),
  features: {
    devInteractions: {enabled: false},
    clientCredentials: {enabled: true},
    resourceIndicators: {
      enabled: true,
      defaultResource: () => [],
      getResourceServerInfo: () => ({
        scope: '',
        audience,
        accessTokenFormat: 'jwt',
        jwt: {sign: {alg: 'ES256'}},
      }),
    },
  },
});
