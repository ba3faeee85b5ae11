/**
Inference: one request from its arrival to the exchange.

In order: key, body, model, bounds, limits, holds, endpoint, exchange. Every step either goes on or throws what the client is told;
nothing is held before the holds, and from there on the exchange's finaliser owns the request.
*/
import type {IncomingMessage, ServerResponse} from 'node:http';
import {asSluiceError, SluiceError} from '../../../events/errors.ts';
import type {Limits} from '../../../events/limits.ts';
import {traceIdOf} from '../../../events/telemetry.ts';
import type {Tracing} from '../../../events/tracing.ts';
import {uuidv7} from '../../../events/uuid.ts';
import {mayUseModel, type Principal} from '../../auth/principal.ts';
import type {LeaseBook} from '../../budget/leases/lease-book.ts';
import type {Catalogue, EndpointEntry, ModelEntry} from '../../registry/catalogue.ts';
import type {Caller, ClientResponse, Exchange} from '../exchange/admitted.ts';
import type {Upstream} from '../exchange/upstream.ts';
import {setAnswerHeaders} from '../front/answer-headers.ts';
import {readBody} from '../front/body.ts';
import type {Idempotency} from '../idempotency/idempotency.ts';
import type {RequestLimits} from '../limits/gateway.ts';
import {requestAttributes} from '../observe/gen-ai.ts';
import type {Known} from '../observe/refusals.ts';
import type {Router} from '../routing/route.ts';
import {type Admission, admit, bodyChanges} from './admission.ts';
import {splice} from './members.ts';
import {type Operation, type OperationName, readOperation} from './operation.ts';
import {takeHolds} from './take-holds.ts';

export type InferenceParts = Readonly<{
  catalogue: Catalogue;
  leaseBook: LeaseBook;
  router: Router;
  upstream: Upstream;
  limits: Limits;
  requestLimits: RequestLimits;
  tracing: Tracing;
  idempotency: Idempotency;
  runExchange: (exchange: Exchange) => void;
}>;

type Arrival = Readonly<{
  request: IncomingMessage;
  response: ServerResponse;
  principal: Principal;
  id: string;
  arrivedMs: number;
  caller: Caller;
  known: Known;
}>;

export const createInference = (parts: InferenceParts) =>
  async function infer(name: OperationName, arrival: Arrival): Promise<void> {
    const operation = readOperation(name, await readBody(arrival.request, parts.limits.bodyBytes));
    arrival.known.streamed = operation.stream;
    const model = findModel(parts.catalogue, arrival.principal, operation.model);
    arrival.known.model = model;
    const header = arrival.request.headers['idempotency-key'];
    return header === undefined
      ? run(parts, {arrival, operation, model, response: arrival.response, onEnd: undefined})
      : parts.idempotency.answer(
          {...arrival, header, route: name, body: operation.body},
          (response, onEnd) => run(parts, {arrival, operation, model, response, onEnd}),
        );
  };

type Running = Readonly<{
  arrival: Arrival;
  operation: Operation;
  model: ModelEntry;
  /** The client's own, or a broadcast to all who named the request by the same key. */
  response: ClientResponse;
  onEnd: Exchange['onEnd'];
}>;

const run = async (parts: InferenceParts, running: Running): Promise<void> => {
  const {arrival, operation, model, response, onEnd} = running;
  const {principal} = arrival;
  const endpoint = parts.router.choose(model.endpoints);
  if (!endpoint) {
    throw new SluiceError('unavailable', `the model ${model.name} has no endpoint`, {
      retryAfterSeconds: 5,
    });
  }
  const span = startSpan(parts.tracing, arrival, operation);
  arrival.known.trace = traceIdOf(span.traceparent);
  const {admission, taken, entered} = await hold(parts, running, endpoint).catch(error => {
    span.end(undefined, asSluiceError(error).code);
    throw error;
  });
  span.event('held');
  const changes = bodyChanges({
    operation,
    model,
    endpoint,
    maxTokens: taken.maxTokens,
    underBudget: taken.holds.length > 0 || parts.requestLimits.limitTokens(principal, model),
  });
  const startedAt = new Date();
  const named = operation.form.maxima.find(name => changes[name] !== undefined);
  setAnswerHeaders(response, parts.leaseBook, taken, named && changes[named]);
  parts.runExchange({
    facts: {
      request: arrival.id,
      principal,
      model,
      endpoint,
      operation: operation.name,
      streamed: operation.stream,
      startedAt,
      deadline: new Date(startedAt.getTime() + parts.limits.requestMs),
      promptBytes: admission.bounds.promptBytes,
      holds: taken.holds,
      label: textHeader(arrival.request, 'x-request-id')?.slice(0, 200),
      traceparent: span.traceparent,
    },
    operation,
    taken,
    bounds: {promptTokens: admission.demand.promptTokens},
    body: splice(operation.body, operation.members, changes),
    response,
    arrivedMs: arrival.arrivedMs,
    headers: {
      'content-type': 'application/json',
      traceparent: span.traceparent,
      'x-request-id': arrival.id,
    },
    span,
    caller: arrival.caller,
    onEnd(ending) {
      entered.end(ending.tokens.inputTokens + ending.tokens.outputTokens);
      onEnd?.(ending);
    },
  });
};

/** Let in by every limit, and all holds; or what the client is told. From here on somebody must end and settle them. */
const hold = async (parts: InferenceParts, running: Running, endpoint: EndpointEntry) => {
  const {arrival, model, response} = running;
  const admission = await countIfNeeded(parts, running, endpoint);
  const {promptTokens, copies, maxTokens} = admission.demand;
  const entered = await parts.requestLimits.enter({
    principal: arrival.principal,
    model,
    tokens: promptTokens + copies * maxTokens,
    response,
    refusals: arrival.response,
  });
  try {
    return {
      admission,
      entered,
      taken: await takeHolds(parts.leaseBook, admission.demand, response),
    };
  } catch (error) {
    entered.end();
    throw error;
  }
};

/** Named and described as OpenTelemetry's conventions for generative AI say. */
const startSpan = (
  tracing: Tracing,
  {request, principal, id, arrivedMs}: Arrival,
  {form: {convention}, model}: Operation,
) => {
  const received = textHeader(request, 'traceparent');
  const span = tracing.start(`${convention} ${model}`, {
    ...(received === undefined ? {} : {received}),
    startedMs: Date.now() - (performance.now() - arrivedMs),
    attributes: {
      ...requestAttributes(convention, model),
      'sluice.request': id,
      'sluice.org': principal.org,
    },
  });
  span.event('authenticated');
  return span;
};

/** Ids are made when a request arrives, by us: a client's own could name a month or a request that is not its. */
export const newRequestId = uuidv7;

const textHeader = (request: IncomingMessage, name: string): string | undefined => {
  const value = request.headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
};

const findModel = (catalogue: Catalogue, principal: Principal, name: string): ModelEntry => {
  const model = catalogue.find(name);
  if (!mayUseModel(principal, name)) {
    throw new SluiceError('model_not_allowed', 'this key may not use this model', {
      parameter: 'model',
    });
  }
  if (model?.status === 'ready') {
    return model;
  }
  if (!model && catalogue.state().loadedAt === undefined) {
    throw new SluiceError('unavailable', 'the models could not be read yet', {
      retryAfterSeconds: 1,
    });
  }
  throw new SluiceError('model_not_found', 'there is no model of this name in this environment', {
    parameter: 'model',
  });
};

/** Only where the byte bound leaves the answer no room is the model server asked for the exact count, once. */
const countIfNeeded = async (
  {upstream}: InferenceParts,
  {arrival: {principal}, operation, model}: Running,
  endpoint: EndpointEntry,
): Promise<Admission> => {
  const admission = admit(operation, model, principal.budgets);
  if (!admission.wantsCount || !endpoint.tokenize || operation.prompts.length > 1) {
    return admission;
  }
  const request = operation.form.toCount(JSON.parse(operation.body.toString('utf8')));
  if (!request) {
    return admission;
  }
  const counted = await upstream.countTokens(endpoint.url, {
    model: endpoint.upstreamModel,
    ...request,
  });
  return counted === undefined ? admission : admit(operation, model, principal.budgets, counted);
};
