/**
Provider: the OpenID provider by which people log in (authorization code with PKCE, state and nonce; OpenID Connect Core 3.1).

In: who we are to it. Out: where to send a browser, and what it has to keep meanwhile; who came back; where to log out. What the
provider says of itself is kept for minutes. Its keys are read at each login, so that one it changed a second ago counts; every answer has a
deadline. `openid-client` is loaded at the first login, because most starts see none.
*/
import type {Configuration, IDToken, ServerMetadata} from 'openid-client';
import type {Claims} from '../../../events/access/authenticate.ts';
import {type ClaimRules, claimsOf} from '../../../events/access/claims.ts';
import {ProviderFault, toFault} from './provider-fault.ts';

export type ProviderOptions = ClaimRules &
  Readonly<{
    issuer: string;
    clientId: string;
    clientSecret?: string | undefined;
    clientAuth?: 'basic' | 'post';
    scopes: string;
    /** Takes emails as verified of which the provider does not say whether they are. */
    trustEmail?: boolean;
    redirectUri: string;
    timeoutMs?: number;
    freshMs?: number;
    staleMaxMs?: number;
    now?: () => number;
  }>;

/** What the browser keeps between the two halves of a login. */
export type Checks = Readonly<{state: string; nonce: string; verifier: string}>;
export type Identity = Readonly<{claims: Claims; email?: string | undefined; name: string}>;

export type Provider = Readonly<{
  begin(): Promise<{url: string; checks: Checks}>;
  /** `search`: what the provider has added to the redirect URI. */
  finish(search: string, checks: Checks): Promise<Identity>;
  /** Undefined when the provider has no such page, or cannot be asked. */
  logoutUrl(returnTo: string): Promise<string | undefined>;
}>;

const load = () => import('openid-client');
type Library = Awaited<ReturnType<typeof load>>;

export const createProvider = (options: ProviderOptions): Provider => {
  const {redirectUri, scopes, issuer, clientId} = options;
  const discover = createDiscovery(options);
  /** A new one each time: it keeps the provider's keys for minutes, in which they may change. */
  const configure = async (library: Library): Promise<Configuration> => {
    const metadata = await discover(library);
    const configuration = new library.Configuration(
      metadata,
      clientId,
      undefined,
      authenticationOf(library, options),
    );
    arrange(library, configuration, options);
    library.enableNonRepudiationChecks(configuration);
    return configuration;
  };
  return {
    begin: () =>
      believed(issuer, async () => {
        const library = await load();
        const configuration = await configure(library);
        const checks = {
          state: library.randomState(),
          nonce: library.randomNonce(),
          verifier: library.randomPKCECodeVerifier(),
        };
        const url = library.buildAuthorizationUrl(configuration, {
          redirect_uri: redirectUri,
          scope: scopes,
          state: checks.state,
          nonce: checks.nonce,
          code_challenge: await library.calculatePKCECodeChallenge(checks.verifier),
          code_challenge_method: 'S256',
        });
        return {url: url.href, checks};
      }),
    finish: (search, {state, nonce, verifier}) =>
      believed(issuer, async () => {
        const library = await load();
        const configuration = await configure(library);
        const tokens = await library.authorizationCodeGrant(
          configuration,
          new URL(`${redirectUri}${search}`),
          {
            expectedState: state,
            expectedNonce: nonce,
            pkceCodeVerifier: verifier,
            idTokenExpected: true,
          },
        );
        const token = tokens.claims() as IDToken;
        // What is in neither token nor scopes is often in the user info only (Core 5.3).
        const more = configuration.serverMetadata().userinfo_endpoint
          ? await library.fetchUserInfo(configuration, tokens.access_token, token.sub)
          : {};
        return identityOf({...more, ...token}, options);
      }),
    async logoutUrl(returnTo) {
      try {
        const library = await load();
        const configuration = await configure(library);
        return configuration.serverMetadata().end_session_endpoint === undefined
          ? undefined
          : library.buildEndSessionUrl(configuration, {post_logout_redirect_uri: returnTo}).href;
      } catch {
        return undefined;
      }
    },
  };
};

/** Whatever is thrown is a fault of the provider's: what we send it is checked at the start. */
const believed = async <Result>(issuer: string, work: () => Promise<Result>): Promise<Result> => {
  try {
    return await work();
  } catch (error) {
    throw toFault(error, issuer);
  }
};

const authenticationOf = (
  library: Library,
  {clientSecret, clientAuth}: Pick<ProviderOptions, 'clientSecret' | 'clientAuth'>,
) =>
  clientSecret === undefined
    ? library.None()
    : clientAuth === 'post'
      ? library.ClientSecretPost(clientSecret)
      : library.ClientSecretBasic(clientSecret);

const arrange = (
  library: Library,
  configuration: Configuration,
  {issuer, timeoutMs = 5_000}: Pick<ProviderOptions, 'issuer' | 'timeoutMs'>,
) => {
  configuration.timeout = timeoutMs / 1_000;
  if (issuer.startsWith('http:')) {
    library.allowInsecureRequests(configuration);
  }
};

/** One request for all who wait. While the provider is away, what it said of itself last counts on for a while. */
const createDiscovery = (options: ProviderOptions) => {
  const {issuer, clientId, timeoutMs = 5_000, now = () => performance.now()} = options;
  const {freshMs = 600_000, staleMaxMs = 3_600_000} = options;
  let known: {metadata: ServerMetadata; atMs: number} | undefined;
  let pending: Promise<ServerMetadata> | undefined;

  const read = async (library: Library) => {
    try {
      const found = await library.discovery(new URL(issuer), clientId, undefined, library.None(), {
        timeout: timeoutMs / 1_000,
        execute: issuer.startsWith('http:') ? [library.allowInsecureRequests] : [],
      });
      const metadata = found.serverMetadata();
      known = {metadata, atMs: now()};
      return metadata;
    } catch (error) {
      const fault = toFault(error, issuer);
      if (known && fault.kind === 'away' && now() - known.atMs < staleMaxMs) {
        return known.metadata;
      }
      throw fault;
    }
  };
  return async (library: Library): Promise<ServerMetadata> => {
    if (known && now() - known.atMs < freshMs) {
      return known.metadata;
    }
    pending ??= read(library).finally(() => {
      pending = undefined;
    });
    return pending;
  };
};

const nameCharactersMax = 200;
const emailForm = /^[^\s@\p{C}]+@[^\s@\p{C}]+$/u;

const identityOf = (
  payload: Readonly<Record<string, unknown>>,
  {trustEmail = false, issuer, ...rules}: ProviderOptions,
): Identity => {
  const claims = claimsOf(payload, rules);
  if (!claims) {
    throw new ProviderFault('wrong', `${issuer} names nobody`);
  }
  const {email, email_verified: verified, name} = payload;
  // Some providers write it as a text.
  const isVerified =
    verified === true || verified === 'true' || (trustEmail && verified === undefined);
  const isEmail = typeof email === 'string' && email.length <= 254 && emailForm.test(email);
  return {
    claims,
    email: isVerified && isEmail ? email.toLowerCase() : undefined,
    name: (typeof name === 'string' && name.trim() !== '' ? name.trim() : claims.name).slice(
      0,
      nameCharactersMax,
    ),
  };
};
