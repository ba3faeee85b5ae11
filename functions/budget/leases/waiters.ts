/**
Waiters: requests that no lease covers at once, in the order of their coming.

In: demands; a sign that money may have come. Out: holds or a refusal for each, at the latest after `waitMs`.
*/
import {
  type Account,
  type Demand,
  demandedHold,
  isTaken,
  remainingOf,
  type Taken,
} from './account.ts';
import type {Accounts} from './accounts.ts';
import {askAgainMs} from './answer.ts';
import type {Clocks} from './lease.ts';
import {shortage} from './shortage.ts';

/** away: the store gave no answer. The others: `shortage.ts`. */
export type Refusal = Readonly<{refused: 'exhausted' | 'busy' | 'paused' | 'away'; budget: string}>;

type Waiter = {
  readonly demand: Demand;
  readonly sinceMs: number;
  readonly resolve: (outcome: Taken | Refusal) => void;
  readonly timer: NodeJS.Timeout;
};

/** Was the store asked after the request came, or so shortly before that the answer still holds? */
const isFresh = ({known}: Account, sinceMs: number) =>
  known !== undefined && known.askedMs >= sinceMs - askAgainMs;

export const createWaiters = ({
  accounts,
  clocks,
  waitMs,
  recallMs,
}: {
  accounts: Accounts;
  clocks: () => Clocks;
  waitMs: number;
  recallMs: number;
}) => {
  const waiters = new Set<Waiter>();

  /** What the lacking account leads to now; undefined: to waiting. */
  const refusal = (demand: Demand, lacking: Account, sinceMs: number, now: Clocks) => {
    const {id, unit, known} = lacking;
    const todo = shortage({
      remaining: remainingOf(lacking),
      paused: known?.paused ?? false,
      isFresh: isFresh(lacking, sinceMs),
      isAllHere: accounts.hasAllThatIsLeft(lacking, now),
      leastHold: demandedHold(demand, unit, demand.minTokens),
      wholeHold: demandedHold(demand, unit, demand.maxTokens),
      hasWaited: now.monotonicMs - sinceMs >= recallMs,
    });
    if (todo === 'ask' || todo === 'wait') {
      return undefined;
    }
    return (
      (todo === 'clamp' ? accounts.clamp(demand, now) : undefined) ??
      ({refused: todo === 'clamp' ? 'busy' : todo, budget: id} satisfies Refusal)
    );
  };

  const finish = (waiter: Waiter, outcome: Taken | Refusal) => {
    waiters.delete(waiter);
    clearTimeout(waiter.timer);
    waiter.resolve(outcome);
  };

  return {
    size: () => waiters.size,
    refusal,
    add(demand: Demand, lacking: Account, sinceMs: number): Promise<Taken | Refusal> {
      return new Promise(resolve => {
        const late = () =>
          finish(waiter, {
            refused: isFresh(lacking, sinceMs) ? 'busy' : 'away',
            budget: lacking.id,
          });
        const waiter: Waiter = {
          demand,
          sinceMs,
          resolve,
          // One more turn: in a process that lagged, the answer may be there and only not read yet.
          timer: setTimeout(() => setImmediate(late), waitMs),
        };
        waiters.add(waiter);
      });
    },
    /** Money may have come: who can go on does. */
    decide() {
      const now = clocks();
      for (const waiter of waiters) {
        const {demand, sinceMs} = waiter;
        const outcome = accounts.take(demand, demand.maxTokens, now);
        const end = isTaken(outcome) ? outcome : refusal(demand, outcome, sinceMs, now);
        if (end) {
          finish(waiter, end);
        }
      }
    },
    /** Asks for all that the waiting lack together. */
    ask() {
      if (waiters.size > 0) {
        accounts.want(
          [...waiters].map(({demand}) => demand),
          clocks(),
        );
      }
    },
  };
};
