/**
Ingress: the front door, one port for the paths of every function, as the ingress of a cluster has them.

In: requests, and which function serves which path prefix. Out: the function's answer, or a refusal of its own: 503 while the
function is away, 404 where nothing is, 400, 413 and 431 for what is not a request that anything here would take.
*/
import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import type {AddressInfo, Socket} from 'node:net';
import {SluiceError} from '../../../events/errors.ts';
import {limits} from '../../../events/limits.ts';
import type {Gate} from '../activator/gate.ts';
import {portProblem} from '../problems.ts';
import {forward} from './forward.ts';
import {gatherHealth} from './health.ts';
import {refuse, refuseSocket} from './refusals.ts';
import {createRouter, type Route} from './routes.ts';

export type Ingress = Readonly<{
  port: number;
  url: string;
  /** From now on requests reach the functions; before that they are answered 503. */
  open(front: Front): void;
  /** No new connection, and 503 for a new request on an old one. Resolves when the running ones have ended. */
  drain(): Promise<void>;
  close(): void;
}>;

export type Front = Readonly<{
  routes: readonly Route[];
  /** The way to a function. */
  gateOf: (name: string) => Gate | undefined;
  /** Every function, for `/healthz`. */
  names: readonly string[];
  /** What `GET /` tells. */
  about: Readonly<Record<string, unknown>>;
}>;

export type IngressOptions = Readonly<{
  port: number;
  host?: string;
  bodyBytes?: number;
  headerBytes?: number;
  clientBodyMs?: number;
}>;

/** A function has the same bounds and answers first, in its own words; these are for when it does not. */
const marginMs = 5_000;

export const openIngress = async ({
  port,
  host = '127.0.0.1',
  bodyBytes = limits.bodyBytes,
  headerBytes = limits.headerBytes,
  clientBodyMs = limits.clientBodyMs,
}: IngressOptions): Promise<Ingress> => {
  const running = new WeakMap<Socket, ServerResponse>();
  let front: Front | undefined;
  let route = createRouter([]);
  let draining = false;

  const handle = (request: IncomingMessage, response: ServerResponse) => {
    running.set(request.socket, response);
    const path = (request.url ?? '').split('?', 1)[0] as string;
    const refusePath = (error: SluiceError) => refuse(response, path, error);
    if (!path.startsWith('/')) {
      refusePath(new SluiceError('bad_request', 'the request target is a path'));
      return;
    }
    if (front === undefined || draining) {
      response.shouldKeepAlive = false;
      refusePath(away(`Sluice is ${draining ? 'shutting down' : 'starting'}`));
      return;
    }
    const name = route(path);
    if (name === undefined) {
      answerItself({path, front, response, refusePath});
      return;
    }
    const gate = front.gateOf(name);
    if (gate === undefined) {
      refusePath(away(`the function ${name} is away`));
      return;
    }
    void forward({request, response, gate, bodyBytes, refuse: refusePath});
  };

  const server = createServer(
    {maxHeaderSize: headerBytes, connectionsCheckingInterval: 1_000},
    handle,
  );
  server.requestTimeout = clientBodyMs + marginMs;
  server.headersTimeout = clientBodyMs;
  server.on('clientError', (error, socket) => {
    // Into an answer that has begun nothing else may be written.
    const answer = running.get(socket as Socket);
    if (answer?.headersSent && !answer.writableEnded) {
      socket.destroy();
    } else {
      refuseSocket(error, socket as Socket);
    }
  });
  await listen(server, port, host);
  const address = server.address() as AddressInfo;
  return {
    port: address.port,
    url: `http://${reachable(host)}:${address.port}`,
    open(opened) {
      route = createRouter(opened.routes);
      front = opened;
    },
    async drain() {
      draining = true;
      const ended = new Promise<void>(resolve => server.close(() => resolve()));
      server.closeIdleConnections();
      const idle = setInterval(() => server.closeIdleConnections(), 100);
      await ended;
      clearInterval(idle);
    },
    close() {
      draining = true;
      server.close();
      server.closeAllConnections();
    },
  };
};

const away = (message: string) => new SluiceError('unavailable', message, {retryAfterSeconds: 1});

const answerItself = async ({
  path,
  front,
  response,
  refusePath,
}: {
  path: string;
  front: Front;
  response: ServerResponse;
  refusePath: (error: SluiceError) => void;
}) => {
  if (path === '/') {
    sendJson(response, 200, front.about);
  } else if (path === '/healthz' || path === '/health') {
    const health = await gatherHealth(front);
    sendJson(response, health.status === 'unavailable' ? 503 : 200, health);
  } else {
    refusePath(new SluiceError('not_found', `nothing is served at ${path}; GET / tells what is`));
  }
};

const sendJson = (response: ServerResponse, status: number, value: unknown) => {
  const body = `${JSON.stringify(value, null, 2)}\n`;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
};

/** An address that a client can use: a server on every address is reached by the loopback one. */
const reachable = (host: string) => {
  if (host === '0.0.0.0' || host === '::') {
    return '127.0.0.1';
  }
  return host.includes(':') ? `[${host}]` : host;
};

const listen = (server: Server, port: number, host: string) =>
  new Promise<void>((resolve, reject) => {
    server.once('error', error => reject(portProblem(port, host, error) ?? error));
    server.listen(port, host, resolve);
  });
