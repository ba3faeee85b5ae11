/**
Plain pools: kept connections to model servers without TLS, and the clock that their waits are counted by.

In: an origin, calls. Out: each call on a connection that is free, the one that was used last, or on a new one. One timer for all: a
timer a request costs more than looking at every connection a few times a second.
*/
import {type Dispatcher, errors} from 'undici';
import type {Limits} from '../../../../events/limits.ts';
import type {Place} from '../connection.ts';
import type {PlainRequest} from './call.ts';
import {PlainConnection} from './connection.ts';

/** Shorter than uvicorn's and Node's 5 s: who writes while the server closes has a call that broke. */
const keepMs = 4_000;
const connectMs = 5_000;
const roomBytes = 65_536;

export type Plain = Readonly<{
  send(request: PlainRequest, handler: Dispatcher.DispatchHandler, place: Place): void;
  /** What runs goes on to its end. */
  retire(): void;
}>;

/** A read is understood before the next one begins, so all use one buffer; Windows reads into it at its own time. */
const createRoom = () => {
  const shared = Buffer.allocUnsafe(roomBytes);
  return () => (process.platform === 'win32' ? Buffer.allocUnsafe(roomBytes) : shared);
};

export const createPlainPools = ({
  limits: {firstByteMs, idleUpstreamMs},
}: {
  limits: Pick<Limits, 'firstByteMs' | 'idleUpstreamMs'>;
}) => {
  const tickMs = Math.min(250, Math.max(10, Math.min(firstByteMs, idleUpstreamMs) / 10));
  const ticksOf = (ms: number) => Math.ceil(ms / tickMs);
  const limits = {
    connectTicks: ticksOf(connectMs),
    firstByteTicks: ticksOf(firstByteMs),
    idleTicks: ticksOf(idleUpstreamMs),
    keepTicks: ticksOf(keepMs),
    ticksOf,
  };
  const room = createRoom();
  const all = new Set<PlainConnection>();
  let tick = 0;
  let clock: NodeJS.Timeout | undefined;
  let isClosed = false;

  const look = () => {
    tick += 1;
    for (const connection of all) {
      connection.check();
    }
  };

  const open = (origin: URL): Plain => {
    const free: PlainConnection[] = [];
    let isRetired = false;
    const {hostname, port, host} = origin;
    const pool = {
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port) || 80,
      hostHeader: host,
      ticks: () => tick,
      limits,
      room,
      onFree(connection: PlainConnection) {
        if (isRetired) {
          connection.fail(new errors.ClientClosedError());
        } else {
          free.push(connection);
        }
      },
      onGone(connection: PlainConnection) {
        all.delete(connection);
        const at = free.lastIndexOf(connection);
        if (at >= 0) {
          free.splice(at, 1);
        }
      },
    };
    return {
      send(request, handler, place) {
        if (isClosed) {
          throw new errors.ClientDestroyedError();
        }
        clock ??= setInterval(look, tickMs).unref();
        let connection = free.pop();
        if (!connection) {
          connection = new PlainConnection(pool);
          all.add(connection);
        }
        place.connection = connection;
        connection.send(request, handler);
      },
      retire() {
        isRetired = true;
        for (const connection of free.splice(0)) {
          connection.fail(new errors.ClientClosedError());
        }
      },
    };
  };

  return {
    open,
    /** What runs is broken off. */
    close() {
      isClosed = true;
      clearInterval(clock);
      for (const connection of all) {
        connection.fail(new errors.ClientDestroyedError());
      }
    },
  };
};
