/**
People settings: how the function is told that people log in here, and by what.

In: the environment. Out: the dependencies of the routes under `/auth`; undefined where nobody logs in here, which is so without
`PUBLIC_URL`. README.md lists the variables.
*/
import {claimRulesOf, providerSettings} from '../../../events/access/settings.ts';
import {
  ConfigError,
  databaseUrl,
  integer,
  oneOf,
  optional,
  type Reader,
  secret,
  string,
} from '../../../events/config.ts';
import {createProvider, type Provider} from './provider.ts';
import type {SessionLife} from './session-start.ts';

/** An origin as browsers write it. Plain HTTP is for this machine alone: a cookie that travels it is anybody's. */
const publicOrigin: Reader<string> = text => {
  const url = text !== undefined && URL.canParse(text) ? new URL(text) : undefined;
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(url?.hostname ?? '');
  if (
    url &&
    (url.protocol === 'https:' || (url.protocol === 'http:' && isLocal)) &&
    url.href === `${url.origin}/`
  ) {
    return url.origin;
  }
  throw new Error(
    `expected an origin like https://sluice.example.org (http only for localhost), ${text === undefined ? 'but it is not set' : `got "${text}"`}`,
  );
};

const scopes: Reader<string> = text => {
  const given = text ?? 'openid email profile';
  if (!given.split(' ').includes('openid')) {
    throw new Error(`expected scopes with openid among them, got "${given}"`);
  }
  return given;
};

export const peopleSettings = {
  LOGIN_DATABASE_URL: optional(databaseUrl),
  PUBLIC_URL: optional(publicOrigin),
  SESSION_SECRET: optional(secret(32)),
  SESSION_HOURS: integer({min: 1, max: 168, defaultValue: 12}),
  SESSION_IDLE_MINUTES: integer({min: 1, max: 1_440, defaultValue: 60}),
  ...providerSettings,
  OIDC_CLIENT_ID: optional(string()),
  OIDC_CLIENT_SECRET: optional(string()),
  OIDC_CLIENT_AUTH: oneOf(['basic', 'post'], 'basic'),
  OIDC_SCOPES: scopes,
  OIDC_JIT: oneOf(['true', 'false'], 'true'),
  OIDC_TRUST_EMAIL: oneOf(['true', 'false'], 'false'),
};

type Settings = {
  readonly [Name in keyof typeof peopleSettings]: ReturnType<(typeof peopleSettings)[Name]>;
};

export type People = Readonly<{
  databaseUrl: string;
  publicUrl: string;
  secret: string;
  life: SessionLife;
  provider: Provider | undefined;
  mayCreate: boolean;
}>;

export const peopleFrom = (settings: Settings): People | undefined => {
  const {LOGIN_DATABASE_URL, PUBLIC_URL, SESSION_SECRET, OIDC_ISSUER, OIDC_CLIENT_ID} = settings;
  if (PUBLIC_URL === undefined) {
    return undefined;
  }
  if (LOGIN_DATABASE_URL === undefined || SESSION_SECRET === undefined) {
    throw new ConfigError(
      (['LOGIN_DATABASE_URL', 'SESSION_SECRET'] as const)
        .filter(name => settings[name] === undefined)
        .map(name => `${name}: expected it to be set where PUBLIC_URL is`),
    );
  }
  if ((OIDC_ISSUER === undefined) !== (OIDC_CLIENT_ID === undefined)) {
    throw new ConfigError(['OIDC_ISSUER and OIDC_CLIENT_ID: expected both or none to be set']);
  }
  return {
    databaseUrl: LOGIN_DATABASE_URL,
    publicUrl: PUBLIC_URL,
    secret: SESSION_SECRET,
    life: {
      lifeSeconds: settings.SESSION_HOURS * 3_600,
      idleSeconds: settings.SESSION_IDLE_MINUTES * 60,
    },
    mayCreate: settings.OIDC_JIT === 'true',
    provider:
      OIDC_ISSUER === undefined || OIDC_CLIENT_ID === undefined
        ? undefined
        : createProvider({
            ...claimRulesOf(settings),
            issuer: OIDC_ISSUER,
            clientId: OIDC_CLIENT_ID,
            clientSecret: settings.OIDC_CLIENT_SECRET,
            clientAuth: settings.OIDC_CLIENT_AUTH,
            scopes: settings.OIDC_SCOPES,
            trustEmail: settings.OIDC_TRUST_EMAIL === 'true',
            redirectUri: `${PUBLIC_URL}/auth/callback`,
          }),
  };
};
