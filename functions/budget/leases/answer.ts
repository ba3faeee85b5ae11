/**
Answer: what the store's answer to a tick's work changes in the accounts.

In: the answer, the work, both clocks from before it was asked (the only instant a lease's life may count from) and from after.
Out: nothing; the accounts are changed. A lease that was returned is over; one that is not among the renewed is void; one that
was granted is the account's, unless the budget changed while the answer was on its way: then it goes back.
*/
import type {Account} from './account.ts';
import type {Accounts} from './accounts.ts';
import type {Clocks, Lease} from './lease.ts';
import type {LeaseAnswer, LeaseWork} from './lease-work.ts';

type Grant = LeaseAnswer['grants'][number];

/** What lacked is not asked for again before this, but when the budget changes. */
export const askAgainMs = 250;
/** While money is there, but held: it may come back with every request that ends. */
const shortAgainMs = 100;

export const applyAnswer = (
  accounts: Accounts,
  work: LeaseWork,
  answer: LeaseAnswer,
  {asked, answered}: {asked: Clocks; answered: Clocks},
) => {
  for (const {lease: id, total} of work.returns) {
    const lease = accounts.retired.get(id);
    if (lease) {
      lease.returned = Math.max(lease.returned, total);
      lease.closed = true;
    }
  }
  applyRenewals(accounts, work, answer, asked);
  const ahead = new Set(
    work.grants.flatMap(({budget, after}) => (after === undefined ? [] : [budget])),
  );
  for (const grant of answer.grants) {
    const account = accounts.get(grant.budget);
    if (account) {
      const isAhead = ahead.has(grant.budget) && grant.startsInMs > 0;
      (isAhead ? keepForLater : keep)(accounts, account, grant, {asked, answered});
      if (asked.monotonicMs <= account.changedMs) {
        accounts.change([account.id], {...asked, monotonicMs: account.changedMs});
      }
    }
  }
};

const applyRenewals = (
  accounts: Accounts,
  {renewals}: LeaseWork,
  answer: LeaseAnswer,
  asked: Clocks,
) => {
  if (renewals.length === 0) {
    return;
  }
  const wanted = new Set(renewals);
  const renewed = new Map(answer.renewals.map(renewal => [renewal.lease, renewal]));
  const renew = (lease: Lease) => {
    const renewal = renewed.get(lease.id);
    lease.void = !renewal;
    if (renewal) {
      lease.since = asked;
      lease.granted = renewal.granted;
    }
    // Recalled: another gateway lacks what we do not use, or the budget is paused.
    return renewal !== undefined && !renewal.recalled;
  };
  for (const lease of accounts.retired.values()) {
    if (wanted.has(lease.id)) {
      renew(lease);
    }
  }
  for (const account of accounts.all()) {
    if (account.lease && wanted.has(account.lease.id) && !renew(account.lease)) {
      accounts.retire(account);
    }
    if (account.next && wanted.has(account.next.id) && !renew(account.next)) {
      accounts.putAside(account.next);
      account.next = undefined;
    }
  }
};

const leaseOf = (
  grant: Grant & {lease: string; granted: number},
  {asked, answered}: {asked: Clocks; answered: Clocks},
): Lease => ({
  id: grant.lease,
  window: grant.window,
  granted: grant.granted,
  held: 0,
  settled: 0,
  returned: 0,
  since: asked,
  // Late to begin, early to end: the answer was on its way for a while.
  windowStartsMs:
    grant.startsInMs > 0 ? answered.monotonicMs + grant.startsInMs : Number.NEGATIVE_INFINITY,
  windowEndsMs:
    grant.endsInMs === null ? Number.POSITIVE_INFINITY : asked.monotonicMs + grant.endsInMs,
  void: false,
  abandoned: false,
  closed: false,
});

const isGranted = (grant: Grant): grant is Grant & {lease: string; granted: number} =>
  grant.lease !== null && grant.granted !== null;

const keepForLater = (
  accounts: Accounts,
  account: Account,
  grant: Grant,
  times: {asked: Clocks; answered: Clocks},
) => {
  if (isGranted(grant) && account.next?.id !== grant.lease) {
    accounts.putAside(account.next);
    account.next = leaseOf(grant, times);
  }
};

const keep = (
  accounts: Accounts,
  account: Account,
  grant: Grant,
  times: {asked: Clocks; answered: Clocks},
) => {
  const {remaining, available, slice, paused} = grant;
  const askedMs = times.asked.monotonicMs;
  account.known = {remaining, available, slice, paused, askedMs};
  account.settledSince = 0;
  const againMs = remaining > 0 ? shortAgainMs : askAgainMs;
  account.notBeforeMs = available > 0 ? Number.NEGATIVE_INFINITY : askedMs + againMs;
  if (account.lease && account.lease.id !== grant.lease) {
    accounts.retire(account);
  }
  if (!isGranted(grant)) {
    return;
  }
  // Recalled in the same answer, or granted to who had put it aside: what it holds is known there, and nowhere else.
  const aside = accounts.retired.get(grant.lease);
  accounts.retired.delete(grant.lease);
  account.lease ??= aside ?? leaseOf(grant, times);
  account.lease.granted = grant.granted;
  account.lease.since = times.asked;
  account.lease.closed = false;
};
