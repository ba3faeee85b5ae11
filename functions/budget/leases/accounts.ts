/**
Accounts: every budget that this process knows, and the leases it spends from. No waiting, no timers.

In: demands, the times, the store's answers. Out: holds, all or none; what to ask the store for next. The lease book puts
the waiting around it.
*/

import {outputCovered, type Unit} from '../cost.ts';
import {
  type Account,
  type BudgetRef,
  type Demand,
  demandedHold,
  isTaken,
  type Part,
  remainingOf,
  type Taken,
  takenOf,
} from './account.ts';
import {type Clocks, freeOf, isAlive, type Lease, mayGrant, returnable, sliceOf} from './lease.ts';
import type {LeaseAnswer, LeaseWork} from './lease-work.ts';

export const createAccounts = ({
  clocks,
  ttlMs,
  lifeMs,
  sliceMax,
}: {
  clocks: () => Clocks;
  ttlMs: number;
  /** How long a grant is good for: its life less the margin. */
  lifeMs: number;
  sliceMax: Readonly<Record<Unit, number>>;
}) => {
  const accounts = new Map<string, Account>();
  /** Leases that may grant no more, until everything they hold is settled and returned. */
  const retired = new Map<string, Lease>();
  let gateways = 1;

  const accountOf = ({id, unit}: BudgetRef): Account => {
    let account = accounts.get(id);
    if (!account) {
      account = {
        id,
        unit,
        lease: undefined,
        remaining: undefined,
        settledSince: 0,
        wanted: 0,
        usedMs: 0,
      };
      accounts.set(id, account);
    }
    return account;
  };

  const retire = (account: Account) => {
    if (account.lease) {
      retired.set(account.lease.id, account.lease);
      account.lease = undefined;
    }
  };

  const grantingLease = (account: Account, now: Clocks): Lease | undefined => {
    if (account.lease && !mayGrant(account.lease, now, lifeMs)) {
      retire(account);
    }
    return account.lease;
  };

  const slice = (account: Account, needed: number) =>
    sliceOf({remaining: remainingOf(account), gateways, needed, max: sliceMax[account.unit]});

  /** Asks ahead, so that the next requests find money without waiting. */
  const topUp = (account: Account, lease: Lease, amount: number) => {
    const wanted = slice(account, amount);
    const isMoreLeft = (remainingOf(account) ?? 1) > freeOf(lease) + lease.held;
    if (account.wanted === 0 && isMoreLeft && freeOf(lease) < wanted / 2) {
      account.wanted = wanted;
    }
  };

  /** Takes all holds at `maxTokens`, or none and says which budget lacked money. */
  const take = (demand: Demand, maxTokens: number, now: Clocks): Taken | Account => {
    const parts: Part[] = [];
    for (const budget of demand.budgets) {
      const amount = demandedHold(demand, budget.unit, maxTokens);
      const account = accountOf(budget);
      const lease = grantingLease(account, now);
      account.usedMs = now.monotonicMs;
      if (amount > 0 && (!lease || freeOf(lease) < amount)) {
        return account;
      }
      if (lease && amount > 0) {
        parts.push({account, lease, amount});
      }
    }
    for (const {account, lease, amount} of parts) {
      lease.held += amount;
      topUp(account, lease, amount);
    }
    return takenOf(parts, maxTokens, lease => isAlive(lease, clocks(), lifeMs));
  };

  /** The longest answer that the free money of every budget covers. */
  const clamp = (demand: Demand, now: Clocks): Taken | undefined => {
    let {maxTokens} = demand;
    for (const budget of demand.budgets) {
      const lease = grantingLease(accountOf(budget), now);
      const covered = outputCovered(
        budget.unit,
        demand.price,
        demand.promptTokens,
        lease ? freeOf(lease) : 0,
      );
      maxTokens = Math.min(maxTokens, Math.floor(covered / Math.max(demand.copies, 1)));
    }
    if (maxTokens < demand.minTokens) {
      return undefined;
    }
    const outcome = take(demand, maxTokens, now);
    return isTaken(outcome) ? outcome : undefined;
  };

  /** What is due: leases to return, to renew, to ask for. With `closing`, everything is returned and nothing asked for. */
  const collect = (now: Clocks, closing: boolean): LeaseWork => {
    for (const account of accounts.values()) {
      const lease = grantingLease(account, now);
      const idleMs = now.monotonicMs - account.usedMs;
      if (lease && (closing || (lease.held === 0 && idleMs > ttlMs / 2))) {
        retire(account);
      }
      if (!account.lease && idleMs > 2 * ttlMs) {
        accounts.delete(account.id);
      }
    }
    const returns: {lease: string; total: number}[] = [];
    for (const lease of retired.values()) {
      if (returnable(lease) > lease.returned) {
        returns.push({lease: lease.id, total: returnable(lease)});
      } else if (lease.held === 0) {
        retired.delete(lease.id);
      }
    }
    const all = [...accounts.values()];
    return {
      returns,
      renewals: all.flatMap(({lease}) =>
        lease && now.monotonicMs - lease.since.monotonicMs > ttlMs / 3 ? [lease.id] : [],
      ),
      grants: closing
        ? []
        : all.flatMap(({id, wanted}) => (wanted > 0 ? [{budget: id, slice: wanted}] : [])),
    };
  };

  /** The store's answer to `work`. `asked`: both clocks before it was asked, the only instant a lease's life may count from. */
  const apply = (answer: LeaseAnswer, work: LeaseWork, asked: Clocks) => {
    gateways = Math.max(answer.gateways, 1);
    for (const {lease, total} of work.returns) {
      const held = retired.get(lease);
      if (held) {
        held.returned = Math.max(held.returned, total);
      }
    }
    applyRenewals(answer, work, asked);
    for (const grant of answer.grants) {
      const account = accounts.get(grant.budget);
      if (account) {
        applyGrant(account, grant, asked);
      }
    }
  };

  const applyRenewals = (answer: LeaseAnswer, work: LeaseWork, asked: Clocks) => {
    const renewed = new Map(answer.renewals.map(renewal => [renewal.lease, renewal]));
    for (const account of accounts.values()) {
      if (!account.lease || !work.renewals.includes(account.lease.id)) {
        continue;
      }
      const renewal = renewed.get(account.lease.id);
      if (renewal) {
        account.lease.since = asked;
        account.lease.granted = renewal.granted;
      }
      account.lease.void = !renewal;
      // Recalled: another gateway lacks what we do not use.
      if (!renewal || renewal.recalled) {
        retire(account);
      }
    }
  };

  const applyGrant = (account: Account, grant: LeaseAnswer['grants'][number], asked: Clocks) => {
    account.remaining = grant.remaining;
    account.settledSince = 0;
    if (account.lease && account.lease.id !== grant.lease) {
      retire(account);
    }
    if (grant.lease === null || grant.granted === null) {
      return;
    }
    account.lease ??= {
      id: grant.lease,
      window: grant.window,
      granted: 0,
      held: 0,
      settled: 0,
      returned: 0,
      since: asked,
      windowEndsMs: Number.POSITIVE_INFINITY,
      void: false,
    };
    account.lease.granted = grant.granted;
    account.lease.since = asked;
    account.lease.windowEndsMs =
      grant.endsInMs === null ? Number.POSITIVE_INFINITY : asked.monotonicMs + grant.endsInMs;
  };

  return {
    take,
    clamp,
    collect,
    apply,
    get: (id: string) => accounts.get(id),
    /** Asks in the next tick for all that the demand lacks, of every budget at once: a wait for each would add up. */
    want(demand: Demand) {
      for (const budget of demand.budgets) {
        const account = accountOf(budget);
        const needed = demandedHold(demand, budget.unit, demand.maxTokens);
        const lacking = needed - (account.lease ? freeOf(account.lease) : 0);
        if (lacking > 0) {
          account.wanted = Math.max(account.wanted + lacking, slice(account, lacking));
        }
      }
    },
    /** Whether a tick has something to do before the next upkeep. */
    isDue() {
      for (const {wanted} of accounts.values()) {
        if (wanted > 0) {
          return true;
        }
      }
      for (const lease of retired.values()) {
        if (returnable(lease) > lease.returned) {
          return true;
        }
      }
      return false;
    },
    state: () => ({
      leases: [...accounts.values()].filter(({lease}) => lease).length,
      retired: retired.size,
      gateways,
    }),
  };
};

export type Accounts = ReturnType<typeof createAccounts>;
