/** Denial: what a refused key is told. One sentence for all that is wrong with a key itself, so that it tells nothing of it. */
import {SluiceError} from '../../events/errors.ts';
import {type Denial, hasScope, type KeyScope, type Principal} from './principal.ts';

const forbidden: Partial<Record<Denial, string>> = {
  suspended: 'the organisation of this key is suspended',
  environment: 'this key may not be used in this environment',
  scope: 'this key may not be used for this: its scopes are others',
};

export const toError = (denied: Denial): SluiceError => {
  if (denied === 'model') {
    return new SluiceError('model_not_allowed', 'this key may not use the model');
  }
  const sentence = forbidden[denied];
  return sentence === undefined
    ? new SluiceError(
        'unauthorized',
        'expected a valid API key as bearer token, got one that is unknown, revoked or expired',
      )
    : new SluiceError('forbidden', sentence);
};

export const requireScope = (principal: Pick<Principal, 'scopes'>, scope: KeyScope) => {
  if (!hasScope(principal, scope)) {
    throw toError('scope');
  }
};
