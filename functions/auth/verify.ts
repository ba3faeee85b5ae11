/**
Verify: the answer to a proxy that asks whether a request may pass (NGINX auth_request, Envoy ext-auth).

In: the request's Authorization header, for what the key is used (`?scope=`, inference unless said). Out: 200 with who it is in
headers, 401, 403 for a suspended tenant or a key with other scopes, or 503.
*/
import type {Request, Response, Router} from 'express';
import {SluiceError} from '../../events/errors.ts';
import {bearerOf} from './bearer.ts';
import {requireScope, toError} from './denial.ts';
import type {KeyScope} from './principal.ts';
import type {Principals} from './principals.ts';

const scopes: readonly KeyScope[] = ['inference', 'models', 'events'];

const scopeIn = ({query: {scope = 'inference'}}: Request): KeyScope => {
  const found = scopes.find(name => name === scope);
  if (!found) {
    throw new SluiceError('bad_request', `scope: expected one of ${scopes.join(', ')}`, {
      parameter: 'scope',
    });
  }
  return found;
};

export const verifyRoutes = ({
  principals,
  isStale,
}: {
  principals: Principals;
  isStale: () => boolean;
}) =>
  function addRoutes(router: Router) {
    router.all('/verify', async (request: Request, response: Response) => {
      if (isStale()) {
        throw new SluiceError('unavailable', 'revocations cannot be read', {retryAfterSeconds: 1});
      }
      const verdict = await principals.verify(bearerOf(request.headers.authorization));
      if ('denied' in verdict) {
        throw toError(verdict.denied);
      }
      requireScope(verdict.principal, scopeIn(request));
      const {org, project, key} = verdict.principal;
      response
        .set({'x-sluice-org': org, 'x-sluice-project': project, 'x-sluice-key': key})
        .status(200)
        .end();
    });
  };
