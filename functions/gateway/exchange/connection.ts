/**
Connection: one connection to a model server that can be closed by its half.

A client that goes away closes its connection, and servers take the end of what they read for that: uvicorn (so vLLM; tried with
asyncio and uvloop, 1 to 4 ms), Node (tried) and, by their own code, Go's net/http (so Knative's queue-proxy), Envoy and nginx stop
their work, write out what they had already handed to the connection, and close it. Who closes only what it writes tells them the same at the same moment, and still reads that rest; who
closes both, as undici's abort does, throws it away.
*/
import type {Socket} from 'node:net';
import {type buildConnector, Client, type Dispatcher} from 'undici';

/** Its socket, of which nothing more is written; undefined where that cannot be said. */
export type Halved = Readonly<{closeHalf(): Socket | undefined}>;

/** Where a call runs: known from when it is dispatched. */
export type Place = {connection: Halved | undefined};

type Connect = (
  options: buildConnector.Options,
  done: (error: Error | null, socket: Socket | null) => void,
) => void;

export class Connection extends Client {
  readonly #held: {socket: Socket | undefined};

  constructor(origin: URL, options: object) {
    const held: {socket: Socket | undefined} = {socket: undefined};
    const connect = (options as {connect: Connect}).connect;
    super(origin, {
      ...options,
      connect: (asked, done) =>
        connect(asked, (error, socket) => {
          held.socket = socket ?? undefined;
          (done as Parameters<Connect>[1])(error, socket);
        }),
    });
    this.#held = held;
  }

  override dispatch(
    options: Dispatcher.DispatchOptions & {place?: Place},
    handler: Dispatcher.DispatchHandler,
  ): boolean {
    if (options.place) {
      options.place.connection = this;
    }
    return super.dispatch(options, handler);
  }

  /**
  Its socket, of which nothing more is written; undefined where that cannot be said: not connected, or a request that is still
  being written, which a server would first wait for.
  */
  closeHalf(): Socket | undefined {
    const {socket} = this.#held;
    if (!socket || socket.destroyed || socket.writableLength > 0) {
      return undefined;
    }
    socket.end();
    return socket;
  }
}
