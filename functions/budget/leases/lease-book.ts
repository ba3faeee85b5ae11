/**
Lease book: the leases of one gateway process, and the holds of its running requests.

In: what a request needs of each budget. Out: its holds, all or none; or why there are none. In steady state a hold is
taken without waiting; where a lease lacks money, the request waits for the next tick. A tick is one statement that returns,
renews and asks for all that is due. What a request did not need goes back into its lease only when its result is durable,
so that for whoever reads the log `settled + open <= granted` at every point.
*/
import {costOf, type Price, type Unit} from '../cost.ts';
import {type Demand, type Hold, isTaken, remainingOf, type Taken} from './account.ts';
import {createAccounts} from './accounts.ts';
import {applyAnswer, askAgainMs} from './answer.ts';
import type {Clocks} from './lease.ts';
import type {LeaseAnswer, LeaseWork} from './lease-work.ts';
import {createUpkeep} from './upkeep.ts';
import {createWaiters, type Refusal} from './waiters.ts';

export type {Refusal};

/** The more gateways there are the rarer are the ticks of each, so that the store's work does not grow with them. */
const ticksPerSecond = 65;
const tickMsMax = 100;

export const createLeaseBook = ({
  work: askStore,
  clocks = () => ({monotonicMs: performance.now(), wallMs: Date.now()}),
  ttlMs,
  marginMs,
  settleMs,
  waitMs,
  recallMs = waitMs / 2,
  tickMs = 20,
  lookMs = Math.min(1_000, ttlMs / 6),
  sliceMax = {usd: 250_000_000, tokens: 1_000_000, gpu_ms: 600_000},
  waitersMax = 10_000,
  onError = () => {},
}: {
  work: (work: LeaseWork) => Promise<LeaseAnswer>;
  clocks?: () => Clocks;
  ttlMs: number;
  marginMs: number;
  /** A request whose result is durable later than so long after its beginning may have been settled by policy before. */
  settleMs?: number;
  waitMs: number;
  /** A request waits so long for what others may give back. */
  recallMs?: number;
  /** Between two statements, at least. */
  tickMs?: number;
  /** Between two looks for leases that are to be renewed or returned. */
  lookMs?: number;
  /** The largest slice of each unit. */
  sliceMax?: Readonly<Record<Unit, number>>;
  waitersMax?: number;
  onError?: (error: Error) => void;
}) => {
  let ticking: Promise<void> | undefined;
  let timer: {id: NodeJS.Timeout; atMs: number} | undefined;
  let retrying: NodeJS.Timeout | undefined;
  let nextTickMs = Number.NEGATIVE_INFINITY;
  let nextLookMs = Number.NEGATIVE_INFINITY;
  let gateways = 1;
  let closed = false;

  const accounts = createAccounts({
    clocks,
    lifeMs: ttlMs - marginMs,
    settleMs,
    onFreed() {
      schedule();
      // Not for every hold that comes back: who waits is looked at as a whole.
      if (waiters.size() > 0 && !retrying) {
        retrying = setTimeout(() => {
          retrying = undefined;
          waiters.decide();
        }, tickMs);
      }
    },
  });
  const waiters = createWaiters({accounts, clocks, waitMs, recallMs});
  const upkeep = createUpkeep({accounts, ttlMs, sliceMax});

  const schedule = () => {
    const atMs = Math.max(nextTickMs, upkeep.dueMs());
    if (ticking || closed || atMs === Number.POSITIVE_INFINITY || (timer && timer.atMs <= atMs)) {
      return;
    }
    clearTimeout(timer?.id);
    timer = {id: setTimeout(() => void tick(), Math.max(atMs - clocks().monotonicMs, 0)), atMs};
  };

  const tick = (): Promise<void> => {
    clearTimeout(timer?.id);
    timer = undefined;
    ticking ??= tickOnce().finally(() => {
      ticking = undefined;
      schedule();
    });
    return ticking;
  };

  const tickOnce = async () => {
    const asked = clocks();
    const looking = asked.monotonicMs >= nextLookMs;
    nextLookMs = looking ? asked.monotonicMs + lookMs : nextLookMs;
    waiters.ask();
    const todo = upkeep.collect(asked, {looking, closing: closed});
    if (!todo) {
      return;
    }
    const everyMs = Math.min((1_000 * gateways) / ticksPerSecond, tickMsMax);
    nextTickMs = asked.monotonicMs + Math.max(tickMs, everyMs);
    try {
      const answer = await askStore(todo);
      gateways = Math.max(answer.gateways, 1);
      applyAnswer(accounts, todo, answer, {asked, answered: clocks()});
    } catch (error) {
      onError(error as Error);
      // Not at once: the store has trouble enough.
      upkeep.putBack(todo, clocks().monotonicMs + askAgainMs);
      return;
    }
    waiters.decide();
    waiters.ask();
  };

  const looking = setInterval(() => void tick(), Math.max(lookMs, tickMs));
  looking.unref();

  return {
    /** Takes at once where leases cover it; otherwise waits for the store, at most `waitMs`. */
    acquire(demand: Demand): Taken | Promise<Taken | Refusal> {
      const now = clocks();
      const outcome = accounts.take(demand, demand.maxTokens, now);
      if (isTaken(outcome)) {
        schedule();
        return outcome;
      }
      if (waiters.size() >= waitersMax || closed) {
        return Promise.resolve({refused: 'away', budget: outcome.id});
      }
      const end = waiters.refusal(demand, outcome, now.monotonicMs, now);
      if (end) {
        return Promise.resolve(end);
      }
      accounts.want([demand], now);
      schedule();
      return waiters.add(demand, outcome, now.monotonicMs);
    },
    /** Other gateways lack what these leases do not use. */
    recall(leases: readonly string[]) {
      if (leases.length > 0) {
        accounts.recall(leases);
        schedule();
      }
    },
    /** A limit, a pause: nothing more is taken from what was granted before. */
    change(budgets: readonly string[] | 'all') {
      accounts.change(budgets, clocks());
      schedule();
    },
    /** Limit less what was charged as far as this process knows; undefined before the first answer. */
    remaining(budget: string) {
      const account = accounts.get(budget);
      return account && remainingOf(account);
    },
    /** For `/metrics`. */
    state: () => ({...accounts.state(), gateways, waiting: waiters.size()}),
    /** Gives everything back that no request holds. */
    async close() {
      closed = true;
      clearInterval(looking);
      clearTimeout(timer?.id);
      clearTimeout(retrying);
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
