/**
Account: what this process knows of one budget, and the holds that one request takes from several.

In: amounts. Out: what is left, and the handle by which a request's holds are checked and settled.
*/
import {holdOf, type Price, type Unit} from '../cost.ts';
import type {Lease} from './lease.ts';

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
  /** The result will never be durable: its leases end, so that the store frees what nobody settles. */
  abandon(): void;
}>;

/** What the store last said of a budget's window. */
export type Known = Readonly<{
  /** Limit less what was charged. */
  remaining: number;
  /** Of it, what nobody has leased. */
  available: number;
  /** What it would have given, had there been enough. */
  slice: number;
  paused: boolean;
  /** Monotonic ms when it was asked. */
  askedMs: number;
}>;

export type Account = {
  readonly id: string;
  readonly unit: Unit;
  lease: Lease | undefined;
  /** Of the window that follows, granted ahead of its start. */
  next: Lease | undefined;
  /** Undefined before the first answer, and after a change of the budget. */
  known: Known | undefined;
  /** Acknowledged costs since then. */
  settledSince: number;
  /** What requests lack, to be asked for in the next tick; 0 = a slice ahead of need. */
  needed: number | undefined;
  /** Not before this is it asked for again: what lacked a moment ago lacks still. */
  notBeforeMs: number;
  /** An answer to what was asked before this may be older than a change of the budget. */
  changedMs: number;
  usedMs: number;
};

export type Part = Readonly<{account: Account; lease: Lease; amount: number}>;

export const isTaken = (outcome: Taken | Account): outcome is Taken => 'holds' in outcome;

/** Limit less what was charged as far as this process knows; undefined before the first answer. */
export const remainingOf = ({known, settledSince}: Account) =>
  known && Math.max(known.remaining - settledSince, 0);

/** With less than so many slices to lease, what one gateway does not use is worth more to another. */
const scarceSlices = 4;

export const isScarce = ({known}: Account) =>
  known !== undefined && known.available < scarceSlices * known.slice;

/** The hold of a demand's prompt and of answers of so many tokens. */
export const demandedHold = ({price, promptTokens, copies}: Demand, unit: Unit, tokens: number) =>
  holdOf(unit, price, {inputTokens: promptTokens, outputTokens: copies * tokens});

/** The holds of one request. In: its parts; whether a lease still covers what was taken from it; who is told of an end. */
export const takenOf = (
  parts: readonly Part[],
  maxTokens: number,
  {
    isCovered,
    isOverdue,
    onFreed,
    onAbandoned,
  }: {
    isCovered: (lease: Lease) => boolean;
    /** May the request be settled by policy by now? Then nobody knows what its holds still cover. */
    isOverdue: () => boolean;
    onFreed: (account: Account, lease: Lease) => void;
    onAbandoned: (account: Account, lease: Lease) => void;
  },
): Taken => {
  let isOpen = true;
  const abandon = () => {
    isOpen = false;
    for (const {account, lease} of parts) {
      onAbandoned(account, lease);
    }
  };
  return {
    holds: parts.map(({account: {id, unit}, lease, amount}) => ({
      budget: id,
      window: lease.window,
      lease: lease.id,
      unit,
      hold: amount,
    })),
    maxTokens,
    usable: () => parts.every(({lease}) => isCovered(lease)),
    settle(amounts) {
      if (!isOpen) {
        return;
      }
      if (isOverdue()) {
        abandon();
        return;
      }
      isOpen = false;
      for (const [index, {account, lease, amount}] of parts.entries()) {
        const cost = amounts[index] ?? amount;
        lease.held -= amount;
        lease.settled += Math.min(cost, amount);
        account.settledSince += cost;
        onFreed(account, lease);
      }
    },
    abandon() {
      if (isOpen) {
        abandon();
      }
    },
  };
};
