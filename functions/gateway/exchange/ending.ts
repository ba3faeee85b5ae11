/**
Ending: what a request cost, once it has ended, and who is told.

In: how it ended and what to charge. Out: one result on its way to the log; the hold goes back into its lease when that is
durable. Until then a reader of the log may not know of it.
*/
import type {SluiceError} from '../../../events/errors.ts';
import {costOf, type Tokens} from '../../budget/cost.ts';
import {amountsOf} from '../../budget/leases/lease-book.ts';
import {endingAttributes} from '../observe/gen-ai.ts';
import type {Exchange, ExchangeParts} from './admitted.ts';
import type {Charge} from './answer.ts';
import type {Ending, Outcome} from './facts.ts';
import {estimate} from './usage.ts';
import {resultOf} from './written-events.ts';

const none: Tokens = {inputTokens: 0, cachedInputTokens: 0, outputTokens: 0};

/** The model server did nothing for this. */
export const nothing: Charge = {tokens: none, estimated: false};

/** What an answer costs of which nothing is known: the project's policy, never more than was admitted. */
export const byPolicy = ({facts, operation, bounds, taken}: Exchange): Charge => {
  switch (facts.principal.unsettledPolicy) {
    case 'waive':
      return {tokens: none, estimated: true};
    case 'hold':
      return {
        tokens: {
          inputTokens: bounds.promptTokens,
          cachedInputTokens: 0,
          outputTokens: operation.copies * taken.maxTokens,
        },
        estimated: true,
      };
    case 'prompt':
      return {
        tokens: estimate(Math.min(facts.promptBytes, bounds.promptTokens * 4), 0),
        estimated: true,
      };
  }
};

export const settle = (
  parts: ExchangeParts,
  exchange: Exchange,
  {
    outcome,
    charge,
    firstMs,
    status,
    error,
    goesOn,
  }: {
    outcome: Outcome;
    charge: Charge;
    firstMs: number | undefined;
    /** That the client was sent. */
    status: number | undefined;
    error: SluiceError | undefined;
    goesOn: boolean;
  },
): Ending => {
  const {facts, taken} = exchange;
  const amounts = amountsOf(facts.holds, facts.model.price, charge.tokens);
  const ending: Ending = {
    outcome,
    status,
    ...charge,
    costNanos: costOf('usd', facts.model.price, charge.tokens),
    amounts,
    finishedAt: new Date(),
    latencyMs: Math.round(performance.now() - exchange.arrivedMs),
    timeToFirstTokenMs: firstMs === undefined ? undefined : Math.round(firstMs),
    ...(goesOn ? {goesOn} : {}),
  };
  // The hold goes back into the lease only when the result is durable: until then a reader of the log may not know of it.
  parts.results.add(resultOf(facts, ending)).then(
    () => {
      taken.settle(amounts);
      parts.onRecorded?.(exchange);
    },
    cause => {
      taken.abandon();
      parts.onRecorded?.(exchange);
      parts.logger.error(
        {err: cause, request: facts.request},
        'the result was not recorded; the reconciler settles it',
      );
    },
  );
  exchange.span.event('result');
  exchange.span.end(() => endingAttributes(exchange, ending), error?.code);
  parts.onEnd(exchange, ending, error);
  return ending;
};
