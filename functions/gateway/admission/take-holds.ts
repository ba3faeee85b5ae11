/**
Take holds: all holds of a request, or what its client is told.

In: the demand, the lease book. Out: holds that somebody must settle from here on; or an error, and nothing is held.
*/
import {SluiceError} from '../../../events/errors.ts';
import type {Demand, Taken} from '../../budget/leases/account.ts';
import type {LeaseBook, Refusal} from '../../budget/leases/lease-book.ts';
import type {ClientResponse} from '../exchange/admitted.ts';

export const takeHolds = async (
  leaseBook: LeaseBook,
  demand: Demand,
  response: Pick<ClientResponse, 'destroyed'>,
): Promise<Taken> => {
  const taken = takenOf(await leaseBook.acquire(demand));
  if (response.destroyed || !taken.usable()) {
    taken.settle(taken.holds.map(() => 0));
    throw new SluiceError('unavailable', 'the budget lease ran out; try again', {
      retryAfterSeconds: 1,
    });
  }
  return taken;
};

const takenOf = (outcome: Taken | Refusal): Taken => {
  if ('holds' in outcome) {
    return outcome;
  }
  switch (outcome.refused) {
    case 'exhausted':
      throw new SluiceError(
        'insufficient_quota',
        `budget ${outcome.budget} is spent for this period`,
      );
    case 'busy':
      throw new SluiceError(
        'budget_busy',
        `budget ${outcome.budget} is held by running requests; try again`,
        {retryAfterSeconds: 1},
      );
    case 'paused':
      throw new SluiceError('budget_paused', `budget ${outcome.budget} is paused by its owner`);
    case 'away':
      throw new SluiceError('unavailable', 'the budgets cannot be read', {retryAfterSeconds: 1});
  }
};
