/**
Server: the front of the gateway: what is asked without a key, and the way of every other request to its route.

In: a request. Out: an answer; every refusal an error object of the route's API, with the request's id. No input of a client is a 500.
*/
import {SluiceError} from '../../../events/errors.ts';
import type {Limits} from '../../../events/limits.ts';
import type {Metrics} from '../../../events/metrics.ts';
import type {Logger} from '../../../events/telemetry.ts';
import {requireScope} from '../../auth/denial.ts';
import type {Catalogue} from '../../registry/catalogue.ts';
import {type createInference, newRequestId} from '../admission/inference.ts';
import {callerOf} from '../exchange/admitted.ts';
import {createHttpServer} from '../http/server.ts';
import type {Known, Refusals} from '../observe/refusals.ts';
import {errorsAt, findRoute} from '../surface/routes.ts';
import {type AuthenticateParts, authenticate, keyOf} from './authenticate.ts';
import {clientFault} from './client-fault.ts';
import {type Cors, createCors} from './cors.ts';
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
  const cors = createCors(parts.origins);
  let open = 0;
  const onClose = () => {
    open -= 1;
  };

  return createHttpServer({
    limits,
    onRequest(request, response) {
      open += 1;
      response.once('close', onClose);
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
    },
    answerFault(fault) {
      const id = newRequestId();
      refuser.note(id, fault);
      return clientFault(fault, id);
    },
  });
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
