/**
Still let in: a key that passed when its request arrived may be revoked, or its scopes and models narrowed, while the body comes, or
while the request waits for a lease.

In: the principal as it was on arrival, the model that is to answer. Out: nothing, at once where nothing of it changed; or what the
client is told. It is asked right before a request begins, so that none begins that would be refused if it came now.
*/
import {SluiceError} from '../../../events/errors.ts';
import {toError} from '../../auth/denial.ts';
import type {Principal} from '../../auth/principal.ts';
import type {Principals} from '../../auth/principals.ts';
import {withDeadline} from '../deadline.ts';

export type Rechecks = Pick<Principals, 'isCurrent' | 'recheck'>;

const recheckMs = 2_000;

/** Of who waited for an endpoint: nothing where nothing changed. What cannot be read refuses nobody who was let in before. */
export const whyNotAnyMore = (principals: Rechecks, principal: Principal, model: string) =>
  principals.isCurrent(principal)
    ? undefined
    : refuseIfChanged(principals, principal, model).then(
        () => undefined,
        (error: SluiceError) => (error.code === 'unavailable' ? undefined : error),
      );

export const refuseIfChanged = async (
  principals: Rechecks,
  principal: Principal,
  model: string,
) => {
  const denied = await withDeadline(
    principals.recheck(principal, {scope: 'inference', model}),
    recheckMs,
    'the key was not read',
  ).catch(cause => {
    throw cause instanceof SluiceError
      ? cause
      : new SluiceError('unavailable', 'the key could not be read', {retryAfterSeconds: 1, cause});
  });
  if (denied !== undefined) {
    throw toError(denied);
  }
};
