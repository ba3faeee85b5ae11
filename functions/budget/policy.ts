/**
Policy: what a request is charged whose result never came.

In: its intent, the price of its version. Out: tokens, cost, and the amount of each budget, never more than its hold.
prompt: the prompt's bytes ÷ 4 as input tokens. hold: all of it. waive: nothing. A price that is gone with its model cannot
price a prompt, so the hold is charged, and the policy that was followed is said.
*/
import {costOf, type Price} from './cost.ts';
import type {Intent} from './store.ts';

export type Estimate = Readonly<{
  policy: Intent['unsettledPolicy'];
  inputTokens: number;
  costNanos: number;
  /** In the order of the intent's budgets. */
  amounts: readonly number[];
}>;

/** English text has about four bytes a token. */
const bytesPerToken = 4;

export const estimate = (intent: Intent, price: Price | undefined): Estimate => {
  const policy =
    intent.unsettledPolicy === 'prompt' && price === undefined ? 'hold' : intent.unsettledPolicy;
  if (policy === 'waive') {
    return {policy, inputTokens: 0, costNanos: 0, amounts: intent.budgets.map(() => 0)};
  }
  const leastHold = (unit: string) =>
    Math.min(...intent.budgets.filter(budget => budget.unit === unit).map(budget => budget.hold));
  const inputTokens = Math.min(Math.ceil(intent.promptBytes / bytesPerToken), leastHold('tokens'));
  const tokens = {inputTokens, cachedInputTokens: 0, outputTokens: 0};
  const cost = price === undefined ? 0 : costOf('usd', price, tokens);
  const held = leastHold('usd');
  if (policy === 'hold') {
    return {
      policy,
      inputTokens,
      costNanos: Number.isFinite(held) ? held : cost,
      amounts: intent.budgets.map(({hold}) => hold),
    };
  }
  // The least hold bounds them all, so that every budget in USD and the ledger agree on one cost.
  const costNanos = Math.min(cost, held);
  return {
    policy,
    inputTokens,
    costNanos,
    amounts: intent.budgets.map(({unit, hold}) =>
      unit === 'usd'
        ? costNanos
        : Math.min(price === undefined ? 0 : costOf(unit, price, tokens), hold),
    ),
  };
};
