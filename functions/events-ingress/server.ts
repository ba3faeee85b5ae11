/**
Server: the front of the event ingress. Plain `node:http`, so that a key is judged before a body is read.

In: a request. Out: 202 without a body, or a problem (RFC 9457); one log line each, without a word of what was sent. No input
of a sender is a 500.
*/
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http';
import {addressOf} from '../../events/client-address.ts';
import {asSluiceError, SluiceError, toProblem} from '../../events/errors.ts';
import type {Limits} from '../../events/limits.ts';
import type {Metrics} from '../../events/metrics.ts';
import {continueTrace, type Logger, traceIdOf} from '../../events/telemetry.ts';
import type {Note, Receive} from './receive.ts';

export type ServerParts = Readonly<{
  receive: Receive;
  limits: Pick<Limits, 'headerBytes' | 'clientBodyMs'>;
  /** Bodies of requests are held in memory, so their number is what bounds it. */
  openRequestsMax: number;
  logger: Logger;
  metrics: Metrics;
  /** Says what is degraded, if anything. */
  health: () => string | undefined;
}>;

export const createIngressServer = (parts: ServerParts) => {
  const {limits, openRequestsMax, metrics, logger} = parts;
  const server = createServer({
    maxHeaderSize: limits.headerBytes,
    requestTimeout: limits.clientBodyMs,
    headersTimeout: limits.clientBodyMs,
    connectionsCheckingInterval: Math.min(1_000, limits.clientBodyMs),
  });
  const measure = createMeasure(metrics);
  let open = 0;

  server.on('request', async (request, response) => {
    open += 1;
    response.once('close', () => {
      open -= 1;
    });
    const path = pathOf(request);
    if (path === '/healthz' || path === '/health' || path === '/metrics') {
      answerItself(parts, path, request, response);
      return;
    }
    const arrivedMs = performance.now();
    const note: Note = {};
    const caller = callerOf(request);
    let error: SluiceError | undefined;
    try {
      await answerEvents(parts, {request, response, path, note, isCrowded: open > openRequestsMax});
    } catch (thrown) {
      error = asSluiceError(thrown);
      if (error.status >= 500) {
        logger.error({err: error.cause ?? error}, error.message);
      }
      sendProblem(response, error, path, note.headers);
    }
    const status = error?.status ?? response.statusCode;
    const durationMs = performance.now() - arrivedMs;
    measure({note, status, code: error?.code, durationMs});
    const {headers: _headers, ...known} = note;
    logger.info({
      method: request.method,
      path,
      status,
      ...(error === undefined ? {} : {code: error.code}),
      durationMs: Math.round(durationMs),
      ...known,
      ...caller,
    });
  });

  server.on('clientError', (fault: NodeJS.ErrnoException, socket) => {
    if (fault.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const error = faultOfClient(fault);
    measure({note: {}, status: error.status, code: error.code, durationMs: 0});
    const body = JSON.stringify(toProblem(error));
    socket.end(
      `HTTP/1.1 ${error.status} ${error.code}\r\nconnection: close\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    // Who does not close its half is not waited for.
    setTimeout(() => socket.destroy(), 1_000).unref();
  });
  return server;
};

type Asked = Readonly<{
  request: IncomingMessage;
  response: ServerResponse;
  path: string;
  note: Note;
  isCrowded: boolean;
}>;

const answerEvents = async (
  {receive}: ServerParts,
  {request, response, path, note, isCrowded}: Asked,
) => {
  if (path !== '/events') {
    throw new SluiceError('not_found', 'there is no such route');
  }
  if (request.method === 'OPTIONS') {
    // HTTP webhooks for CloudEvents, section 4: the key is what says whether a sender may, so every origin may ask.
    response.setHeader('allow', 'POST').setHeader('webhook-allowed-origin', '*').end();
    return;
  }
  if (request.method !== 'POST') {
    response.setHeader('allow', 'POST, OPTIONS');
    throw new SluiceError('method_not_allowed', 'this route takes POST');
  }
  if (isCrowded) {
    throw new SluiceError('too_many_requests', 'too many requests are open', {
      retryAfterSeconds: 1,
    });
  }
  await receive(request, note);
  response.writeHead(202, {...note.headers, 'content-length': '0'}).end();
};

const pathOf = ({url = '/'}: IncomingMessage) => url.split('?', 1)[0] as string;

/** Read on arrival: a socket that is gone tells no address. */
const callerOf = ({socket, headers}: IncomingMessage) => ({
  client: addressOf(socket),
  userAgent: headers['user-agent']?.slice(0, 200),
  trace: traceIdOf(continueTrace(headers.traceparent as string | undefined)),
});

const sendProblem = (
  response: ServerResponse,
  error: SluiceError,
  path: string,
  headers: Note['headers'] = {},
) => {
  if (response.headersSent || response.destroyed) {
    return;
  }
  const body = Buffer.from(JSON.stringify(toProblem(error, path)));
  const {retryAfterSeconds} = error;
  response.writeHead(error.status, {
    'content-type': 'application/problem+json',
    'content-length': String(body.length),
    ...headers,
    ...(retryAfterSeconds === undefined ? {} : {'retry-after': String(retryAfterSeconds)}),
    ...(error.status === 401 ? {'www-authenticate': 'Bearer'} : {}),
    // What was not read of the body would be taken for the next request.
    ...(error.status === 413 || error.status === 408 ? {connection: 'close'} : {}),
  });
  response.end(body);
};

const faultOfClient = ({code}: NodeJS.ErrnoException): SluiceError => {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new SluiceError('headers_too_large', 'the request headers are over the limit');
  }
  return code === 'ERR_HTTP_REQUEST_TIMEOUT'
    ? new SluiceError('request_timeout', 'the request did not arrive in time')
    : new SluiceError('bad_request', 'this is not an HTTP request');
};

const answerItself = (
  {health, metrics}: ServerParts,
  path: string,
  {method}: IncomingMessage,
  response: ServerResponse,
) => {
  if (method !== 'GET' && method !== 'HEAD') {
    response.setHeader('allow', 'GET');
    sendProblem(response, new SluiceError('method_not_allowed', 'this route takes GET'), path);
    return;
  }
  if (path === '/metrics') {
    response.writeHead(200, {'content-type': 'text/plain; version=0.0.4'}).end(metrics.text());
    return;
  }
  const degraded = health();
  const status = degraded === undefined ? 'ok' : 'degraded';
  response.writeHead(200, {'content-type': 'application/json'});
  response.end(JSON.stringify({status, function: 'events-ingress', degraded}));
};

const createMeasure = (metrics: Metrics) => {
  const accepted = metrics.counter(
    'sluice_ingress_events_accepted_total',
    'Events from outside that were stored, by destination.',
  );
  const refused = metrics.counter(
    'sluice_ingress_requests_refused_total',
    'Requests of which no event was stored, by code.',
  );
  const bytes = metrics.counter('sluice_ingress_bytes_total', 'Bytes of bodies that were read.');
  const duration = metrics.histogram(
    'sluice_http_duration_seconds',
    'Duration of HTTP requests by function and status.',
  );
  return function measure({
    note,
    status,
    code,
    durationMs,
  }: Readonly<{note: Note; status: number; code: string | undefined; durationMs: number}>) {
    duration({function: 'events-ingress', status: String(status)}).observe(durationMs / 1_000);
    bytes().add(note.bytes ?? 0);
    if (code !== undefined) {
      refused({code}).add();
    }
    for (const [destination, events] of Object.entries(note.stored ?? {})) {
      accepted({destination}).add(events);
    }
  };
};
