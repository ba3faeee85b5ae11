/**
Admission: what one request may cost at most, and what is changed in its body so that this is true.

In: an operation, the model, the caller's budgets and ceiling. Out: the demand on the budgets; then, with the holds that were taken, the
members to set in the body. Pure.
*/

import {SluiceError} from '../../../events/errors.ts';
import {holdOf, isAmount} from '../../budget/cost.ts';
import type {BudgetRef, Demand} from '../../budget/leases/account.ts';
import type {ModelEntry} from '../../registry/catalogue.ts';
import {checkCeiling} from './ceiling.ts';
import {type Bounds, type Operation, promptBounds} from './operation.ts';

export type Admission = Readonly<{
  demand: Demand;
  bounds: Bounds;
  /** The prompt's tokens must be counted by the model server first: their bound leaves the answer no room. */
  wantsCount: boolean;
}>;

export const admit = (
  operation: Operation,
  model: ModelEntry,
  budgets: readonly BudgetRef[],
  {countedTokens, ceiling}: {countedTokens?: number; ceiling?: number | undefined} = {},
): Admission => {
  checkCeiling(operation, ceiling);
  const contextLength = model.contextLength ?? 0;
  const bounds = promptBounds(operation, {contextLength, tokensPerByteMax: model.tokensPerByteMax});
  const counted =
    countedTokens === undefined
      ? bounds.promptTokens
      : Math.min(countedTokens, contextLength * operation.prompts.length);
  // Media, templates and documents are not in what the model server counts: then a count only tells how much room is left.
  const isBounded = operation.prompts.every(Number.isFinite);
  const promptTokens = isBounded ? counted : bounds.promptTokens;
  const wanted = maxTokensOf(operation, model, {promptTokens: counted, ceiling});
  const most = {inputTokens: promptTokens, outputTokens: operation.copies * wanted.maxTokens};
  const touched = budgets.filter(({unit}) => holdOf(unit, model.price, most) > 0);
  if (!touched.every(({unit}) => isAmount(holdOf(unit, model.price, most)))) {
    throw new SluiceError(
      'unbounded_request',
      'the most that this request could cost is over $1,000,000: lower n, best_of or max_tokens',
    );
  }
  return {
    demand: {
      budgets: touched,
      price: model.price,
      promptTokens,
      copies: operation.copies,
      maxTokens: wanted.maxTokens,
      minTokens: operation.copies === 0 ? 0 : Math.max(operation.minTokens, 1),
    },
    bounds,
    wantsCount: touched.length > 0 && wanted.lacksRoom && countedTokens === undefined,
  };
};

const maxTokensOf = (
  operation: Operation,
  model: ModelEntry,
  {
    promptTokens,
    ceiling = Number.POSITIVE_INFINITY,
  }: {promptTokens: number; ceiling?: number | undefined},
) => {
  const contextLength = model.contextLength ?? 0;
  if (operation.copies === 0) {
    return {maxTokens: 0, lacksRoom: false};
  }
  if (operation.maxTokens !== undefined) {
    return {maxTokens: Math.min(operation.maxTokens, contextLength), lacksRoom: false};
  }
  const byDefault = Math.min(
    Math.max(operation.form.defaultMaxTokens ?? model.defaultMaxTokens, operation.minTokens),
    ceiling,
  );
  // One prompt's share: several prompts have their own context each.
  const room = contextLength - Math.ceil(promptTokens / operation.prompts.length);
  if (byDefault <= room) {
    return {maxTokens: byDefault, lacksRoom: false};
  }
  // Too long a prompt is the model server's to refuse; it says by how much.
  return {maxTokens: Math.max(Math.min(byDefault, room), 1), lacksRoom: true};
};

/** What to set in the body: under a budget, limit or ceiling the maximum is always named, because what is not named is not bounded. */
export const bodyChanges = ({
  operation,
  model,
  endpoint,
  maxTokens,
  underBudget,
}: {
  operation: Operation;
  model: ModelEntry;
  endpoint: ModelEntry['endpoints'][number];
  maxTokens: number;
  underBudget: boolean;
}): Record<string, string> => {
  const changes: Record<string, string> = {...operation.fixed};
  if (endpoint.upstreamModel !== operation.model) {
    changes.model = JSON.stringify(endpoint.upstreamModel);
  }
  const {maxima, asksForUsage} = operation.form;
  const reports = endpoint.usage === 'every-chunk' || endpoint.usage === 'last-chunk';
  if (operation.stream && asksForUsage && reports) {
    changes.stream_options = JSON.stringify({
      ...operation.streamOptions,
      include_usage: true,
      ...(endpoint.usage === 'every-chunk' ? {continuous_usage_stats: true} : {}),
    });
  }
  const isShorter =
    operation.maxTokens === undefined ||
    maxTokens < Math.min(operation.maxTokens, model.contextLength ?? 0);
  if (underBudget && operation.copies > 0 && isShorter) {
    const named = operation.members.filter(({key}) => maxima.includes(key));
    for (const {key} of named) {
      changes[key] = String(maxTokens);
    }
    const [first] = maxima;
    if (named.length === 0 && first !== undefined) {
      changes[first] = String(maxTokens);
    }
  }
  return changes;
};
