/** Denial: what a refused key is told. One sentence for all that is wrong with a key itself, so that it tells nothing of it. */
import {SluiceError} from '../../events/errors.ts';
import type {Denial} from './principal.ts';

export const toError = (denied: Denial): SluiceError =>
  denied === 'suspended'
    ? new SluiceError('forbidden', 'the organisation of this key is suspended')
    : denied === 'environment'
      ? new SluiceError('forbidden', 'this key may not be used in this environment')
      : new SluiceError(
          'unauthorized',
          'expected a valid API key as bearer token, got one that is unknown, revoked or expired',
        );
