/**
Accounts: every budget that this process knows, and the leases it spends from. No waiting, no timers.

In: demands, the times. Out: holds, all or none; which budgets lack money. What a tick asks the store for is `upkeep.ts`, what
its answer changes `answer.ts`; the lease book puts the waiting around them.
*/
import {outputCovered} from '../cost.ts';
import {
  type Account,
  type BudgetRef,
  type Demand,
  demandedHold,
  isScarce,
  isTaken,
  type Part,
  remainingOf,
  type Taken,
  takenOf,
} from './account.ts';
import {type Clocks, freeOf, isAlive, isWithin, type Lease, mayGrant} from './lease.ts';

/** What nobody waits for is gathered for so long. */
const gatherMs = 250;

export const createAccounts = ({
  clocks,
  lifeMs,
  settleMs = Number.POSITIVE_INFINITY,
  onFreed = () => {},
}: {
  clocks: () => Clocks;
  /** How long a grant is good for: its life less the margin. */
  lifeMs: number;
  /** A request whose result is durable later than so long after its beginning may have been settled by policy before. */
  settleMs?: number | undefined;
  /** A hold came back, so that who waits may find enough. */
  onFreed?: () => void;
}) => {
  const accounts = new Map<string, Account>();
  /** Leases that may grant no more, until everything they hold is settled and returned. */
  const retired = new Map<string, Lease>();
  /** Those that lack something. */
  const asking = new Set<Account>();
  let returnsDueMs = Number.POSITIVE_INFINITY;

  const accountOf = ({id, unit}: BudgetRef): Account => {
    let account = accounts.get(id);
    if (!account) {
      account = {
        id,
        unit,
        lease: undefined,
        next: undefined,
        known: undefined,
        settledSince: 0,
        needed: undefined,
        notBeforeMs: Number.NEGATIVE_INFINITY,
        changedMs: Number.NEGATIVE_INFINITY,
        usedMs: Number.NEGATIVE_INFINITY,
      };
      accounts.set(id, account);
    }
    return account;
  };

  const returnWithin = (ms: number) => {
    returnsDueMs = Math.min(returnsDueMs, clocks().monotonicMs + ms);
  };

  const putAside = (lease: Lease | undefined, withinMs = gatherMs) => {
    if (lease) {
      retired.set(lease.id, lease);
      returnWithin(withinMs);
    }
  };

  const retire = (account: Account, withinMs = gatherMs) => {
    putAside(account.lease, withinMs);
    account.lease = undefined;
  };

  const retireAll = (account: Account) => {
    retire(account, 0);
    putAside(account.next, 0);
    account.next = undefined;
  };

  /** The lease that a new hold may be taken from; the one of the next window takes over when that has begun. */
  const grantingLease = (account: Account, now: Clocks): Lease | undefined => {
    if (account.lease && !mayGrant(account.lease, now, lifeMs)) {
      retire(account);
    }
    if (account.next && !account.lease && now.monotonicMs >= account.next.windowStartsMs) {
      account.lease = account.next;
      account.next = undefined;
      return grantingLease(account, now);
    }
    return account.lease;
  };

  const ask = (account: Account, needed: number) => {
    account.needed = Math.max(account.needed ?? 0, needed);
    asking.add(account);
  };

  /** Asks ahead, so that the next requests find money without waiting. */
  const askAhead = (account: Account, lease: Lease) => {
    const {known, needed} = account;
    const isMoreLeft = known && known.available > 0 && !known.paused;
    if (needed === undefined && isMoreLeft && freeOf(lease) < known.slice / 2) {
      ask(account, 0);
    }
  };

  const handlers = {
    isCovered: (lease: Lease) => isAlive(lease, clocks(), lifeMs),
    onFreed(account: Account, lease: Lease) {
      if (retired.has(lease.id)) {
        returnWithin(isScarce(account) ? 0 : gatherMs);
      }
      onFreed();
    },
    onAbandoned(account: Account, lease: Lease) {
      lease.abandoned = true;
      if (account.lease === lease) {
        retire(account);
      }
    },
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
      askAhead(account, lease);
    }
    const isOverdue = () => !isWithin(now, clocks(), settleMs);
    return takenOf(parts, maxTokens, {...handlers, isOverdue});
  };

  const freeNow = (account: Account, now: Clocks) => {
    const lease = grantingLease(account, now);
    return lease ? freeOf(lease) : 0;
  };

  return {
    take,
    retire,
    grantingLease,
    putAside,
    retired,
    asking,
    /** The longest answer that the free money of every budget covers. */
    clamp(demand: Demand, now: Clocks): Taken | undefined {
      let {maxTokens} = demand;
      for (const budget of demand.budgets) {
        const covered = outputCovered(
          budget.unit,
          demand.price,
          demand.promptTokens,
          freeNow(accountOf(budget), now),
        );
        maxTokens = Math.min(maxTokens, Math.floor(covered / Math.max(demand.copies, 1)));
      }
      if (maxTokens < demand.minTokens) {
        return undefined;
      }
      const outcome = take(demand, maxTokens, now);
      return isTaken(outcome) ? outcome : undefined;
    },
    /** Is all that is left of the budget free here? Then nobody else can give anything back. */
    hasAllThatIsLeft: (account: Account, now: Clocks) =>
      freeNow(account, now) >= (remainingOf(account) ?? Number.POSITIVE_INFINITY),
    /** Asks for all that these demands lack, of every budget at once: a wait for each would add up. */
    want(demands: Iterable<Demand>, now: Clocks) {
      const sums = new Map<Account, number>();
      for (const demand of demands) {
        for (const budget of demand.budgets) {
          const account = accountOf(budget);
          const hold = demandedHold(demand, budget.unit, demand.maxTokens);
          sums.set(account, (sums.get(account) ?? 0) + hold);
        }
      }
      for (const [account, sum] of sums) {
        // Also where another budget's lack keeps it from being taken from: otherwise it would be forgotten as unused.
        account.usedMs = now.monotonicMs;
        const lacking = sum - freeNow(account, now);
        if (lacking > 0) {
          ask(account, Math.min(lacking, Number.MAX_SAFE_INTEGER));
        }
      }
    },
    /** Other gateways lack what these leases do not use. */
    recall(leases: readonly string[]) {
      const recalled = new Set(leases);
      for (const account of accounts.values()) {
        if ([account.lease, account.next].some(lease => lease && recalled.has(lease.id))) {
          retireAll(account);
        }
      }
    },
    /** Limits and pauses may be others now: nothing is taken before the store was asked again. */
    change(budgets: readonly string[] | 'all', now: Clocks) {
      for (const id of budgets === 'all' ? accounts.keys() : budgets) {
        const account = accounts.get(id);
        if (account) {
          retireAll(account);
          account.known = undefined;
          account.settledSince = 0;
          account.changedMs = now.monotonicMs;
          account.notBeforeMs = Number.NEGATIVE_INFINITY;
        }
      }
    },
    get: (id: string) => accounts.get(id),
    forget: (account: Account) => accounts.delete(account.id),
    all: () => accounts.values(),
    /** Monotonic ms by which what is retired is to be returned; Infinity: nothing is. */
    returnsDueMs: () => returnsDueMs,
    returnsAsked() {
      returnsDueMs = Number.POSITIVE_INFINITY;
    },
    state() {
      let leases = 0;
      const free = {usd: 0, tokens: 0, gpu_ms: 0};
      for (const {lease, unit} of accounts.values()) {
        if (lease) {
          leases += 1;
          free[unit] += freeOf(lease);
        }
      }
      return {leases, retired: retired.size, free};
    },
  };
};

export type Accounts = ReturnType<typeof createAccounts>;
