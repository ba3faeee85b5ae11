/**
Verify: the answer to a proxy that asks whether a request may pass (NGINX auth_request, Envoy ext-auth).

In: the headers of the request, what the proxy wants of its key. Out: 200 with who it is in headers, 401, 403 for a suspended
tenant or a key that may not do this, or 503. NGINX asks `/verify` and may add `?scope=` and `?model=`; Envoy asks
`/verify` + the client's own path and query, so there only headers count that the proxy sets.
*/
import type {Request, Response, Router} from 'express';
import {SluiceError} from '../../events/errors.ts';
import {bearerOf} from './bearer.ts';
import {requireScope, toError} from './denial.ts';
import {type KeyScope, mayUseModel, type Principal} from './principal.ts';
import type {Principals} from './principals.ts';

const scopes: readonly KeyScope[] = ['inference', 'models', 'events'];

export const verifyRoutes = ({
  principals,
  isStale,
  keyHeader,
}: {
  principals: Principals;
  isStale: () => boolean;
  /** Where a key may come beside the Authorization header; in lower case. */
  keyHeader?: string | undefined;
}) =>
  function addRoutes(router: Router) {
    const keyOf = ({headers}: Request) => {
      const other = keyHeader === undefined ? undefined : headers[keyHeader];
      return bearerOf(headers.authorization) ?? (typeof other === 'string' ? other : undefined);
    };
    router.all(['/verify', '/verify/*path'], async (request: Request, response: Response) => {
      if (isStale()) {
        throw new SluiceError('unavailable', 'revocations cannot be read', {retryAfterSeconds: 1});
      }
      const verdict = await principals.verify(keyOf(request));
      if ('denied' in verdict) {
        const error = toError(verdict.denied);
        if (error.status === 401) {
          // RFC 6750, 3: without an error where no key came at all.
          const came = keyOf(request) === undefined ? '' : ', error="invalid_token"';
          response.set('WWW-Authenticate', `Bearer realm="sluice"${came}`);
        }
        throw error;
      }
      const {principal} = verdict;
      refuseUnfit(principal, request);
      response.set(headersOf(principal)).status(200).end();
    });
  };

/** Every one at every time: what is set here overwrites what a client made up. */
const headersOf = ({org, project, key, scopes: own}: Principal) => ({
  'x-sluice-org': org,
  'x-sluice-project': project,
  'x-sluice-key': key,
  'x-sluice-scopes': (own ?? scopes).join(','),
});

const refuseUnfit = (principal: Principal, request: Request) => {
  const wanted = wantedOf(request);
  if (wanted.scope !== undefined) {
    const scope = scopes.find(each => each === wanted.scope);
    if (scope === undefined) {
      throw new SluiceError('bad_request', `scope: expected one of ${scopes.join(', ')}`, {
        parameter: 'scope',
      });
    }
    requireScope(principal, scope);
  }
  if (wanted.model !== undefined && !mayUseModel(principal, wanted.model)) {
    throw new SluiceError('model_not_allowed', 'this key may not use the model');
  }
};

/** A query below `/verify/` is the client's, who may ask for `/` itself, and no word of the proxy's. */
const wantedOf = ({path, query, headers}: Request) => {
  const own = path.toLowerCase() === '/verify' ? query : {};
  return {
    scope: textOf('scope', own.scope ?? headers['x-sluice-want-scope']),
    model: textOf('model', own.model ?? headers['x-sluice-want-model']),
  };
};

/** Of one that comes twice nobody knows which is meant. */
const textOf = (name: string, value: unknown): string | undefined => {
  if (value !== undefined && typeof value !== 'string') {
    throw new SluiceError('bad_request', `${name}: expected one, got several`, {parameter: name});
  }
  return value;
};
