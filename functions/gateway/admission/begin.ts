/**
Begin: one request under one model, from its holds to its exchange.

In: what was asked, the model that is to answer: the one that was asked for, or a fallback. Out: its exchange has begun; or why this
model cannot take it now, and then nothing is held. Everything else that a client is told is thrown, also with nothing held.
*/
import {asSluiceError, type SluiceError} from '../../../events/errors.ts';
import type {Limits} from '../../../events/limits.ts';
import {traceIdOf} from '../../../events/telemetry.ts';
import type {Tracing} from '../../../events/tracing.ts';
import {uuidv7} from '../../../events/uuid.ts';
import type {Principal} from '../../auth/principal.ts';
import type {LeaseBook} from '../../budget/leases/lease-book.ts';
import type {EndpointEntry, ModelEntry} from '../../registry/catalogue.ts';
import type {Caller, ClientResponse, Exchange} from '../exchange/admitted.ts';
import type {Ending} from '../exchange/facts.ts';
import {unplacedError} from '../exchange/unplaced.ts';
import {clearAnswerHeaders, setAnswerHeaders} from '../front/answer-headers.ts';
import {setRequestId} from '../front/request-id.ts';
import type {GatewayRequest} from '../http/request.ts';
import type {GatewayResponse} from '../http/response.ts';
import type {RequestLimits} from '../limits/gateway.ts';
import {requestAttributes} from '../observe/gen-ai.ts';
import type {Known} from '../observe/refusals.ts';
import type {Router} from '../routing/router.ts';
import {bodyChanges} from './admission.ts';
import {ceilingOf} from './ceiling.ts';
import {type HoldParts, hold, release} from './hold.ts';
import {splice} from './members.ts';
import type {Operation} from './operation.ts';
import {type Rechecks, refuseIfChanged} from './still-let-in.ts';

export type BeginParts = HoldParts &
  Readonly<{
    leaseBook: LeaseBook;
    requestLimits: Pick<RequestLimits, 'enter' | 'limitTokens'>;
    router: Pick<Router, 'refusal' | 'acquire'>;
    limits: Pick<Limits, 'requestMs'>;
    principals: Rechecks;
    tracing: Tracing;
    runExchange: (exchange: Exchange) => void;
  }>;

export type Arrival = Readonly<{
  request: GatewayRequest;
  response: GatewayResponse;
  principal: Principal;
  id: string;
  arrivedMs: number;
  caller: Caller;
  known: Known;
}>;

export type Running = Readonly<{
  arrival: Arrival;
  operation: Operation;
  /** The model that was asked for. */
  model: ModelEntry;
  /** The client's own, or a broadcast to all who named the request by the same key. */
  response: ClientResponse;
  /** It is over, whatever model it ended under; its id is the one in the ledger. */
  onEnd: ((ending: Ending, request: string) => void) | undefined;
}> & {
  /** Names of models that may still take it over. */
  left: string[];
  /** Monotonic ms of the deadline, from the first exchange on. */
  untilMs: number | undefined;
  /** The id of the exchange that was begun last. */
  begun: string | undefined;
  /** An exchange found no endpoint, and names are left. */
  fallBack: (error: SluiceError, ending: Ending) => void;
};

/** Ids are made when a request arrives, by us: a client's own could name a month or a request that is not its. */
export const newRequestId = uuidv7;

const none: readonly string[] = [];
const nobody = {setHeader: () => nobody};

export const begin = async (
  parts: BeginParts,
  running: Running,
  model: ModelEntry,
): Promise<SluiceError | undefined> => {
  const {arrival, operation, response} = running;
  const {principal, known} = arrival;
  const asked = {model, organisation: principal.org};
  const refused = parts.router.refusal(asked);
  if (refused) {
    return unplacedError(model, refused);
  }
  // What was sent under one model is settled under its id; what nobody was told of keeps its own.
  const request = running.begun === undefined ? arrival.id : newRequestId();
  const span = startSpan(parts.tracing, arrival, {operation, model, request});
  known.trace = traceIdOf(span.traceparent);
  const refusals = model === running.model ? arrival.response : (nobody as never);
  const refuse = (error: unknown) => {
    span.end(undefined, asSluiceError(error).code);
    throw error;
  };
  const held = await hold(parts, {principal, operation, model, response, refusals}).catch(refuse);
  if (!parts.principals.isCurrent(principal)) {
    await refuseIfChanged(parts.principals, principal, model.name).catch(error => {
      release(held);
      return refuse(error);
    });
  }
  span.event('held');
  const nowMs = performance.now();
  running.untilMs ??= nowMs + parts.limits.requestMs;
  const {untilMs} = running;
  const place = parts.router.acquire({...asked, tried: none, untilMs});
  if ('why' in place) {
    release(held);
    const error = unplacedError(model, place);
    span.end(undefined, error.code);
    return error;
  }
  const endpoint = 'endpoint' in place ? place.endpoint : (model.endpoints[0] as EndpointEntry);
  const {admission, taken, entered} = held;
  const underBudget =
    taken.holds.length > 0 ||
    parts.requestLimits.limitTokens(principal, model) ||
    ceilingOf(principal, model) !== undefined;
  const changes = bodyChanges({
    operation,
    model,
    endpoint,
    maxTokens: taken.maxTokens,
    underBudget,
  });
  const startedAt = new Date();
  const named = operation.form.maxima.find(name => changes[name] !== undefined);
  if (running.begun !== undefined) {
    clearAnswerHeaders(response);
  }
  setAnswerHeaders(response, parts.leaseBook, taken, named && changes[named]);
  if (model !== running.model) {
    setRequestId(response, request, operation.form.errors);
    response.setHeader('x-sluice-model', model.name);
  }
  const insteadOf = running.begun;
  running.begun = request;
  parts.runExchange({
    facts: {
      request,
      principal,
      model,
      endpoint,
      tries: 0,
      operation: operation.name,
      streamed: operation.stream,
      startedAt,
      deadline: new Date(startedAt.getTime() + Math.round(untilMs - nowMs)),
      promptBytes: admission.bounds.promptBytes,
      holds: taken.holds,
      label: textHeader(arrival.request, 'x-request-id')?.slice(0, 200),
      traceparent: span.traceparent,
    },
    operation,
    taken,
    bounds: {promptTokens: admission.demand.promptTokens},
    place,
    first: endpoint,
    body: splice(operation.body, operation.members, changes),
    underBudget,
    response,
    arrivedMs: arrival.arrivedMs,
    untilMs,
    headers: upstreamHeaders(arrival.request, request, span.traceparent),
    span,
    caller: arrival.caller,
    insteadOf,
    onEnd(ending) {
      entered.end(ending.tokens.inputTokens + ending.tokens.outputTokens);
      if (!ending.goesOn) {
        running.onEnd?.(ending, request);
      }
    },
    fallBack: running.left.length === 0 ? undefined : running.fallBack,
  });
  return undefined;
};

/** Named and described as OpenTelemetry's conventions for generative AI say. */
const startSpan = (
  tracing: Tracing,
  {request, principal, arrivedMs}: Arrival,
  about: Readonly<{operation: Operation; model: ModelEntry; request: string}>,
) => {
  const {convention} = about.operation.form;
  const {name} = about.model;
  const received = textHeader(request, 'traceparent');
  const span = tracing.start(`${convention} ${name}`, {
    ...(received === undefined ? {} : {received}),
    startedMs: Date.now() - (performance.now() - arrivedMs),
    attributes: () => ({
      ...requestAttributes(convention, name),
      'sluice.request': about.request,
      'sluice.org': principal.org,
    }),
  });
  span.event('authenticated');
  return span;
};

/** The client's `tracestate` belongs to its trace and goes on with that alone (W3C Trace Context, 3.3). */
const upstreamHeaders = ({headers}: GatewayRequest, id: string, traceparent: string) => {
  const own = {'content-type': 'application/json', traceparent, 'x-request-id': id};
  const {tracestate, traceparent: received} = headers;
  return tracestate !== undefined &&
    /^[\x20-\x7e]{1,512}$/.test(tracestate) &&
    received !== undefined &&
    traceIdOf(received) === traceIdOf(traceparent)
    ? {...own, tracestate}
    : own;
};

const textHeader = (request: GatewayRequest, name: string): string | undefined => {
  const value = request.headers[name];
  return value === '' ? undefined : value;
};
