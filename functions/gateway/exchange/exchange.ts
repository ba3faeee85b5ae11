/**
Exchange: one admitted request, from the intent to the result.

In: its facts, its holds, its place or its wait for one, the body for the model server, the client's response. Out: the answer, and
exactly one result, whatever way it ends and however often it was tried: ends.ts. The intent is on its way while the model works;
its acknowledgement is waited for before the first byte goes to the client.
*/
import {SluiceError} from '../../../events/errors.ts';
import type {Exchange, ExchangeParts} from './admitted.ts';
import {begin} from './attempts.ts';
import {nothing} from './ending.ts';
import {finish, leave} from './ends.ts';
import {type Going, newState} from './state.ts';
import {intentOf} from './written-events.ts';

export const createExchanges = (parts: ExchangeParts) =>
  function runExchange(exchange: Exchange): void {
    const {response, untilMs, facts, place} = exchange;
    const state = newState();
    const going: Going = {parts, exchange, state};
    parts.open?.add(going);
    state.deadline = setTimeout(onDeadline, Math.max(untilMs - performance.now(), 1), going);
    response.once('close', () => {
      if (!response.writableFinished) {
        leave(going, 'client_aborted');
      }
    });
    parts.intents.add(intentOf(facts), parts.patience.lingerMs(facts.model.id)).then(
      () => onRecorded(going),
      cause => onUnrecorded(going, cause),
    );
    begin(going, place);
  };

const onDeadline = (going: Going) =>
  leave(
    going,
    'deadline_exceeded',
    new SluiceError('upstream_timeout', 'the request ran into its deadline'),
  );

const onRecorded = (going: Going) => {
  const {exchange, state} = going;
  if (exchange.taken.usable()) {
    state.acknowledged = true;
    exchange.span.event('intent durable');
    state.controller?.resume();
    return;
  }
  // Frozen between hold and acknowledgement: the lease may be fenced by now, so nothing goes out and nothing is charged.
  const error = new SluiceError('unavailable', 'the budget lease ran out; try again', {
    retryAfterSeconds: 1,
  });
  finish(going, 'lease_lost', error, nothing);
};

const onUnrecorded = (going: Going, cause: unknown) => {
  const error = new SluiceError('unavailable', 'the request could not be recorded', {
    retryAfterSeconds: 1,
    cause,
  });
  finish(going, 'lease_lost', error, nothing);
};
