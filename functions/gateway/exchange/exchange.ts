/**
Exchange: one admitted request, from the intent to the result.

In: its facts, its holds, its place or its wait for one, the body for the model server, the client's response. Out: the answer, and
exactly one result, whatever way it ends and however often it was tried: `finish`, `leave` and `giveUp` are the only ends, and one
of them works once. The intent is on its way while the model works; its acknowledgement is waited for before the first byte goes
to the client.
*/
import {SluiceError} from '../../../events/errors.ts';
import type {Operation} from '../admission/operation.ts';
import {sendError} from '../front/respond.ts';
import type {Outcome as Verdict} from '../routing/router.ts';
import type {ClientResponse, Exchange, ExchangeParts} from './admitted.ts';
import type {Charge} from './answer.ts';
import {again, begin} from './attempts.ts';
import {byPolicy, nothing, settle} from './ending.ts';
import {intentOf, type Outcome} from './facts.ts';
import {type Going, newState} from './state.ts';
import type {Left, Retried, Sent} from './upstream.ts';

export const createExchanges = (parts: ExchangeParts) =>
  function runExchange(exchange: Exchange): void {
    const {facts, operation, taken, response} = exchange;
    const state = newState();

    const isFirstEnd = () => {
      const isFirst = !state.ended;
      state.ended = true;
      clearTimeout(deadline);
      clearTimeout(state.comments);
      return isFirst;
    };
    const tellClient = (error: SluiceError | undefined) => {
      if (error) {
        state.flush();
        endWithError(response, error, state.sent, operation);
      }
    };
    const settleWith = (
      outcome: Outcome,
      error: SluiceError | undefined,
      charge: Charge | undefined,
      goesOn = false,
    ) => {
      state.waiting?.leave();
      state.place?.end(verdictOf(outcome, error));
      return settle(parts, exchange, {
        outcome,
        charge: charge ?? byPolicy(exchange),
        firstMs: state.firstMs,
        status: state.sent ? 200 : goesOn ? undefined : error?.status,
        error,
        goesOn,
      });
    };

    /** The model server is done, or of no more use. `charge`: undefined = by the project's policy for answers that never came. */
    const finish = (
      outcome: Outcome,
      error: SluiceError | undefined,
      charge: Charge | undefined,
    ) => {
      if (!isFirstEnd()) {
        return;
      }
      if (outcome !== 'completed') {
        state.controller?.abort(new Error(outcome));
      }
      tellClient(error);
      settleWith(outcome, error, charge);
    };

    const received = () =>
      state.refusal ? nothing : (state.answer?.charge() ?? (state.reached ? undefined : nothing));
    const fail = (outcome: Outcome, error: SluiceError) => finish(outcome, error, received());

    /** No endpoint answers. */
    const giveUp = (error: SluiceError) => {
      if (!exchange.fallBack || state.sent) {
        fail('upstream_error', error);
      } else if (isFirstEnd()) {
        exchange.fallBack(error, settleWith('upstream_error', error, nothing, true));
      }
    };

    /** Nobody waits any more. The model server is told first; what it had sent until it knew is charged, so it is read. */
    const leave = (outcome: Outcome, error: SluiceError | undefined) => {
      const {controller} = state;
      if (!controller) {
        finish(outcome, error, received());
        return;
      }
      if (!isFirstEnd()) {
        return;
      }
      let isOver = false;
      let left: Left | undefined;
      state.onLeft = () => {
        isOver = true;
        left?.end();
        settleWith(outcome, error, received());
      };
      left = (state.call as Sent).leave(controller);
      if (isOver) {
        left.end();
      }
      tellClient(error);
    };
    const deadline = setTimeout(
      () =>
        leave(
          'deadline_exceeded',
          new SluiceError('upstream_timeout', 'the request ran into its deadline'),
        ),
      Math.max(exchange.untilMs - performance.now(), 1),
    );
    response.once('close', () => {
      if (!response.writableFinished) {
        leave('client_aborted', undefined);
      }
    });

    parts.intents.add(intentOf(facts)).then(
      () => {
        if (!taken.usable()) {
          // Frozen between hold and acknowledgement: the lease may be fenced by now, so nothing goes out and nothing is charged.
          finish(
            'lease_lost',
            new SluiceError('unavailable', 'the budget lease ran out; try again', {
              retryAfterSeconds: 1,
            }),
            nothing,
          );
          return;
        }
        state.acknowledged = true;
        exchange.span.event('intent durable');
        state.controller?.resume();
      },
      cause => {
        const error = new SluiceError('unavailable', 'the request could not be recorded', {
          retryAfterSeconds: 1,
          cause,
        });
        finish('lease_lost', error, nothing);
      },
    );
    const unanswered = (error: SluiceError, why: Retried) => {
      if (!again(going, error, why)) {
        giveUp(error);
      }
    };
    const going: Going = {parts, exchange, state, ends: {finish, fail, unanswered, giveUp}};
    begin(going, exchange.place);
  };

/** What the way it ended says about the endpoint: a fault of ours says nothing, and who refuses a request works. */
const verdictOf = (outcome: Outcome, error: SluiceError | undefined): Verdict => {
  if (outcome === 'completed' || outcome === 'refused_upstream') {
    return 'worked';
  }
  return outcome === 'upstream_error' && error?.code !== 'internal' ? 'failed' : 'left';
};

const endWithError = (
  response: ClientResponse,
  error: SluiceError,
  sent: boolean,
  {stream, form: {errors}}: Operation,
) => {
  if (!sent) {
    sendError(response, error, errors);
  } else if (stream && !response.destroyed) {
    // Headers are gone, so the error is an event.
    response.end(errors.event(error));
  } else {
    response.destroy();
  }
};
