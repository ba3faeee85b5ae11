/**
Exchange: one admitted request, from the intent to the result.

In: its facts, its holds, the body for the model server, the client's response. Out: the answer, and exactly one result,
whatever way it ends: `finish` and `leave` are the only ends, and one of them works once. The intent is on its way while the
model works; its acknowledgement is waited for before the first byte goes to the client.
*/
import {SluiceError} from '../../../events/errors.ts';
import type {Operation} from '../admission/operation.ts';
import {sendError} from '../front/respond.ts';
import type {ClientResponse, Exchange, ExchangeParts} from './admitted.ts';
import type {Charge} from './answer.ts';
import {byPolicy, nothing, settle} from './ending.ts';
import {intentOf, type Outcome} from './facts.ts';
import {relayOf, type State} from './relay.ts';
import type {Left} from './upstream.ts';

export const createExchanges = (parts: ExchangeParts) =>
  function runExchange(exchange: Exchange): void {
    const {facts, operation, taken, response} = exchange;
    const state: State = {
      answer: undefined,
      controller: undefined,
      ended: false,
      sent: false,
      acknowledged: false,
      firstMs: undefined,
      refusal: undefined,
      reached: false,
      onLeft: undefined,
      flush() {},
    };

    const isFirstEnd = () => {
      const isFirst = !state.ended;
      state.ended = true;
      clearTimeout(deadline);
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
    ) =>
      settle(parts, exchange, {
        outcome,
        charge: charge ?? byPolicy(exchange),
        firstMs: state.firstMs,
        error,
      });

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
      left = sent.leave(controller);
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
      parts.limits.requestMs,
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
    const sent = parts.upstream.send(
      {
        base: facts.endpoint.url,
        path: operation.form.path,
        headers: exchange.headers,
        body: exchange.body,
      },
      relayOf(parts, exchange, state, finish, fail),
    );
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
