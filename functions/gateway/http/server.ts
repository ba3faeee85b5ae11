/**
Server: HTTP/1.1 for clients, on sockets of our own: strict, one write an answer, one clock for all waits.

In: limits, who answers requests and what is none. Out: a server of `node:net` that also knows which connections are idle, for a drain.
*/
import {createServer, type Server} from 'node:net';
import type {Limits} from '../../../events/limits.ts';
import {HttpConnection} from './connection.ts';
import type {ConnectionParts} from './connection-parts.ts';

const keepMs = 65_000;
/** A client may take so long to read the last answer and close. */
const lingerMs = 2_000;

export type HttpServer = Server &
  Readonly<{closeIdleConnections(): void; closeAllConnections(): void}>;

export const createHttpServer = ({
  limits,
  ...handlers
}: Pick<ConnectionParts, 'onRequest' | 'answerFault'> &
  Readonly<{
    limits: Pick<
      Limits,
      'headerBytes' | 'clientHeaderMs' | 'clientBodyMs' | 'clientIdleMs' | 'clientProbeMs'
    >;
  }>): HttpServer => {
  const {clientBodyMs, clientIdleMs} = limits;
  const headMs = Math.min(limits.clientHeaderMs, clientBodyMs);
  const tickMs = Math.min(250, Math.max(10, headMs / 10));
  const ticksOf = (ms: number) => Math.ceil(ms / tickMs);
  const connections = new Set<HttpConnection>();
  let tick = 0;
  let clock: NodeJS.Timeout | undefined;

  const parts: ConnectionParts = {
    ...handlers,
    headBytesMax: limits.headerBytes,
    idleMs: clientIdleMs,
    keepSeconds: keepMs / 1_000,
    ticks: () => tick,
    limits: {
      headTicks: ticksOf(headMs),
      requestTicks: ticksOf(clientBodyMs),
      keepTicks: ticksOf(keepMs),
      lingerTicks: ticksOf(lingerMs),
    },
    isClosing: () => !server.listening,
    onGone: connection => void connections.delete(connection),
  };
  const server = createServer({
    allowHalfOpen: true,
    noDelay: true,
    // Who waits for a whole answer and vanished without a word would keep a model server at work until the deadline.
    keepAlive: true,
    keepAliveInitialDelay: limits.clientProbeMs,
  });
  server.on('connection', socket => connections.add(new HttpConnection(socket, parts)));
  server.on('listening', () => {
    clock = setInterval(() => {
      tick += 1;
      for (const connection of connections) {
        connection.check();
      }
    }, tickMs).unref();
  });
  server.on('close', () => clearInterval(clock));

  return Object.assign(server, {
    closeIdleConnections() {
      for (const connection of connections) {
        if (connection.isIdle) {
          connection.destroy();
        }
      }
    },
    closeAllConnections() {
      for (const connection of connections) {
        connection.destroy();
      }
    },
  });
};
