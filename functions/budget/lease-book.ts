/**
Lease book: the leases of one gateway process, and the holds of its running requests.

In: what a request needs of each budget. Out: its holds, all or none; or why there are none. In steady state a hold is
taken without waiting; where a lease lacks money, the request waits for the next tick. A tick is one statement, at most
every 20 ms, that returns, renews and asks for all that is due. What a request did not need goes back into its lease only
when its result is durable, so that for whoever reads the log `settled + open <= granted` at every point.
*/
import {costOf, holdOf, outputCovered, type Price, type Unit} from './cost.ts';
import {type Clocks, freeOf, isUsable, type Lease, returnable, sliceOf} from './lease.ts';

export type BudgetRef = Readonly<{id: string; unit: Unit}>;
export type Hold = Readonly<{
  budget: string;
  window: string;
  lease: string;
  unit: Unit;
  hold: number;
}>;

/** What a request can cost: a prompt, and `copies` answers of at most `maxTokens` each. */
export type Demand = Readonly<{
  budgets: readonly BudgetRef[];
  price: Price;
  promptTokens: number;
  copies: number;
  maxTokens: number;
  /** An answer shorter than this is refused instead of clamped. */
  minTokens: number;
}>;

export type Taken = Readonly<{
  holds: readonly Hold[];
  /** The demand's, or less where the money covers only less. */
  maxTokens: number;
  usable(): boolean;
  /** The result is durable: costs in the order of `holds`. */
  settle(amounts: readonly number[]): void;
}>;

/** exhausted: not enough is left uncharged. busy: it is there, but held or leased elsewhere. away: the store gave no answer. */
export type Refusal = Readonly<{refused: 'exhausted' | 'busy' | 'away'; budget: string}>;

export type LeaseWork = Readonly<{
  returns: ReadonlyArray<{lease: string; total: number}>;
  renewals: readonly string[];
  grants: ReadonlyArray<{budget: string; slice: number}>;
}>;
export type LeaseAnswer = Readonly<{
  grants: ReadonlyArray<{
    budget: string;
    window: string;
    lease: string | null;
    granted: number | null;
    limit: number;
    charged: number;
    available: number;
    endsInMs: number | null;
  }>;
  renewals: ReadonlyArray<{lease: string; granted: number; recalled: boolean}>;
  gateways: number;
}>;

type Account = {
  readonly id: string;
  readonly unit: Unit;
  lease: Lease | undefined;
  limit: number | undefined;
  charged: number;
  /** Acknowledged costs since `charged` was read. */
  settledSince: number;
  /** Ask for this much in the next tick; 0 = nothing. */
  wanted: number;
  usedMs: number;
};
type Waiter = {
  demand: Demand;
  answered: Set<string>;
  resolve: (outcome: Taken | Refusal) => void;
  timer: NodeJS.Timeout;
};

export type LeaseBookOptions = Readonly<{
  work: (work: LeaseWork) => Promise<LeaseAnswer>;
  clocks?: () => Clocks;
  ttlMs: number;
  marginMs: number;
  waitMs: number;
  tickMs?: number;
  sliceMax?: Readonly<Record<Unit, number>>;
  waitersMax?: number;
  onError?: (error: Error) => void;
}>;

export const createLeaseBook = ({
  work,
  clocks = () => ({monotonicMs: performance.now(), wallMs: Date.now()}),
  ttlMs,
  marginMs,
  waitMs,
  tickMs = 20,
  sliceMax = {usd: 250_000_000, tokens: 1_000_000, gpu_ms: 600_000},
  waitersMax = 10_000,
  onError = () => {},
}: LeaseBookOptions) => {
  const accounts = new Map<string, Account>();
  /** Leases that may grant no more, until everything they hold is settled and returned. */
  const retired = new Map<string, Lease>();
  const waiters = new Set<Waiter>();
  const lifeMs = ttlMs - marginMs;
  let gateways = 1;
  let ticking: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let lastTickMs = Number.NEGATIVE_INFINITY;
  let closed = false;

  const accountOf = ({id, unit}: BudgetRef): Account => {
    let account = accounts.get(id);
    if (!account) {
      account = {
        id,
        unit,
        lease: undefined,
        limit: undefined,
        charged: 0,
        settledSince: 0,
        wanted: 0,
        usedMs: 0,
      };
      accounts.set(id, account);
    }
    return account;
  };

  const usableLease = (account: Account, now: Clocks): Lease | undefined => {
    if (account.lease && !isUsable(account.lease, now, lifeMs)) {
      retire(account);
    }
    return account.lease;
  };

  const retire = (account: Account) => {
    if (account.lease) {
      retired.set(account.lease.id, account.lease);
      account.lease = undefined;
    }
  };

  const remainingOf = (account: Account) =>
    account.limit === undefined
      ? undefined
      : Math.max(account.limit - account.charged - account.settledSince, 0);

  /** Takes all holds at `maxTokens`, or none and says which budget lacked money. */
  const take = (demand: Demand, maxTokens: number, now: Clocks): Taken | Account => {
    const bounds = {inputTokens: demand.promptTokens, outputTokens: demand.copies * maxTokens};
    const found: {account: Account; lease: Lease; amount: number}[] = [];
    for (const budget of demand.budgets) {
      const amount = holdOf(budget.unit, demand.price, bounds);
      const account = accountOf(budget);
      const lease = usableLease(account, now);
      account.usedMs = now.monotonicMs;
      if (amount > 0 && (!lease || freeOf(lease) < amount)) {
        return account;
      }
      if (lease && amount > 0) {
        found.push({account, lease, amount});
      }
    }
    for (const {account, lease, amount} of found) {
      lease.held += amount;
      lease.lastUsedMs = now.monotonicMs;
      topUp(account, lease, amount);
    }
    return taken(found, maxTokens);
  };

  /** Asks ahead, so that the next requests find money without waiting. */
  const topUp = (account: Account, lease: Lease, amount: number) => {
    const slice = sliceOf({
      remaining: remainingOf(account),
      gateways,
      needed: amount,
      max: sliceMax[account.unit],
    });
    if (
      freeOf(lease) < slice / 2 &&
      account.wanted === 0 &&
      (remainingOf(account) ?? 1) > freeOf(lease) + lease.held
    ) {
      account.wanted = slice;
      schedule();
    }
  };

  const taken = (
    found: {account: Account; lease: Lease; amount: number}[],
    maxTokens: number,
  ): Taken => {
    let open = true;
    return {
      holds: found.map(({account, lease, amount}) => ({
        budget: account.id,
        window: lease.window,
        lease: lease.id,
        unit: account.unit,
        hold: amount,
      })),
      maxTokens,
      usable: () => {
        const now = clocks();
        return found.every(
          ({account, lease}) => account.lease === lease && isUsable(lease, now, lifeMs),
        );
      },
      settle(amounts) {
        if (!open) {
          return;
        }
        open = false;
        for (const [index, {account, lease, amount}] of found.entries()) {
          const cost = amounts[index] ?? amount;
          lease.held -= amount;
          lease.settled += Math.min(cost, amount);
          account.settledSince += cost;
        }
      },
    };
  };

  const isTaken = (outcome: Taken | Account): outcome is Taken => 'holds' in outcome;

  /** After an answer of the store: take, clamp, refuse, or (undefined) wait for the answer of another budget. */
  const decide = (waiter: Waiter, now: Clocks): Taken | Refusal | undefined => {
    const {demand} = waiter;
    const outcome = take(demand, demand.maxTokens, now);
    if (isTaken(outcome)) {
      return outcome;
    }
    if (!waiter.answered.has(outcome.id)) {
      want(outcome, demand);
      return undefined;
    }
    const floor = holdOf(outcome.unit, demand.price, {
      inputTokens: demand.promptTokens,
      outputTokens: demand.copies * demand.minTokens,
    });
    const uncharged = remainingOf(outcome) ?? 0;
    if (uncharged < floor) {
      return {refused: 'exhausted', budget: outcome.id};
    }
    if (
      uncharged >=
      holdOf(outcome.unit, demand.price, {
        inputTokens: demand.promptTokens,
        outputTokens: demand.copies * demand.maxTokens,
      })
    ) {
      return {refused: 'busy', budget: outcome.id};
    }
    return clamp(demand, now) ?? {refused: 'busy', budget: outcome.id};
  };

  /** The longest answer that the free money of every budget covers. */
  const clamp = (demand: Demand, now: Clocks): Taken | undefined => {
    let maxTokens = demand.maxTokens;
    for (const budget of demand.budgets) {
      const lease = usableLease(accountOf(budget), now);
      const covered = outputCovered(
        budget.unit,
        demand.price,
        demand.promptTokens,
        lease ? freeOf(lease) : 0,
      );
      maxTokens = Math.min(maxTokens, Math.floor(covered / Math.max(demand.copies, 1)));
    }
    if (maxTokens < Math.max(demand.minTokens, demand.maxTokens === 0 ? 0 : 1)) {
      return undefined;
    }
    const outcome = take(demand, maxTokens, now);
    return isTaken(outcome) ? outcome : undefined;
  };

  const want = (account: Account, demand: Demand) => {
    const bounds = {
      inputTokens: demand.promptTokens,
      outputTokens: demand.copies * demand.maxTokens,
    };
    const needed = holdOf(account.unit, demand.price, bounds);
    const free = account.lease ? freeOf(account.lease) : 0;
    account.wanted = Math.max(
      account.wanted + Math.max(needed - free, 0),
      sliceOf({
        remaining: remainingOf(account),
        gateways,
        needed: Math.max(needed - free, 1),
        max: sliceMax[account.unit],
      }),
    );
    schedule();
  };

  const settleWaiters = () => {
    const now = clocks();
    for (const waiter of waiters) {
      const outcome = decide(waiter, now);
      if (outcome) {
        finish(waiter, outcome);
      }
    }
  };

  const finish = (waiter: Waiter, outcome: Taken | Refusal) => {
    waiters.delete(waiter);
    clearTimeout(waiter.timer);
    waiter.resolve(outcome);
  };

  const schedule = () => {
    if (timer || ticking || closed) {
      return;
    }
    const due = Math.max(lastTickMs + tickMs - clocks().monotonicMs, 0);
    timer = setTimeout(() => {
      timer = undefined;
      void tick();
    }, due);
  };

  const collect = (now: Clocks) => {
    const returns: {lease: string; total: number}[] = [];
    for (const account of accounts.values()) {
      const lease = usableLease(account, now);
      const idle = now.monotonicMs - account.usedMs;
      if (lease && (closed || (lease.held === 0 && idle > ttlMs / 2))) {
        retire(account);
      }
      if (!account.lease && idle > 2 * ttlMs) {
        accounts.delete(account.id);
      }
    }
    for (const lease of retired.values()) {
      if (returnable(lease) > lease.returned) {
        returns.push({lease: lease.id, total: returnable(lease)});
      } else if (lease.held === 0) {
        retired.delete(lease.id);
      }
    }
    const renewals = [...accounts.values()]
      .map(account => account.lease)
      .filter(
        (lease): lease is Lease =>
          lease !== undefined && now.monotonicMs - lease.since.monotonicMs > ttlMs / 3,
      )
      .map(lease => lease.id);
    const grants = [...accounts.values()]
      .filter(account => account.wanted > 0 && !closed)
      .map(account => ({budget: account.id, slice: account.wanted}));
    return {returns, renewals, grants};
  };

  const tick = (): Promise<void> => {
    ticking ??= tickOnce().finally(() => {
      ticking = undefined;
      if ([...accounts.values()].some(account => account.wanted > 0)) {
        schedule();
      }
    });
    return ticking;
  };

  const tickOnce = async () => {
    const asked = clocks();
    lastTickMs = asked.monotonicMs;
    const todo = collect(asked);
    if (todo.returns.length + todo.renewals.length + todo.grants.length === 0) {
      return;
    }
    for (const {budget} of todo.grants) {
      (accounts.get(budget) as Account).wanted = 0;
    }
    const waiting = [...waiters];
    try {
      applyAnswer(await work(todo), todo, asked);
    } catch (error) {
      onError(error as Error);
      // Who waits goes on waiting, up to its bound: the next tick asks again.
      for (const {budget, slice} of todo.grants) {
        const account = accounts.get(budget);
        if (account && waiters.size > 0) {
          account.wanted = Math.max(account.wanted, slice);
        }
      }
      lastTickMs = clocks().monotonicMs + 10 * tickMs;
      return;
    }
    const asking = new Set(todo.grants.map(grant => grant.budget));
    for (const waiter of waiting) {
      for (const {id} of waiter.demand.budgets) {
        if (asking.has(id)) {
          waiter.answered.add(id);
        }
      }
    }
    settleWaiters();
  };

  const applyAnswer = (answer: LeaseAnswer, todo: LeaseWork, asked: Clocks) => {
    gateways = Math.max(answer.gateways, 1);
    for (const {lease, total} of todo.returns) {
      const held = retired.get(lease);
      if (held) {
        held.returned = Math.max(held.returned, total);
      }
    }
    const renewed = new Map(answer.renewals.map(renewal => [renewal.lease, renewal]));
    for (const id of todo.renewals) {
      const account = [...accounts.values()].find(candidate => candidate.lease?.id === id);
      const renewal = renewed.get(id);
      if (account?.lease && renewal) {
        account.lease.since = asked;
        account.lease.granted = Number(renewal.granted);
      }
      if (account?.lease && (!renewal || renewal.recalled)) {
        retire(account);
        schedule();
      }
    }
    for (const grant of answer.grants) {
      applyGrant(grant, asked);
    }
  };

  const applyGrant = (grant: LeaseAnswer['grants'][number], asked: Clocks) => {
    const account = accounts.get(grant.budget);
    if (!account) {
      return;
    }
    account.limit = Number(grant.limit);
    account.charged = Number(grant.charged);
    account.settledSince = 0;
    if (account.lease && account.lease.id !== grant.lease) {
      retire(account);
    }
    if (grant.lease === null || grant.granted === null) {
      return;
    }
    const windowEndsMs =
      grant.endsInMs === null
        ? Number.POSITIVE_INFINITY
        : asked.monotonicMs + Number(grant.endsInMs);
    if (account.lease) {
      account.lease.granted = Number(grant.granted);
      account.lease.since = asked;
      account.lease.windowEndsMs = windowEndsMs;
      return;
    }
    account.lease = {
      id: grant.lease,
      window: grant.window,
      granted: Number(grant.granted),
      held: 0,
      settled: 0,
      returned: 0,
      since: asked,
      windowEndsMs,
      lastUsedMs: asked.monotonicMs,
    };
  };

  const upkeep = setInterval(() => void tick(), Math.max(ttlMs / 6, tickMs));
  upkeep.unref();

  return {
    /** Takes at once where leases cover it; otherwise waits for the store, at most `waitMs`. */
    acquire(demand: Demand): Taken | Promise<Taken | Refusal> {
      const outcome = take(demand, demand.maxTokens, clocks());
      if (isTaken(outcome)) {
        return outcome;
      }
      if (waiters.size >= waitersMax || closed) {
        return Promise.resolve({refused: 'away', budget: outcome.id});
      }
      want(outcome, demand);
      return new Promise(resolve => {
        const waiter: Waiter = {
          demand,
          answered: new Set(),
          resolve,
          timer: setTimeout(
            () =>
              finish(waiter, {
                refused: waiter.answered.size > 0 ? 'busy' : 'away',
                budget: outcome.id,
              }),
            waitMs,
          ),
        };
        waiters.add(waiter);
      });
    },
    /** Limit less what was charged as far as this process knows; undefined before the first answer. */
    remaining: (budget: string) => {
      const account = accounts.get(budget);
      return account && remainingOf(account);
    },
    /** For `/metrics`. */
    state: () => ({
      leases: [...accounts.values()].filter(account => account.lease).length,
      retired: retired.size,
      waiting: waiters.size,
      gateways,
    }),
    /** Gives everything back. Call when no request is left. */
    async close() {
      closed = true;
      clearInterval(upkeep);
      clearTimeout(timer);
      await ticking;
      await tick();
    },
    tick,
  };
};

export type LeaseBook = ReturnType<typeof createLeaseBook>;

/** What a request cost each budget it holds of, in the order of the holds. */
export const amountsOf = (
  holds: readonly Hold[],
  price: Price,
  tokens: Parameters<typeof costOf>[2],
) => holds.map(({unit}) => costOf(unit, price, tokens));
