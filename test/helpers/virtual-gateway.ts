/**
Virtual gateway: the real accounts, upkeep and refusals of one gateway process, with clocks that a test turns and a statement
that it may hold up, lose or repeat. It waits for no timer: who waits is looked at in every answer, as the lease book does.
*/

import {type Demand, isTaken, type Taken} from '../../functions/budget/leases/account.ts';
import {createAccounts} from '../../functions/budget/leases/accounts.ts';
import {applyAnswer, askAgainMs} from '../../functions/budget/leases/answer.ts';
import type {Clocks} from '../../functions/budget/leases/lease.ts';

import type {LeaseAnswer, LeaseWork} from '../../functions/budget/leases/lease-work.ts';
import {createUpkeep} from '../../functions/budget/leases/upkeep.ts';
import {createWaiters, type Refusal} from '../../functions/budget/leases/waiters.ts';

export type Statement = {asked: Clocks; work: LeaseWork; answer: LeaseAnswer | undefined};
export type Waiting = {
  demand: Demand;
  sinceMs: number;
  resolve: (outcome: Taken | Refusal) => void;
};

export const times = {
  ttlMs: 60_000,
  marginMs: 5_000,
  waitMs: 2_000,
  recallMs: 1_000,
  settleMs: 655_000,
};
const lookMs = 1_000;

export const createVirtualGateway = ({
  id,
  clocks,
  work,
  sliceMax,
}: {
  id: string;
  clocks: () => Clocks;
  work: (work: LeaseWork) => LeaseAnswer;
  sliceMax: number;
}) => {
  const lifeMs = times.ttlMs - times.marginMs;
  const accounts = createAccounts({clocks, lifeMs, settleMs: times.settleMs});
  const upkeep = createUpkeep({
    accounts,
    ttlMs: times.ttlMs,
    sliceMax: {usd: sliceMax, tokens: sliceMax, gpu_ms: sliceMax},
    random: () => 0.5,
  });
  const waiters = createWaiters({accounts, clocks, ...times});
  const waiting = new Set<Waiting>();
  let nextLookMs = Number.NEGATIVE_INFINITY;
  let statement: Statement | undefined;
  /** Given up by the process; the store may still do them. */
  const strays: LeaseWork[] = [];

  const decide = () => {
    const now = clocks();
    for (const waiter of waiting) {
      const {demand, sinceMs, resolve} = waiter;
      const outcome = accounts.take(demand, demand.maxTokens, now);
      const isLate = now.monotonicMs - sinceMs >= times.waitMs;
      const end: Taken | Refusal | undefined = isTaken(outcome)
        ? outcome
        : (waiters.refusal(demand, outcome, sinceMs, now) ??
          (isLate ? {refused: 'away', budget: outcome.id} : undefined));
      if (end) {
        waiting.delete(waiter);
        resolve(end);
      }
    }
  };
  const want = () => {
    if (waiting.size > 0) {
      accounts.want(
        [...waiting].map(({demand}) => demand),
        clocks(),
      );
    }
  };

  /** A tick sends its statement. */
  const send = (closing = false) => {
    if (statement) {
      return;
    }
    const asked = clocks();
    const looking = asked.monotonicMs >= nextLookMs;
    nextLookMs = looking ? asked.monotonicMs + lookMs : nextLookMs;
    want();
    const todo = upkeep.collect(asked, {looking, closing});
    statement = todo && {asked, work: todo, answer: undefined};
  };
  const reach = () => {
    if (statement) {
      statement.answer = work(statement.work);
    }
  };
  const answer = () => {
    if (statement?.answer) {
      const {asked, work: todo, answer: found} = statement;
      statement = undefined;
      applyAnswer(accounts, todo, found, {asked, answered: clocks()});
      decide();
      want();
    }
  };

  return {
    id,
    clocks,
    accounts,
    lifeMs,
    waiting,
    acquire(demand: Demand, resolve: (outcome: Taken | Refusal) => void) {
      const now = clocks();
      const outcome = accounts.take(demand, demand.maxTokens, now);
      const end = isTaken(outcome)
        ? outcome
        : waiters.refusal(demand, outcome, now.monotonicMs, now);
      if (end) {
        resolve(end);
        return;
      }
      accounts.want([demand], now);
      waiting.add({demand, sinceMs: now.monotonicMs, resolve});
    },
    decide,
    send,
    reach,
    answer,
    tick(closing = false) {
      send(closing);
      reach();
      answer();
    },
    /** The process hears nothing; the store did it, does it later or never. */
    lose() {
      if (statement) {
        if (!statement.answer) {
          strays.push(statement.work);
        }
        upkeep.putBack(statement.work, clocks().monotonicMs + askAgainMs);
        statement = undefined;
      }
    },
    stray() {
      const lost = strays.shift();
      if (lost) {
        work(lost);
      }
    },
    /** Everything that it may hold something of. */
    leases: () => [
      ...[...accounts.all()].flatMap(({lease, next}) =>
        [lease, next].filter(one => one !== undefined),
      ),
      ...accounts.retired.values(),
    ],
  };
};

export type VirtualGateway = ReturnType<typeof createVirtualGateway>;
