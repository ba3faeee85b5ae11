/**
Charge: what a settled request costs each of its budgets, in the books of the batch.

In: a request's budgets with amounts. Out: the charges for its ledger entry; leases and windows in the books are changed.
The intent's holds are those that end; a result without an intent speaks for itself.
*/
import type {Books} from './books.ts';
import type {Charge, LedgerEntry, OpenRequest, Result, WindowRow} from './store.ts';
import {type Cover, correct, covers, settle} from './window.ts';

/** What somebody should look at, though nothing is wrong with the books. */
export type Notes = {
  /** Leases that a marker named whose fence nobody had begun. */
  readonly voidMarkers: string[];
  /** Holds that their leases could no longer cover. */
  short: number;
};

export type Context = Readonly<{books: Books; notes: Notes; time: Date}>;
export type Named = Pick<Charge, 'budget' | 'window' | 'lease' | 'unit'>;
type Leased = Named & {lease: string};

/** The intent's holds are the ones that were counted, so they are the ones that end, even one that the result forgot. */
export const chargeKnown = (
  context: Context,
  request: OpenRequest,
  {budgets}: Pick<Result, 'budgets'>,
): Charge[] => {
  const amounts = new Map(budgets.map(({window, lease, amount}) => [`${window}/${lease}`, amount]));
  const known = request.intent.budgets.map((budget, index) => {
    const path = `${budget.window}/${budget.lease}`;
    const amount = amounts.get(path) ?? 0;
    amounts.delete(path);
    return charge(
      context,
      budget,
      budget.hold,
      amount,
      request.covered[index] ? 'intent' : 'nobody',
    );
  });
  const others = budgets.filter(({window, lease}) => amounts.has(`${window}/${lease}`));
  return [...known, ...chargeUnannounced(context, others)];
};

export const chargeUnannounced = (context: Context, budgets: Result['budgets']): Charge[] =>
  budgets.map(budget => {
    const cover = covers(context.books.lease(budget.lease, budget.window))
      ? 'unannounced'
      : 'nobody';
    return charge(context, budget, budget.hold, budget.amount, cover);
  });

const charge = (
  {books, notes}: Context,
  named: Leased,
  hold: number,
  amount: number,
  cover: Cover,
): Charge => {
  const window = books.window(named.window) as WindowRow;
  const lease = books.lease(named.lease, named.window);
  const after = settle(lease, window, {hold: BigInt(hold), amount: BigInt(amount), cover});
  books.setWindow(window, after.window);
  if (lease && after.lease && after.lease !== lease) {
    books.setLease(lease, after.lease);
  }
  notes.short += after.short > 0n ? 1 : 0;
  return chargeOf(named, BigInt(hold), after);
};

const chargeOf = (
  {budget, window, lease, unit}: Named,
  hold: bigint,
  {covered, overage}: {covered: bigint; overage: bigint},
): Charge => ({budget, window, lease, unit, hold, amount: covered + overage, covered, overage});

/** The signed difference to what was charged by policy, in the windows of then. */
export const correction = (books: Books, data: Result, before: LedgerEntry): LedgerEntry => {
  const differences = new Map<string, {named: Named; hold: bigint; difference: bigint}>();
  for (const charge of before.charges) {
    differences.set(charge.window, {named: charge, hold: charge.hold, difference: -charge.amount});
  }
  for (const budget of data.budgets) {
    const charged = differences.get(budget.window) ?? {
      named: budget,
      hold: BigInt(budget.hold),
      difference: 0n,
    };
    differences.set(budget.window, {
      ...charged,
      difference: charged.difference + BigInt(budget.amount),
    });
  }
  const charges = [...differences.values()].map(({named, hold, difference}) => {
    const window = books.window(named.window) as WindowRow;
    const after = correct(window, difference);
    books.setWindow(window, after.window);
    return chargeOf(named, hold, after);
  });
  return {
    ...before,
    entry: 'correction',
    inputTokens: data.inputTokens - before.inputTokens,
    cachedInputTokens: data.cachedInputTokens - before.cachedInputTokens,
    outputTokens: data.outputTokens - before.outputTokens,
    costNanos: data.costNanos - before.costNanos,
    estimated: data.estimated,
    outcome: data.outcome,
    charges,
  };
};
