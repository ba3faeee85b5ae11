/**
Listen: the life of a function's process: it starts, says where it listens, drains and ends.

In: a server, what to close. Out: its address; an exit when it is told to go, or when the start failed.
*/
import type {IncomingMessage, ServerResponse} from 'node:http';
import type {AddressInfo, Server as NetServer} from 'node:net';
import {ConfigError} from './config.ts';
import type {Logger} from './telemetry.ts';

/** Node's server of HTTP, or another that knows which of its connections are idle. */
export type Server = NetServer &
  Readonly<{closeIdleConnections(): void; closeAllConnections(): void}>;

export type Serving = Readonly<{url: string; port: number; close(): Promise<void>}>;

/**
Listens, and closes on SIGTERM, SIGINT or when a parent that holds an IPC channel is gone. Closing stops new connections,
lets running requests end within `drainMs`, then closes what the function holds.
*/
export const listen = async ({
  server,
  logger,
  port,
  // A child of the local runner: only its front door, on this machine, may come in.
  host = process.channel ? '127.0.0.1' : undefined,
  drainMs = 30_000,
  onDrain = () => {},
  onClose = async () => {},
}: {
  server: Server;
  logger: Logger;
  port: number;
  /** Every address of either family, unless said. What is said is looked up, `0.0.0.0` too, for 4 ms of each start. */
  host?: string | undefined;
  drainMs?: number;
  /** Called first: a function with streams tells them to end. */
  onDrain?: () => void;
  onClose?: () => Promise<void>;
}): Promise<Serving> => {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({port, ...(host === undefined ? {} : {host})}, () => resolve());
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
  // Node goes on saying keep-alive, and a connection that is never idle for a moment would end with the process, in mid-answer.
  server.prependListener('request', (_request: IncomingMessage, response: ServerResponse) => {
    response.shouldKeepAlive = false;
  });
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
