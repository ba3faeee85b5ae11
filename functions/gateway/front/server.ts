/**
Server: the front of the gateway. Plain `node:http`, because express costs this path more than it gives it.

In: a request. Out: an answer; every refusal an error object of the route's API, with the request's id. No input of a client is a 500.
*/
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http';
import {asSluiceError, SluiceError} from '../../../events/errors.ts';
import type {Limits} from '../../../events/limits.ts';
import type {Metrics} from '../../../events/metrics.ts';
import type {Logger} from '../../../events/telemetry.ts';
import {bearerOf} from '../../auth/bearer.ts';
import {toError} from '../../auth/denial.ts';
import type {Principal} from '../../auth/principal.ts';
import type {Principals, Verdict} from '../../auth/principals.ts';
import type {Catalogue} from '../../registry/catalogue.ts';
import {type createInference, newRequestId} from '../admission/inference.ts';
import {withDeadline} from '../deadline.ts';
import {type Caller, callerOf} from '../exchange/admitted.ts';
import type {Health} from '../observe/degradation-watch.ts';
import {createRefusalLines} from '../observe/refusal-lines.ts';
import type {Known, Refusals} from '../observe/refusals.ts';
import {anthropicErrors} from '../surface/errors.ts';
import {errorsAt, findRoute} from '../surface/routes.ts';
import {answerClientFault} from './client-fault.ts';
import {listModels, showModel} from './list-models.ts';
import {sendError, sendJson} from './respond.ts';

export type ServerParts = Readonly<{
  principals: Principals;
  catalogue: Catalogue;
  infer: ReturnType<typeof createInference>;
  refusals: Pick<Refusals, 'note'>;
  limits: Limits;
  logger: Logger;
  metrics: Metrics;
  /** How old the knowledge of revocations is. */
  staleSinceMs: () => number;
  health: () => Health;
  isDraining: () => boolean;
  /** Why nothing more may begin; undefined while it may. */
  refusal: () => string | undefined;
}>;

export const createGatewayServer = (parts: ServerParts) => {
  const {limits, metrics, logger} = parts;
  const denials = metrics.counter(
    'sluice_denials_total',
    'Requests refused before they were sent upstream, by code.',
  );
  const writeRefusal = createRefusalLines({logger});
  const server = createServer({
    maxHeaderSize: limits.headerBytes,
    requestTimeout: limits.clientBodyMs,
    headersTimeout: limits.clientBodyMs,
    connectionsCheckingInterval: Math.min(1_000, limits.clientBodyMs),
    keepAliveTimeout: 65_000,
  });

  let open = 0;
  server.on('request', (request, response) => {
    open += 1;
    response.once('close', () => {
      open -= 1;
    });
    const arrivedMs = performance.now();
    const id = newRequestId();
    const caller = callerOf(request);
    response.setHeader('x-request-id', id);
    const isCrowded = open > limits.openRequests;
    const known: Known = {};
    handle(parts, {request, response, id, arrivedMs, caller, known, isCrowded}).catch(thrown => {
      const error = asSluiceError(thrown);
      const durationMs = Math.round(performance.now() - arrivedMs);
      denials({code: error.code}).add();
      if (error.code === 'internal') {
        logger.error({err: error.cause, request: id}, error.message);
      }
      sendError(response, error, errorsAt(pathOf(request)));
      parts.refusals.note({request: id, known, error, durationMs});
      writeRefusal({
        request: id,
        org: known.principal?.org,
        model: known.model?.name,
        path: pathOf(request).slice(0, 200),
        status: error.status,
        code: error.code,
        durationMs,
        ...caller,
        trace: known.trace,
      });
    });
  });

  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const id = newRequestId();
    const fault = answerClientFault(error, socket, id);
    if (fault) {
      denials({code: fault.code}).add();
      writeRefusal({request: id, status: fault.status, code: fault.code});
    }
  });
  return server;
};

const pathOf = ({url = '/'}: IncomingMessage) => {
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
};

type Incoming = Readonly<{
  request: IncomingMessage;
  response: ServerResponse;
  id: string;
  arrivedMs: number;
  caller: Caller;
  /** For whoever asks why it was refused. */
  known: Known;
  /** More requests are open, their bodies and waits for leases included, than this process takes. */
  isCrowded: boolean;
}>;

const handle = async (parts: ServerParts, incoming: Incoming): Promise<void> => {
  const {request, response, id, arrivedMs, caller, known, isCrowded} = incoming;
  const path = pathOf(request);
  if (!path.startsWith('/v1/')) {
    return handleOwn(parts, path, response);
  }
  const route = findRoute(path);
  if (!route) {
    throw new SluiceError('not_found', 'there is no such route');
  }
  if (request.method !== route.method) {
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
  if (route.method === 'POST') {
    const {name} = route.form;
    known.operation = name;
    return parts.infer(name, {request, response, principal, id, arrivedMs, caller, known});
  }
  const models = parts.catalogue.list();
  if (route.shows === 'models') {
    return sendJson(response, 200, listModels(models, principal));
  }
  const model = showModel(models, principal, decode(path.slice(route.path.length)));
  if (!model) {
    throw new SluiceError('model_not_found', 'there is no model of this name in this environment');
  }
  sendJson(response, 200, model);
};

/** Anthropic's clients send the key in a header of its own. */
const keyOf = ({headers}: IncomingMessage, path: string): string | undefined => {
  const own = headers['x-api-key'];
  return headers.authorization === undefined &&
    typeof own === 'string' &&
    errorsAt(path) === anthropicErrors
    ? own
    : bearerOf(headers.authorization);
};

const decode = (text: string) => {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new SluiceError('bad_request', 'the path is not percent-coded UTF-8');
  }
};

/** For a key that is not known yet. */
const lookupMs = 2_000;

const authenticate = (
  parts: ServerParts,
  key: string | undefined,
): Principal | Promise<Principal> => {
  if (parts.staleSinceMs() > parts.limits.staleMaxMs) {
    throw new SluiceError('unavailable', 'revocations cannot be read', {retryAfterSeconds: 1});
  }
  const verdict = parts.principals.verify(key);
  if (!(verdict instanceof Promise)) {
    return principalOf(verdict);
  }
  // A look-up that takes longer goes on, and the next request finds its answer.
  return withDeadline(verdict, lookupMs, 'the key was not read').then(principalOf, unreadable);
};

const unreadable = (cause: unknown): never => {
  throw cause instanceof SluiceError
    ? cause
    : new SluiceError('unavailable', 'the key could not be read', {retryAfterSeconds: 1, cause});
};

const principalOf = (verdict: Verdict): Principal => {
  if ('denied' in verdict) {
    throw toError(verdict.denied);
  }
  return verdict.principal;
};

const handleOwn = (parts: ServerParts, path: string, response: ServerResponse) => {
  if (path === '/healthz' || path === '/health') {
    const health = parts.health();
    return sendJson(response, health.status === 'unavailable' ? 503 : 200, health);
  }
  // A pod that refuses is ready all the same: with none ready, whatever stands before it would hold requests, not refuse them.
  if (path === '/readyz') {
    const status = parts.isDraining() ? 503 : 200;
    return sendJson(response, status, {status: status === 200 ? 'ok' : 'draining'});
  }
  if (path === '/metrics') {
    response.writeHead(200, {'content-type': 'text/plain; version=0.0.4'});
    response.end(parts.metrics.text());
    return;
  }
  throw new SluiceError('not_found', 'there is no such route');
};
