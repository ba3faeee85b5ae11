/**
Serve: runs one function as Knative runs it: HTTP on `PORT`, events at `POST /`, health, metrics, logs, drain on SIGTERM.

In: a name, handlers, routes. Out: a server that answers as Knative's data plane wants: 204 empty or 200 with one
CloudEvent, never another body on success; 400 and 422 for what can never be handled, 409, 429 and 5xx for what may later.
*/
import {hash, timingSafeEqual} from 'node:crypto';
import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import express, {type NextFunction, type Request, type Response, type Router} from 'express';
import {readHttp, toBinary} from './codec.ts';
import {ConfigError} from './config.ts';
import {asSluiceError, SluiceError, toProblem} from './errors.ts';
import type {Event} from './event.ts';
import {limits} from './limits.ts';
import {createMetrics, type Metrics} from './metrics.ts';
import {continueTrace, createLogger, type Logger, traceIdOf} from './telemetry.ts';

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
  /** Adds the function's own routes. Bodies come as `request.body: Buffer`; use `readJson`. */
  routes?: (router: Router) => void;
  /** Throws, or returns a text that says what is degraded; an error is a 503 of `/healthz`. */
  health?: () => string | undefined;
  /** Closes pools and clients, after the last request is answered. */
  onClose?: () => Promise<void>;
  bodyBytes?: number;
  drainMs?: number;
  logger?: Logger;
  metrics?: Metrics;
}>;

export type Serving = Readonly<{url: string; port: number; close(): Promise<void>}>;

export const serve = async (options: ServeOptions): Promise<Serving> => {
  const logger = options.logger ?? createLogger({name: options.name});
  const server = createServer({maxHeaderSize: limits.headerBytes}, createApp({...options, logger}));
  server.headersTimeout = limits.clientBodyMs;
  server.requestTimeout = limits.clientBodyMs;
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
  app.use((request: Request) => {
    throw new SluiceError('not_found', `nothing at ${request.method} ${request.path}`);
  });
  app.use(problemRoute(logger));
  return app;
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

const eventRoute = ({onEvent, onBatch, sourceToken}: ServeOptions) =>
  async function handleEvents(request: Request, response: Response) {
    if (sourceToken !== undefined) {
      requireBearer(request, sourceToken);
    }
    const {events, batch} = readHttp(request.headers, bodyOf(request));
    if (onBatch && (batch || !onEvent)) {
      if (events.length > limits.batchEvents) {
        throw new SluiceError(
          'payload_too_large',
          `a batch has at most ${limits.batchEvents} events, got ${events.length}`,
        );
      }
      await onBatch(events);
      response.status(204).end();
      return;
    }
    if (batch || !onEvent) {
      throw new SluiceError('unsupported_media_type', 'this function takes one event at a time');
    }
    const reply = await onEvent(events[0] as Event);
    if (reply === undefined) {
      response.status(204).end();
      return;
    }
    const {headers, body} = toBinary(reply);
    response.status(200).set(headers).end(body);
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

const bodyOf = (request: Request): Buffer =>
  Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);

/** The body as a JSON object; NUL and lone surrogates are refused because PostgreSQL cannot keep them. */
export const readJson = (request: Request): Record<string, unknown> => {
  let value: unknown;
  const text = bodyOf(request).toString('utf8');
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SluiceError('malformed_json', `the body is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SluiceError('bad_request', 'the body is a JSON object');
  }
  if (
    /\\u0000/.test(text) ||
    !JSON.stringify(value).isWellFormed() ||
    /\\ud[89a-f]/i.test(JSON.stringify(value))
  ) {
    throw new SluiceError('bad_request', 'texts may not contain NUL or lone surrogates');
  }
  return value as Record<string, unknown>;
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
      if (request.path !== '/healthz' && request.path !== '/metrics') {
        logger.info({
          method: request.method,
          path: request.path,
          status: response.statusCode,
          durationMs: Math.round(seconds * 1000),
          client: request.socket.remoteAddress,
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
  if (thrown instanceof SluiceError || typeof status !== 'number') {
    return thrown;
  }
  if (status === 413) {
    return new SluiceError('payload_too_large', 'the body is over the limit');
  }
  return status < 500 ? new SluiceError('bad_request', (thrown as Error).message) : thrown;
};

/**
Listens, and closes on SIGTERM, SIGINT or when a parent that holds an IPC channel is gone. Closing stops new connections,
lets running requests end within `drainMs`, then closes what the function holds.
*/
export const listen = async ({
  server,
  logger,
  port,
  host = '0.0.0.0',
  drainMs = 30_000,
  onDrain = () => {},
  onClose = async () => {},
}: {
  server: Server<typeof IncomingMessage, typeof ServerResponse>;
  logger: Logger;
  port: number;
  host?: string;
  drainMs?: number;
  /** Called first: a function with streams tells them to end. */
  onDrain?: () => void;
  onClose?: () => Promise<void>;
}): Promise<Serving> => {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
  const address = server.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= drain({server, drainMs, onDrain, onClose});
    return closing;
  };
  const closeAndExit = (reason: string) => {
    logger.info({reason}, 'draining');
    close().then(
      () => process.exit(0),
      error => {
        logger.error({err: error}, 'the drain failed');
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => closeAndExit(signal));
  }
  if (process.channel) {
    process.once('disconnect', () => closeAndExit('the parent is gone'));
    process.channel.unref();
    process.send?.({listening: address.port});
  }
  logger.info({port: address.port}, 'listening');
  return {url: `http://127.0.0.1:${address.port}`, port: address.port, close};
};

const drain = async ({
  server,
  drainMs,
  onDrain,
  onClose,
}: {
  server: Server;
  drainMs: number;
  onDrain: () => void;
  onClose: () => Promise<void>;
}) => {
  onDrain();
  const ended = new Promise<void>(resolve => server.close(() => resolve()));
  server.closeIdleConnections();
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  const hard = setTimeout(() => server.closeAllConnections(), drainMs);
  await ended;
  clearInterval(idle);
  clearTimeout(hard);
  await onClose();
};

/** Runs a main file: a configuration fault is told plainly and exits 2, any other failed start exits 1. */
export const runMain = async (main: () => Promise<void>) => {
  try {
    await main();
  } catch (error) {
    process.stderr.write(
      `${error instanceof ConfigError ? error.message : String((error as Error).stack ?? error)}\n`,
    );
    process.exit(error instanceof ConfigError ? 2 : 1);
  }
};
