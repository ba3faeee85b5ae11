/**
Lease book: the leases of one gateway process, and the holds of its running requests.

In: what a request needs of each budget. Out: its holds, all or none; or why there are none. In steady state a hold is
taken without waiting; where a lease lacks money, the request waits for the next tick. A tick is one statement, at most
every 20 ms, that returns, renews and asks for all that is due. What a request did not need goes back into its lease only
when its result is durable, so that for whoever reads the log `settled + open <= granted` at every point.
*/

import {costOf, type Price, type Unit} from '../cost.ts';
import {
  type Account,
  type Demand,
  demandedHold,
  type Hold,
  isTaken,
  remainingOf,
  type Taken,
} from './account.ts';
import {createAccounts} from './accounts.ts';
import type {Clocks} from './lease.ts';
import type {LeaseAnswer, LeaseWork} from './lease-work.ts';

/** exhausted: not enough is left uncharged. busy: it is there, but held or leased elsewhere. away: the store gave no answer. */
export type Refusal = Readonly<{refused: 'exhausted' | 'busy' | 'away'; budget: string}>;

type Waiter = {
  readonly demand: Demand;
  /** The budgets that the store has answered for since this began to wait. */
  readonly answered: Set<string>;
  readonly resolve: (outcome: Taken | Refusal) => void;
  readonly timer: NodeJS.Timeout;
};

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
}: {
  work: (work: LeaseWork) => Promise<LeaseAnswer>;
  clocks?: () => Clocks;
  ttlMs: number;
  marginMs: number;
  waitMs: number;
  tickMs?: number;
  /** The largest slice of each unit. */
  sliceMax?: Readonly<Record<Unit, number>>;
  waitersMax?: number;
  onError?: (error: Error) => void;
}) => {
  const accounts = createAccounts({clocks, ttlMs, lifeMs: ttlMs - marginMs, sliceMax});
  const waiters = new Set<Waiter>();
  let ticking: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let nextTickMs = Number.NEGATIVE_INFINITY;
  let closed = false;

  const scheduleIfDue = () => {
    if (!timer && !ticking && !closed && accounts.isDue()) {
      timer = setTimeout(
        () => {
          timer = undefined;
          void tick();
        },
        Math.max(nextTickMs - clocks().monotonicMs, 0),
      );
    }
  };

  const tick = (): Promise<void> => {
    ticking ??= tickOnce().finally(() => {
      ticking = undefined;
      scheduleIfDue();
    });
    return ticking;
  };

  const tickOnce = async () => {
    const asked = clocks();
    nextTickMs = asked.monotonicMs + tickMs;
    const todo = accounts.collect(asked, closed);
    if (todo.returns.length + todo.renewals.length + todo.grants.length === 0) {
      return;
    }
    for (const {budget} of todo.grants) {
      (accounts.get(budget) as Account).wanted = 0;
    }
    const waiting = [...waiters];
    try {
      accounts.apply(await work(todo), todo, asked);
    } catch (error) {
      onError(error as Error);
      askAgain(todo);
      return;
    }
    markAnswered(waiting, todo);
    for (const waiter of waiters) {
      const outcome = decide(waiter, clocks());
      if (outcome) {
        finish(waiter, outcome);
      }
    }
  };

  /** Who waits goes on waiting, up to its bound; not every 20 ms, because the store has trouble enough. */
  const askAgain = (todo: LeaseWork) => {
    nextTickMs = clocks().monotonicMs + 10 * tickMs;
    for (const {budget, slice} of waiters.size > 0 ? todo.grants : []) {
      const account = accounts.get(budget);
      if (account) {
        account.wanted = Math.max(account.wanted, slice);
      }
    }
  };

  const markAnswered = (waiting: readonly Waiter[], todo: LeaseWork) => {
    const asked = new Set(todo.grants.map(({budget}) => budget));
    for (const {demand, answered} of waiting) {
      for (const {id} of demand.budgets) {
        if (asked.has(id)) {
          answered.add(id);
        }
      }
    }
  };

  /** After an answer of the store: take, clamp, refuse, or (undefined) wait for the answer of another budget. */
  const decide = ({demand, answered}: Waiter, now: Clocks): Taken | Refusal | undefined => {
    const outcome = accounts.take(demand, demand.maxTokens, now);
    if (isTaken(outcome)) {
      return outcome;
    }
    if (!answered.has(outcome.id)) {
      accounts.want(demand);
      return undefined;
    }
    const uncharged = remainingOf(outcome) ?? 0;
    if (uncharged < demandedHold(demand, outcome.unit, demand.minTokens)) {
      return {refused: 'exhausted', budget: outcome.id};
    }
    // The whole bound would be covered if the others gave back what they hold: then this is a moment's shortage.
    const isHeldElsewhere = uncharged >= demandedHold(demand, outcome.unit, demand.maxTokens);
    return (
      (isHeldElsewhere ? undefined : accounts.clamp(demand, now)) ?? {
        refused: 'busy',
        budget: outcome.id,
      }
    );
  };

  const finish = (waiter: Waiter, outcome: Taken | Refusal) => {
    waiters.delete(waiter);
    clearTimeout(waiter.timer);
    waiter.resolve(outcome);
  };

  const wait = (demand: Demand, lacking: Account): Promise<Taken | Refusal> =>
    new Promise(resolve => {
      const late = () =>
        finish(waiter, {refused: waiter.answered.size > 0 ? 'busy' : 'away', budget: lacking.id});
      const waiter: Waiter = {
        demand,
        answered: new Set(),
        resolve,
        // One more turn: in a process that lagged, the answer may be there and only not read yet.
        timer: setTimeout(() => setImmediate(late), waitMs),
      };
      waiters.add(waiter);
    });

  const upkeep = setInterval(() => void tick(), Math.max(ttlMs / 6, tickMs));
  upkeep.unref();

  return {
    /** Takes at once where leases cover it; otherwise waits for the store, at most `waitMs`. */
    acquire(demand: Demand): Taken | Promise<Taken | Refusal> {
      const outcome = accounts.take(demand, demand.maxTokens, clocks());
      if (isTaken(outcome)) {
        scheduleIfDue();
        return outcome;
      }
      if (waiters.size >= waitersMax || closed) {
        return Promise.resolve({refused: 'away', budget: outcome.id});
      }
      accounts.want(demand);
      scheduleIfDue();
      return wait(demand, outcome);
    },
    /** Limit less what was charged as far as this process knows; undefined before the first answer. */
    remaining(budget: string) {
      const account = accounts.get(budget);
      return account && remainingOf(account);
    },
    /** For `/metrics`. */
    state: () => ({...accounts.state(), waiting: waiters.size}),
    /** Gives everything back that no request holds. */
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
