/**
Upkeep: what is to be asked of the store next: leases to return, to renew, money to ask for.

In: the accounts, the times. Out: the work of one tick, or undefined when there is none. Returned is what is retired; a lease that nobody uses after half its life, or after a second while its budget is nearly all leased; everything when
the process closes. Renewed is every lease that has used a third of its life, and with it those that soon will have; also one that
is retired and still holds: its holder lives, and a fence would keep what its requests did not need until they are debited.
*/
import type {Unit} from '../cost.ts';
import {type Account, isScarce} from './account.ts';
import type {Accounts} from './accounts.ts';
import {type Clocks, type Lease, returnable} from './lease.ts';
import type {LeaseWork} from './lease-work.ts';

/** While money is scarce. */
const scarceIdleMs = 1_000;

/** Of each in one statement; the rest comes with the next. It locks windows that others wait for. */
const tickMax = 500;

/** Of a life: the next window's money is asked for so long before this one ends, jittered, so that not all ask at midnight. */
const aheadShare = 0.1;

export const createUpkeep = ({
  accounts,
  ttlMs,
  sliceMax,
  random = Math.random,
}: {
  accounts: Accounts;
  ttlMs: number;
  sliceMax: Readonly<Record<Unit, number>>;
  random?: () => number;
}) => {
  const isUnused = (account: Account, now: Clocks) => {
    const idleMs = now.monotonicMs - account.usedMs;
    const mostMs = isScarce(account) ? Math.min(scarceIdleMs, ttlMs / 2) : ttlMs / 2;
    return account.lease?.held === 0 && idleMs > mostMs;
  };

  /** Looks at every account: once a second at most. */
  const look = (now: Clocks) => {
    for (const account of accounts.all()) {
      accounts.grantingLease(account, now);
      if (isUnused(account, now)) {
        accounts.retire(account);
      }
      if (!account.lease && !account.next && now.monotonicMs - account.usedMs > 2 * ttlMs) {
        accounts.forget(account);
      }
    }
    for (const lease of accounts.retired.values()) {
      // By now its fence frees what is left of it.
      if (lease.closed && now.monotonicMs - lease.since.monotonicMs > 2 * ttlMs) {
        accounts.retired.delete(lease.id);
      }
    }
  };

  const returns = (max: number): LeaseWork['returns'] => {
    const found: {lease: string; total: number}[] = [];
    for (const lease of accounts.retired.values()) {
      if (found.length === max) {
        break;
      }
      if (!lease.closed || returnable(lease) > lease.returned) {
        found.push({lease: lease.id, total: returnable(lease)});
      } else if (lease.held === 0) {
        accounts.retired.delete(lease.id);
      }
    }
    return found;
  };

  const renewals = (now: Clocks): string[] => {
    const ageOf = (lease: Lease) => now.monotonicMs - lease.since.monotonicMs;
    const holding = [...accounts.retired.values()].filter(
      lease => lease.held > 0 && !lease.abandoned && !lease.void,
    );
    const leases = [...accounts.all()]
      .flatMap(({lease, next}) => [lease, next].filter(one => one !== undefined))
      .concat(holding);
    const isAnyDue = leases.some(lease => ageOf(lease) > ttlMs / 3);
    return isAnyDue
      ? leases
          .filter(lease => ageOf(lease) > ttlMs / 6)
          .sort((one, other) => ageOf(other) - ageOf(one))
          .slice(0, tickMax)
          .map(({id}) => id)
      : [];
  };

  const needs = (now: Clocks): LeaseWork['grants'] => {
    const found: {budget: string; needed: number; max: number}[] = [];
    for (const account of accounts.asking) {
      if (account.notBeforeMs <= now.monotonicMs && found.length < tickMax) {
        found.push({
          budget: account.id,
          needed: account.needed ?? 0,
          max: sliceMax[account.unit],
        });
        account.needed = undefined;
        accounts.asking.delete(account);
      }
    }
    return found;
  };

  const ahead = (now: Clocks): LeaseWork['grants'] =>
    [...accounts.all()].flatMap(({id, unit, lease, next, usedMs}) => {
      const isInUse = now.monotonicMs - usedMs < ttlMs / 2;
      const leadMs = ttlMs * aheadShare * (0.5 + random() / 2);
      return lease && !next && isInUse && lease.windowEndsMs - now.monotonicMs < leadMs
        ? [{budget: id, needed: 0, max: sliceMax[unit], after: lease.window}]
        : [];
    });

  return {
    /** `looking`: is it time to look at everything? `closing`: everything is returned and nothing asked for. */
    collect(
      now: Clocks,
      {looking, closing}: {looking: boolean; closing: boolean},
    ): LeaseWork | undefined {
      if (closing) {
        accounts.change('all', now);
      } else if (looking) {
        look(now);
      }
      const work: LeaseWork = {
        returns: returns(closing ? Number.POSITIVE_INFINITY : tickMax),
        renewals: looking && !closing ? renewals(now) : [],
        grants: closing ? [] : [...needs(now), ...(looking ? ahead(now) : [])],
      };
      if (work.returns.length < tickMax) {
        accounts.returnsAsked();
      }
      return work.returns.length + work.renewals.length + work.grants.length > 0 ? work : undefined;
    },
    /** The store did not answer: what was asked for is asked for again. */
    putBack(work: LeaseWork, notBeforeMs: number) {
      for (const {budget, needed, after} of work.grants) {
        const account = accounts.get(budget);
        if (account && needed > 0 && after === undefined) {
          account.needed = Math.max(account.needed ?? 0, needed);
          account.notBeforeMs = notBeforeMs;
          accounts.asking.add(account);
        }
      }
    },
    /** Monotonic ms from which a tick has something to do beside looking; Infinity: nothing. */
    dueMs() {
      let due = accounts.returnsDueMs();
      for (const {notBeforeMs} of accounts.asking) {
        due = Math.min(due, notBeforeMs);
      }
      return due;
    },
  };
};
