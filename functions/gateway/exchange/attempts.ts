/**
Attempts: to which endpoint a request goes, and to which next when one fails before it answers.

In: a place, or a wait for one; what a try failed by. Out: calls, one after the other, of which at most one is answered. A try is
made again only before the first byte of an answer came, twice at most, and within the deadline; who reached a model in vain is
charged nothing for that. That a head came says little: model servers send it before they begin to work.
*/
import {asSluiceError, type SluiceError} from '../../../events/errors.ts';
import {bodyChanges} from '../admission/admission.ts';
import {splice} from '../admission/members.ts';
import type {Place, Unplaced, Waiting} from '../routing/router.ts';
import type {Exchange} from './admitted.ts';
import {startComments} from './comments.ts';
import {fail, giveUp} from './ends.ts';
import {relayOf} from './relay.ts';
import type {Going} from './state.ts';
import {gone, unplacedError} from './unplaced.ts';
import type {Retried} from './upstream.ts';

const triesMax = 3;

const bodyFor = (exchange: Exchange, endpoint: Place['endpoint']) => {
  const {first, body, operation, facts, taken, underBudget} = exchange;
  return endpoint === first ||
    (endpoint.upstreamModel === first.upstreamModel && endpoint.usage === first.usage)
    ? body
    : splice(
        operation.body,
        operation.members,
        bodyChanges({
          operation,
          model: facts.model,
          endpoint,
          maxTokens: taken.maxTokens,
          underBudget,
        }),
      );
};

const call = (going: Going, place: Place) => {
  const {parts, exchange, state} = going;
  const {facts, operation, headers} = exchange;
  const {endpoint} = place;
  facts.endpoint = endpoint;
  facts.tries += 1;
  state.place = place;
  const {tries} = facts;
  const body = bodyFor(exchange, endpoint);
  const sent = parts.upstream.send(
    {base: endpoint.url, path: operation.form.path, headers, body},
    relayOf(going, unanswered),
  );
  // One that fails at once has been followed by another by now.
  if (facts.tries === tries) {
    state.call = sent;
  }
};

/** What cannot even be called is our fault, and an end as any other. */
const send = (going: Going, place: Place) => {
  try {
    call(going, place);
  } catch (thrown) {
    const error = asSluiceError(thrown);
    const {request} = going.exchange.facts;
    going.parts.logger.error({err: error.cause, request}, 'the model server could not be called');
    fail(going, 'upstream_error', error);
  }
};

/** Its key changed while it waited. */
const sendIfLetIn = (going: Going, place: Place, denied: SluiceError | undefined) => {
  if (!going.state.ended && !denied) {
    send(going, place);
    return;
  }
  place.end('left');
  if (denied) {
    fail(going, denied.code === 'forbidden' ? 'suspended' : 'revoked', denied);
  }
};

/** After a wait. `error`: what the last try failed by. */
const arrive = (going: Going, found: Place | Unplaced, error: SluiceError | undefined) => {
  const {parts, exchange, state} = going;
  const {model} = exchange.facts;
  state.waiting = undefined;
  const place = 'endpoint' in found ? found : undefined;
  if (state.ended) {
    place?.end('left');
  } else if (parts.isServed?.(model) === false) {
    place?.end('left');
    giveUp(going, gone(model));
  } else if (place) {
    const judged = parts.stillLetIn?.(exchange.facts);
    if (judged) {
      judged.then(denied => sendIfLetIn(going, place, denied));
    } else {
      send(going, place);
    }
  } else {
    const {why} = found as Unplaced;
    giveUp(going, why === 'no_endpoint' && error ? error : unplacedError(model, found as Unplaced));
  }
};

export const begin = (going: Going, place: Place | Waiting, error?: SluiceError) => {
  if ('endpoint' in place) {
    send(going, place);
    return;
  }
  const {parts, exchange, state} = going;
  state.waiting = place;
  if (exchange.operation.stream && !state.comments) {
    startComments(exchange, state, parts.limits);
  }
  place.placed.then(found => arrive(going, found, error));
};

/** No byte of an answer came: it is tried elsewhere, or given up. */
const unanswered = (going: Going, error: SluiceError, why: Retried) => {
  if (!going.state.ended && !again(going, error, why)) {
    giveUp(going, error);
  }
};

/** False: no other endpoint takes it. */
const again = (going: Going, error: SluiceError, why: Retried): boolean => {
  const {parts, exchange, state} = going;
  const {facts, untilMs} = exchange;
  state.place?.end('failed');
  if (facts.tries >= triesMax || performance.now() >= untilMs) {
    return false;
  }
  state.tried.push(facts.endpoint.id);
  const next = parts.router.acquire({
    model: facts.model,
    organisation: facts.principal.org,
    tried: state.tried,
    untilMs,
  });
  if ('why' in next) {
    return false;
  }
  parts.onRetry?.(exchange, why);
  state.place = undefined;
  state.call = undefined;
  state.controller = undefined;
  state.answer = undefined;
  state.refusal = undefined;
  state.reached = false;
  begin(going, next, error);
  return true;
};
