/**
Tokens: whether a JSON Web Token is one of the OpenID provider, made for us, and not over (RFC 7519, RFC 8725).

In: the text of a bearer token. Out: its claims; undefined for what is no such token; `unavailable` where only the provider could tell
and it is away. What does not even look like a token of this provider never makes us ask it. `jose` is loaded at the first
token, because most starts see none.
*/
import type {JWTPayload} from 'jose';
import type {VerifyToken} from './authenticate.ts';
import {type ClaimRules, claimsOf} from './claims.ts';
import {createProviderKeys, isSameIssuer, type Keys, type ProviderKeys} from './provider-keys.ts';

/** With a key pair: with `none` or a shared secret who verifies could also sign. */
const algorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
const form = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

export const createVerifyToken = ({
  issuer,
  audience,
  keys = createProviderKeys({issuer}),
  clockToleranceSeconds = 30,
  charactersMax = 8_192,
  now = () => new Date(),
  ...rules
}: ClaimRules & {
  issuer: string;
  audience: string;
  keys?: ProviderKeys;
  clockToleranceSeconds?: number;
  charactersMax?: number;
  now?: () => Date;
}): VerifyToken =>
  async function verifyToken(token) {
    if (token.length > charactersMax || !form.test(token)) {
      return undefined;
    }
    const jose = await import('jose');
    const isTheirs = () => {
      try {
        const {alg} = jose.decodeProtectedHeader(token);
        const {iss} = jose.decodeJwt(token);
        return (
          typeof iss === 'string' && isSameIssuer(iss, issuer) && algorithms.includes(alg ?? '')
        );
      } catch {
        return false;
      }
    };
    if (!isTheirs()) {
      return undefined;
    }
    /** Why it is nobody's, is nobody's business; only that its key is unknown says to look for newer keys. */
    const verify = async ({
      issuer: named,
      jwks,
    }: Keys): Promise<JWTPayload | 'no-key' | undefined> => {
      try {
        const {payload} = await jose.jwtVerify(token, jose.createLocalJWKSet(jwks), {
          algorithms,
          audience,
          issuer: named,
          clockTolerance: clockToleranceSeconds,
          currentDate: now(),
          requiredClaims: ['exp', 'sub'],
        });
        return payload;
      } catch (error) {
        return error instanceof jose.errors.JWKSNoMatchingKey ? 'no-key' : undefined;
      }
    };
    let found = await verify(await keys.current());
    if (found === 'no-key') {
      const renewed = await keys.renewed();
      found = renewed && (await verify(renewed));
    }
    return found === undefined || found === 'no-key' ? undefined : claimsOf(found, rules);
  };
