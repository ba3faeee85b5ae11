/**
Authenticate: whose a request is, by its key.

In: a request's key, who knows the keys. Out: the principal, at once where the key is known; or what the client is told.
*/
import {SluiceError} from '../../../events/errors.ts';
import type {Limits} from '../../../events/limits.ts';
import {bearerOf} from '../../auth/bearer.ts';
import {toError} from '../../auth/denial.ts';
import type {Principal} from '../../auth/principal.ts';
import type {Principals, Verdict} from '../../auth/principals.ts';
import {withDeadline} from '../deadline.ts';
import type {GatewayRequest} from '../http/request.ts';
import {anthropicErrors} from '../surface/errors.ts';
import {errorsAt, findRoute} from '../surface/routes.ts';

export type AuthenticateParts = Readonly<{
  principals: Principals;
  limits: Pick<Limits, 'staleMaxMs'>;
  /** How old the knowledge of revocations is. */
  staleSinceMs: () => number;
}>;

/** Where Anthropic's clients ask: before their version 1 they send the key in a header of its own, also to list models. */
const takesOwn = (path: string) =>
  errorsAt(path) === anthropicErrors || findRoute(path)?.method === 'GET';

export const keyOf = (
  {headers}: Pick<GatewayRequest, 'headers'>,
  path: string,
): string | undefined => {
  const own = headers['x-api-key'];
  return headers.authorization === undefined && own !== undefined && takesOwn(path)
    ? own
    : bearerOf(headers.authorization);
};

/** For a key that is not known yet. */
const lookupMs = 2_000;

export const authenticate = (
  parts: AuthenticateParts,
  key: string | undefined,
): Principal | Promise<Principal> => {
  if (parts.staleSinceMs() > parts.limits.staleMaxMs) {
    throw new SluiceError('unavailable', 'revocations cannot be read', {retryAfterSeconds: 1});
  }
  const verdict = parts.principals.verify(key);
  if (!(verdict instanceof Promise)) {
    return principalOf(verdict);
  }
  // A look-up that takes longer goes on, and the next request finds its answer.
  return withDeadline(verdict, lookupMs, 'the key was not read').then(principalOf, unreadable);
};

const unreadable = (cause: unknown): never => {
  throw cause instanceof SluiceError
    ? cause
    : new SluiceError('unavailable', 'the key could not be read', {retryAfterSeconds: 1, cause});
};

const principalOf = (verdict: Verdict): Principal => {
  if ('denied' in verdict) {
    throw toError(verdict.denied);
  }
  return verdict.principal;
};
