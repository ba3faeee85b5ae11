/**
Authenticate: who calls the admin API.

In: a request's credentials. Out: the actor, or `unauthorized`, which reads the same for all that is wrong. One credential counts:
an Authorization header goes before the cookie, so that a script with a key is never somebody's session.

| credential | actor |
| --- | --- |
| `Authorization: Bearer` the admin key | operator |
| `Authorization: Bearer ssk-…` | service: a service key |
| `Authorization: Bearer` a JWT of the provider | user, or machine where the subject is no user |
| the session's cookie; with `x-csrf-token` for what changes something | user |
*/
import {hash, timingSafeEqual} from 'node:crypto';
import type {IncomingMessage} from 'node:http';
import {hashSecret, parseServiceKey} from '../api-key.ts';
import {SluiceError} from '../errors.ts';
import type {Actor} from './access.ts';
import type {Directory} from './directory.ts';
import {csrfHeader, csrfTokenOf, hashToken, sessionTokenIn} from './session.ts';

/** What a provider's token says once it is verified. */
export type Claims = Readonly<{
  issuer: string;
  subject: string;
  /** For people to read. */
  name: string;
  /** One that the provider has verified, in lower case. */
  email?: string;
  groups: readonly string[];
  isOperator: boolean;
}>;
/** Undefined: not a token of the provider, or over. */
export type VerifyToken = (token: string) => Promise<Claims | undefined>;

export type Credentials = Readonly<{
  adminKey: string;
  directory?: Directory;
  verifyToken?: VerifyToken;
}>;

const sha256 = (text: string) => hash('sha256', text, 'buffer');
const safeMethods: readonly unknown[] = ['GET', 'HEAD', 'OPTIONS'];
/** It changes nothing (RFC 9110, 9.2.1). */
export const isSafe = ({method}: Pick<IncomingMessage, 'method'>) => safeMethods.includes(method);

const refused = () =>
  new SluiceError(
    'unauthorized',
    'expected the right bearer token in the Authorization header, or a session',
  );

export const authenticate =
  ({adminKey, directory, verifyToken}: Credentials) =>
  async (request: IncomingMessage): Promise<Actor> => {
    const {authorization, cookie} = request.headers;
    if (authorization !== undefined) {
      const token = /^Bearer (.+)$/i.exec(authorization)?.[1] ?? '';
      const actor =
        byAdminKey(token, adminKey) ??
        (directory && (await byServiceKey(token, directory))) ??
        (directory && verifyToken && (await byToken(token, {directory, verifyToken})));
      if (!actor) {
        throw refused();
      }
      return actor;
    }
    const token = sessionTokenIn(cookie, request.headers['x-forwarded-proto']);
    const known = token && (await directory?.bySession(hashToken(token)));
    if (!token || !known) {
      throw refused();
    }
    if (!isSafe(request)) {
      refuseForged(request, token);
    }
    return {
      kind: 'user',
      id: known.id,
      name: known.name,
      isOperator: known.operator,
      grants: known.grants,
    };
  };

/** Compares digests, so that neither length nor content of the key shows in the time taken. */
const byAdminKey = (token: string, adminKey: string): Actor | undefined =>
  timingSafeEqual(sha256(token), sha256(adminKey))
    ? {kind: 'operator', id: 'admin-key', name: 'admin key', isOperator: true, grants: []}
    : undefined;

const byServiceKey = async (token: string, directory: Directory): Promise<Actor | undefined> => {
  const parsed = parseServiceKey(token);
  const known = parsed && (await directory.byServiceKey(parsed.publicId));
  if (!parsed || !known || !timingSafeEqual(known.secretHash, hashSecret(parsed.secret))) {
    return undefined;
  }
  if (known.stale) {
    await directory.serviceKeyUsed(known.id);
  }
  return {
    kind: 'service',
    id: known.id,
    name: known.name,
    isOperator: false,
    grants: known.grants,
  };
};

const byToken = async (
  token: string,
  {directory, verifyToken}: {directory: Directory; verifyToken: VerifyToken},
): Promise<Actor | undefined> => {
  const claims = await verifyToken(token);
  const known = claims && (await directory.bySubject(claims));
  return (
    known && {
      kind: known.id === undefined ? 'machine' : 'user',
      id: known.id ?? `${claims.issuer} ${claims.subject}`,
      name: known.name ?? claims.name,
      isOperator: known.operator || claims.isOperator,
      grants: known.grants,
    }
  );
};

const refuseForged = (request: IncomingMessage, token: string) => {
  const given = request.headers[csrfHeader];
  if (typeof given !== 'string' || !timingSafeEqual(sha256(given), sha256(csrfTokenOf(token)))) {
    throw new SluiceError(
      'forbidden',
      `${csrfHeader}: expected the token that GET /auth/session shows, because a cookie alone does not say which page asks`,
      {parameter: csrfHeader},
    );
  }
};
