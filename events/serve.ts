/**
Serve: runs one function as Knative runs it: HTTP on `PORT`, events at `POST /`, health, metrics, logs, drain on SIGTERM.

In: a name, handlers, routes. Out: a server that answers as Knative's data plane wants: 204 empty or 200 with one
CloudEvent, never another body on success; 400 and 422 for what can never be handled, 409, 429 and 5xx for what may later.
*/
import {hash, timingSafeEqual} from 'node:crypto';
import {createServer, type IncomingMessage} from 'node:http';
import express, {type NextFunction, type Request, type Response, type Router} from 'express';
import {addressOf} from './client-address.ts';
import {readHttp, toBinary} from './codec.ts';
import {asSluiceError, SluiceError, toProblem} from './errors.ts';
import type {Event} from './event.ts';
import {bodyOf} from './json-body.ts';
import {limits} from './limits.ts';
import {listen, type Serving} from './listen.ts';
import {createMetrics, type Metrics} from './metrics.ts';
import {continueTrace, createLogger, type Logger, traceIdOf} from './telemetry.ts';
import {isSampled, noTracing, type Tracing} from './tracing.ts';

/** Returns the reply, or nothing. Throws a SluiceError to refuse. */
export type EventHandler = (event: Event) => Promise<Event | undefined>;
/** All or nothing: returns when every event is done, throws when none is. */
export type BatchHandler = (events: readonly Event[]) => Promise<void>;

export type ServeOptions = Readonly<{
  name: string;
  port?: number;
  host?: string;
  onEvent?: EventHandler;
  onBatch?: BatchHandler;
  /** When set, events are taken only with this bearer token: they carry truth, and anything in a cluster can post. */
  sourceToken?: string;
  /** Adds the function's own routes. Bodies come as `request.body: Buffer`; `readJson` reads one. */
  routes?: (router: Router) => void;
  /** Throws, or returns a text that says what is degraded; an error is a 503 of `/healthz`. */
  health?: () => string | undefined;
  /** Closes pools and clients, after the last request is answered. */
  onClose?: () => Promise<void>;
  bodyBytes?: number;
  headerBytes?: number;
  drainMs?: number;
  logger?: Logger;
  metrics?: Metrics;
  tracing?: Tracing;
  /** Waited for before it listens: what is asked of a database while the routes are made. */
  ready?: Promise<unknown>;
}>;

export const serve = async (options: ServeOptions): Promise<Serving> => {
  const logger = options.logger ?? createLogger({name: options.name});
  const server = createServer(
    {maxHeaderSize: options.headerBytes ?? limits.headerBytes},
    createApp({...options, logger}),
  );
  server.headersTimeout = limits.clientBodyMs;
  server.requestTimeout = limits.clientBodyMs;
  await options.ready;
  return listen({
    server,
    logger,
    port: options.port ?? 0,
    host: options.host,
    drainMs: options.drainMs,
    onClose: options.onClose,
  });
};

/** The app without a port, for tests of routes. */
export const createApp = (options: ServeOptions) => {
  const logger = options.logger ?? createLogger({name: options.name});
  const metrics = options.metrics ?? createMetrics();
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.use(observe({logger, metrics, name: options.name}));
  app.get(['/healthz', '/health'], healthRoute(options));
  app.get('/metrics', (_request, response) => {
    response.type('text/plain; version=0.0.4').send(metrics.text());
  });
  if (options.sourceToken !== undefined) {
    // Before the body is read: who may not send need not be listened to.
    app.post('/', authorize(options.sourceToken));
  }
  app.use(express.raw({type: () => true, limit: options.bodyBytes ?? limits.bodyBytes}));
  if (options.onEvent || options.onBatch) {
    app.post('/', eventRoute(options));
    app.options('/', (_request, response) => {
      response.set('Allow', 'POST').status(200).end();
    });
  }
  const router = express.Router();
  options.routes?.(router);
  app.use(router);
  if (options.onEvent || options.onBatch) {
    app.all('/', refuseMethod('POST'));
  }
  app.all(['/healthz', '/health', '/metrics'], refuseMethod('GET'));
  app.use((request: Request) => {
    throw new SluiceError('not_found', `nothing at ${request.method} ${request.path}`);
  });
  app.use(problemRoute(logger));
  return app;
};

const refuseMethod = (allowed: string) => (_request: Request, response: Response) => {
  response.set('Allow', allowed);
  throw new SluiceError('method_not_allowed', `this route takes ${allowed}`);
};

const healthRoute =
  ({name, health}: ServeOptions) =>
  (_request: Request, response: Response) => {
    try {
      const degraded = health?.();
      response.json({
        status: degraded === undefined ? 'ok' : 'degraded',
        function: name,
        ...(degraded === undefined ? {} : {degraded}),
      });
    } catch (error) {
      response
        .status(503)
        .json({status: 'unavailable', function: name, reason: (error as Error).message});
    }
  };

const authorize =
  (token: string) => (request: Request, _response: Response, next: NextFunction) => {
    requireBearer(request, token);
    next();
  };

const eventRoute = ({name, onEvent, onBatch, tracing = noTracing}: ServeOptions) =>
  async function handleEvents(request: Request, response: Response) {
    const {events, batch} = readHttp(request.headers, bodyOf(request));
    if (onBatch && (batch || !onEvent)) {
      if (events.length > limits.batchEvents) {
        throw new SluiceError(
          'payload_too_large',
          `a batch has at most ${limits.batchEvents} events, got ${events.length}`,
        );
      }
      await traced(tracing, name, events, () => onBatch(events));
      response.status(204).end();
      return;
    }
    if (batch || !onEvent) {
      throw new SluiceError('unsupported_media_type', 'this function takes one event at a time');
    }
    const reply = await traced(tracing, name, events, () => onEvent(events[0] as Event));
    if (reply === undefined) {
      response.status(204).end();
      return;
    }
    const {headers, body} = toBinary(reply);
    // Not by `set`, which adds a charset to the content type: that is an attribute of the event.
    response.writeHead(200, headers).end(body);
  };

/** One span for each event whose sender records; a batch of a thousand that nobody records costs a look at each. */
const traced = async <Result>(
  tracing: Tracing,
  name: string,
  events: readonly Event[],
  work: () => Promise<Result>,
): Promise<Result> => {
  const spans = events
    .filter(({traceparent}) => isSampled(traceparent))
    .map(({type, traceparent}) =>
      tracing.start(`${name} ${type}`, {received: traceparent as string}),
    );
  try {
    return await work();
  } finally {
    for (const span of spans) {
      span.end();
    }
  }
};

const sha256 = (text: string) => hash('sha256', text, 'buffer');

/** Compares digests, so that neither length nor content of the expected token shows in the time taken. */
export const requireBearer = (request: IncomingMessage, expected: string) => {
  const received = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
  if (!timingSafeEqual(sha256(received), sha256(expected))) {
    throw new SluiceError(
      'unauthorized',
      'expected the right bearer token in the Authorization header',
    );
  }
};

const observe = ({logger, metrics, name}: {logger: Logger; metrics: Metrics; name: string}) => {
  const duration = metrics.histogram(
    'sluice_http_duration_seconds',
    'Duration of HTTP requests by function and status.',
  );
  return (request: Request, response: Response, next: NextFunction) => {
    const started = performance.now();
    const trace = continueTrace(
      header(request, 'traceparent') ?? header(request, 'ce-traceparent'),
    );
    response.locals.traceparent = trace;
    response.on('close', () => {
      const seconds = (performance.now() - started) / 1000;
      duration({function: name, status: String(response.statusCode)}).observe(seconds);
      if (!['/healthz', '/health', '/metrics'].includes(request.path)) {
        logger.info({
          method: request.method,
          path: request.path,
          status: response.statusCode,
          durationMs: Math.round(seconds * 1000),
          client: addressOf(request.socket),
          userAgent: request.headers['user-agent'],
          trace: traceIdOf(trace),
          ...(header(request, 'ce-type')
            ? {event: header(request, 'ce-id'), type: header(request, 'ce-type')}
            : {}),
        });
      }
    });
    next();
  };
};

const header = (request: IncomingMessage, name: string) => {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
};

/** Everything thrown ends here: ours by its code, express's own by its status, the rest as a 500 that says nothing. */
const problemRoute =
  (logger: Logger) =>
  (thrown: unknown, request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) {
      next(thrown);
      return;
    }
    const error = asSluiceError(fromExpress(thrown));
    if (error.status >= 500) {
      logger.error({err: error.cause ?? error, path: request.path}, error.message);
    }
    if (error.retryAfterSeconds !== undefined) {
      response.set('Retry-After', String(error.retryAfterSeconds));
    }
    response
      .status(error.status)
      .type('application/problem+json')
      .send(JSON.stringify(toProblem(error, request.originalUrl)));
  };

const fromExpress = (thrown: unknown): unknown => {
  const status = (thrown as {status?: unknown}).status;
  // Only express's own faults are meant for the sender; a client library's error may carry a status too.
  const isMeant = (thrown as {expose?: unknown}).expose === true || thrown instanceof URIError;
  if (thrown instanceof SluiceError || typeof status !== 'number' || !isMeant) {
    return thrown;
  }
  if (status === 413) {
    return new SluiceError('payload_too_large', 'the body is over the limit');
  }
  if (status === 415) {
    return new SluiceError('unsupported_media_type', (thrown as Error).message);
  }
  return status < 500 ? new SluiceError('bad_request', (thrown as Error).message) : thrown;
};
