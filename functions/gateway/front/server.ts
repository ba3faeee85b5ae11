/**
Server: the front of the gateway. Plain `node:http`, because express costs this path more than it gives it.

In: a request. Out: an answer; every refusal an error object of the route's API, with the request's id. No input of a client is a 500.
*/
import {createServer, type ServerResponse} from 'node:http';
import type {Duplex} from 'node:stream';
import {SluiceError} from '../../../events/errors.ts';
import type {Limits} from '../../../events/limits.ts';
import type {Metrics} from '../../../events/metrics.ts';
import type {Logger} from '../../../events/telemetry.ts';
import {requireScope} from '../../auth/denial.ts';
import type {Catalogue} from '../../registry/catalogue.ts';
import {type createInference, newRequestId} from '../admission/inference.ts';
import {callerOf} from '../exchange/admitted.ts';
import type {Known, Refusals} from '../observe/refusals.ts';
import {errorsAt, findRoute} from '../surface/routes.ts';
import {type AuthenticateParts, authenticate, keyOf} from './authenticate.ts';
import {answerClientFault} from './client-fault.ts';
import {type Cors, createCors} from './cors.ts';
import {FrontResponse} from './front-response.ts';
import {checkEncoding, checkHead} from './guard.ts';
import {listModels, type StateOf, showModel} from './list-models.ts';
import {answerOwn, type OwnParts} from './own-routes.ts';
import {createRefuser, pathOf, type Refusing} from './refuse.ts';
import {setRequestId} from './request-id.ts';
import {sendJson} from './respond.ts';

export type ServerParts = OwnParts &
  AuthenticateParts &
  Readonly<{
    catalogue: Catalogue;
    infer: ReturnType<typeof createInference>;
    refusals: Pick<Refusals, 'note'>;
    limits: Limits;
    logger: Logger;
    metrics: Metrics;
    /** Of web pages that may call; none without it. */
    origins?: readonly string[];
    /** Of a model, as the router sees it. */
    stateOf: StateOf;
    /** Why nothing more may begin; undefined while it may. */
    refusal: () => string | undefined;
  }>;

export const createGatewayServer = (parts: ServerParts) => {
  const {limits} = parts;
  const refuser = createRefuser(parts);
  const server = createServer({
    ServerResponse: FrontResponse,
    maxHeaderSize: limits.headerBytes,
    requestTimeout: limits.clientBodyMs,
    headersTimeout: Math.min(limits.clientHeaderMs, limits.clientBodyMs),
    // Looked at by ourselves: node would answer without a body.
    requireHostHeader: false,
    connectionsCheckingInterval: Math.min(1_000, limits.clientBodyMs),
    keepAliveTimeout: 65_000,
    // Who waits for a whole answer and vanished without a word would keep a model server at work until the deadline.
    keepAlive: true,
    keepAliveInitialDelay: limits.clientProbeMs,
  });
  server.timeout = limits.clientIdleMs;

  // Node's bound leaves out what is beyond it; the bytes of all are bounded, and their number looked at by ourselves.
  server.maxHeadersCount = 0;
  const cors = createCors(parts.origins);
  /** Answers on their way, by connection: a client may send several requests at once. */
  const running = new WeakMap<Duplex, Set<ServerResponse>>();
  server.on('connection', socket => running.set(socket, new Set()));

  let open = 0;
  server.on('request', (request, response) => {
    open += 1;
    const besides = running.get(request.socket);
    besides?.add(response);
    response.once('close', () => {
      open -= 1;
      besides?.delete(response);
    });
    // Nothing moved; with nothing to take, that is the model server's pace and not the client's.
    response.on('timeout', () => {
      if (response.writableLength > 0) {
        request.socket.destroy();
      }
    });
    const arrivedMs = performance.now();
    const id = newRequestId();
    const caller = callerOf(request);
    setRequestId(response, id, errorsAt(pathOf(request)));
    response.setHeader('x-content-type-options', 'nosniff');
    response.setHeader('cache-control', 'no-store');
    cors.mark(request, response);
    const isCrowded = open > limits.openRequests;
    const known: Known = {};
    const incoming = {request, response, id, arrivedMs, caller, known, isCrowded, cors};
    handle(parts, incoming).catch(thrown => refuser.answer(thrown, incoming));
  });

  // Node would answer 417 by itself, without a body and an id. Who expects something unknown may be served (RFC 9110, 10.1.1).
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));

  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const id = newRequestId();
    const fault = answerClientFault(error, socket, id, running.get(socket));
    if (fault) {
      refuser.note(id, fault);
    }
  });
  return server;
};

type Incoming = Refusing &
  Readonly<{
    /** More requests are open, their bodies and waits for leases included, than this process takes. */
    isCrowded: boolean;
    cors: Cors;
  }>;

const handle = async (parts: ServerParts, incoming: Incoming): Promise<void> => {
  const {request, response, id, arrivedMs, caller, known, isCrowded, cors} = incoming;
  checkHead(request, parts.limits);
  const path = pathOf(request);
  const {method} = request;
  const isOwn = !path.startsWith('/v1/') || path.startsWith('/v1/status/');
  if (isOwn && answerOwn(parts, {path, method}, response)) {
    return;
  }
  const route = findRoute(path);
  if (!route) {
    throw new SluiceError('not_found', 'there is no such route');
  }
  if (cors.answerPreflight(request, response, route.method)) {
    return;
  }
  if (method !== route.method) {
    response.setHeader('allow', route.method);
    throw new SluiceError('method_not_allowed', `this route takes ${route.method}`);
  }
  if (isCrowded) {
    throw new SluiceError('too_many_requests', 'too many requests are open', {
      retryAfterSeconds: 1,
    });
  }
  // Before the key: who cannot be served does not wait until it is known who asks.
  const refusal = route.method === 'POST' ? parts.refusal() : undefined;
  if (refusal !== undefined) {
    throw new SluiceError('unavailable', refusal, {retryAfterSeconds: 5});
  }
  const principal = await authenticate(parts, keyOf(request, path));
  known.principal = principal;
  requireScope(principal, route.method === 'POST' ? 'inference' : 'models');
  if (route.method === 'POST') {
    checkEncoding(request);
    const {name} = route.form;
    known.operation = name;
    return parts.infer(name, {request, response, principal, id, arrivedMs, caller, known});
  }
  const models = parts.catalogue.list();
  if (route.shows === 'models') {
    return sendJson(response, 200, listModels(models, principal, parts.stateOf));
  }
  const model = showModel(models, principal, decode(path.slice(route.path.length)), parts.stateOf);
  if (!model) {
    throw new SluiceError('model_not_found', 'there is no model of this name in this environment');
  }
  sendJson(response, 200, model);
};

const decode = (text: string) => {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new SluiceError('bad_request', 'the path is not percent-coded UTF-8');
  }
};
