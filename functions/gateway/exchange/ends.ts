/**
Ends: the ways in which an exchange ends: `finish`, `fail`, `leave`, `giveUp`. One of them works, once.

In: an exchange under way, how it ends and by whose fault. Out: its client is told, its place is free, its one result is on its way.
*/
import type {SluiceError} from '../../../events/errors.ts';
import type {Operation} from '../admission/operation.ts';
import {sendError} from '../front/respond.ts';
import type {Outcome as Verdict} from '../routing/router.ts';
import type {ClientResponse} from './admitted.ts';
import type {Charge} from './answer.ts';
import {byPolicy, nothing, settle} from './ending.ts';
import type {Outcome} from './facts.ts';
import type {Going, State} from './state.ts';
import type {Left, Sent} from './upstream.ts';

const isFirstEnd = (going: Going) => {
  const {parts, state} = going;
  const isFirst = !state.ended;
  parts.open?.delete(going);
  state.ended = true;
  clearTimeout(state.deadline);
  clearTimeout(state.comments);
  return isFirst;
};

const tellClient = ({exchange: {response, operation}, state}: Going, error?: SluiceError) => {
  if (error) {
    state.flush();
    endWithError(response, error, state.sent, operation);
  }
};

const settleWith = (
  {parts, exchange, state}: Going,
  {
    outcome,
    error,
    charge = byPolicy(exchange),
    goesOn = false,
  }: {
    outcome: Outcome;
    error: SluiceError | undefined;
    charge: Charge | undefined;
    goesOn?: boolean;
  },
) => {
  state.waiting?.leave();
  state.place?.end(verdictOf(outcome, error, state.refusal?.status));
  return settle(parts, exchange, {
    outcome,
    charge,
    firstMs: state.firstMs,
    status: state.sent ? 200 : goesOn ? undefined : error?.status,
    error,
    goesOn,
  });
};

/** Undefined: by the project's policy for answers that never came. */
const received = ({refusal, answer, reached}: State) =>
  refusal ? nothing : (answer?.charge() ?? (reached ? undefined : nothing));

/** The model server is done, or of no more use. `charge`: undefined = by the project's policy for answers that never came. */
export const finish = (
  going: Going,
  outcome: Outcome,
  error: SluiceError | undefined,
  charge: Charge | undefined,
) => {
  const {state} = going;
  if (!isFirstEnd(going)) {
    return;
  }
  if (outcome !== 'completed') {
    state.controller?.abort(new Error(outcome));
  }
  tellClient(going, error);
  settleWith(going, {outcome, error, charge});
};

export const fail = (going: Going, outcome: Outcome, error: SluiceError) =>
  finish(going, outcome, error, received(going.state));

/** No endpoint answers. */
export const giveUp = (going: Going, error: SluiceError) => {
  const {exchange, state} = going;
  if (!exchange.fallBack || state.sent) {
    fail(going, 'upstream_error', error);
  } else if (isFirstEnd(going)) {
    const ending = settleWith(going, {
      outcome: 'upstream_error',
      error,
      charge: nothing,
      goesOn: true,
    });
    exchange.fallBack(error, ending);
  }
};

/** Nobody waits any more. The model server is told first; what it had sent until it knew is charged, so it is read. */
export const leave = (going: Going, outcome: Outcome, error?: SluiceError) => {
  const {state} = going;
  const {controller} = state;
  if (!controller) {
    finish(going, outcome, error, received(state));
    return;
  }
  if (!isFirstEnd(going)) {
    return;
  }
  let isOver = false;
  let left: Left | undefined;
  state.onLeft = () => {
    isOver = true;
    left?.end();
    settleWith(going, {outcome, error, charge: received(state)});
  };
  left = (state.call as Sent).leave(controller);
  if (isOver) {
    left.end();
  }
  tellClient(going, error);
};

/** Statuses by which a server says that it cannot serve anybody now, or not us. */
const failing = new Set([401, 403, 404, 429, 502, 503, 504]);

/**
What the way it ended says about the endpoint: a fault of ours says nothing, and who refuses a request works. A 500 and its like say
nothing either: often it is the request that the server fails by, and its sender would close the model to everybody.
*/
const verdictOf = (
  outcome: Outcome,
  error: SluiceError | undefined,
  refusedBy: number | undefined,
): Verdict => {
  if (outcome === 'completed' || outcome === 'refused_upstream') {
    return 'worked';
  }
  const isTheirs = outcome === 'upstream_error' && error?.code !== 'internal';
  return isTheirs && (refusedBy === undefined || failing.has(refusedBy)) ? 'failed' : 'left';
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
