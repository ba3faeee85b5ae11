/**
Settings: how the functions under `/admin/v1` are told who may ask, the same for each of them.

In: the environment, by `readConfig(process.env, {...accessSettings, …})`. Out: the guard; the provider, for who logs people in.

| environment | default | |
| --- | --- | --- |
| `ADMIN_KEY` | | at least 16 characters |
| `OIDC_ISSUER` | none: no token is known | as the provider's tokens name it |
| `OIDC_AUDIENCE` | | what `aud` of a token must name; needed with an issuer |
| `OIDC_GROUPS_CLAIM` | groups | where groups are: a claim's name or a path with dots |
| `OIDC_OPERATOR_GROUPS` | none | groups that run the platform, separated by commas |
*/
import type {RequestHandler} from 'express';
import {ConfigError, optional, type Reader, secret, string, url} from '../config.ts';
import type {Queryable} from '../database.ts';
import type {VerifyToken} from './authenticate.ts';
import type {ClaimRules} from './claims.ts';
import {createDirectory} from './directory.ts';
import {createGuard} from './guard.ts';
import {createVerifyToken} from './tokens.ts';

const list: Reader<readonly string[]> = text =>
  (text ?? '')
    .split(',')
    .map(each => each.trim())
    .filter(each => each !== '');

/** Of the provider: for who verifies its tokens and for who logs in by it. */
export const providerSettings = {
  OIDC_ISSUER: optional(url({protocols: ['https:', 'http:']})),
  OIDC_GROUPS_CLAIM: string('groups'),
  OIDC_OPERATOR_GROUPS: list,
};

export const accessSettings = {
  ADMIN_KEY: secret(),
  ...providerSettings,
  OIDC_AUDIENCE: optional(string()),
};

type Read<Settings extends Record<string, Reader<unknown>>> = {
  readonly [Name in keyof Settings]: ReturnType<Settings[Name]>;
};
export type ProviderSettings = Read<typeof providerSettings>;
export type AccessSettings = Read<typeof accessSettings>;

export const claimRulesOf = (settings: ProviderSettings): ClaimRules => ({
  groupsClaim: settings.OIDC_GROUPS_CLAIM,
  operatorGroups: settings.OIDC_OPERATOR_GROUPS,
});

/** Undefined without an issuer. One without an audience would take tokens that were made for anything else. */
export const verifyTokenFrom = (
  settings: Omit<AccessSettings, 'ADMIN_KEY'>,
): VerifyToken | undefined => {
  const {OIDC_ISSUER: issuer, OIDC_AUDIENCE: audience} = settings;
  if (issuer === undefined) {
    return undefined;
  }
  if (audience === undefined) {
    throw new ConfigError(['OIDC_AUDIENCE: expected a text where OIDC_ISSUER is set']);
  }
  return createVerifyToken({issuer, audience, ...claimRulesOf(settings)});
};

export const guardFrom = (settings: AccessSettings, pool: Queryable): RequestHandler => {
  const verifyToken = verifyTokenFrom(settings);
  return createGuard({
    adminKey: settings.ADMIN_KEY,
    directory: createDirectory(pool),
    ...(verifyToken ? {verifyToken} : {}),
  });
};
