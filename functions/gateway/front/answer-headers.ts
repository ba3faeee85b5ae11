/**
Answer headers: what is left of the tightest budget, and what was made of the client's maximum.
*/
import type {Taken} from '../../budget/leases/account.ts';
import type {LeaseBook} from '../../budget/leases/lease-book.ts';
import type {ClientResponse} from '../exchange/admitted.ts';

const names = [
  'x-sluice-budget-remaining-usd',
  'x-sluice-budget-remaining-tokens',
  'x-sluice-max-tokens',
];

export const setAnswerHeaders = (
  response: Pick<ClientResponse, 'setHeader'>,
  leaseBook: LeaseBook,
  taken: Taken,
  /** What was put in for a maximum. */
  maxTokens: string | undefined,
) => {
  const left: Partial<Record<string, number>> = {};
  for (const {budget, unit} of taken.holds) {
    const remaining = leaseBook.remaining(budget);
    if (remaining !== undefined) {
      left[unit] = Math.min(left[unit] ?? Number.POSITIVE_INFINITY, remaining);
    }
  }
  if (left.usd !== undefined) {
    response.setHeader('x-sluice-budget-remaining-usd', usd(left.usd));
  }
  if (left.tokens !== undefined) {
    response.setHeader('x-sluice-budget-remaining-tokens', String(left.tokens));
  }
  if (maxTokens !== undefined) {
    response.setHeader('x-sluice-max-tokens', maxTokens);
  }
};

/** Another model takes over: what was said of the first one's budgets and maximum is not true of it. */
export const clearAnswerHeaders = (response: Pick<ClientResponse, 'removeHeader'>) => {
  for (const name of names) {
    response.removeHeader(name);
  }
};

/** Nano-USD as a decimal, by its digits: a division would round. */
const usd = (nanos: number) => {
  const digits = String(nanos).padStart(10, '0');
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`;
};
