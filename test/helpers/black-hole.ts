/**
Black hole: a TCP proxy that can stop to forward without closing anything, as a machine that loses power or a firewall that forgets a
connection does.

In: the test, where it leads. Out: its URL, and a way to let it swallow whatever comes from then on.
*/

import type {AddressInfo} from 'node:net';
import {connect, createServer, type Socket} from 'node:net';
import type {ExecutionContext} from 'ava';

export const startBlackHole = async (t: Pick<ExecutionContext, 'teardown'>, to: string) => {
  const {hostname, port} = new URL(to);
  const sockets = new Set<Socket>();
  let isSwallowing = false;
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  };
  const server = createServer({allowHalfOpen: true}, near => {
    const far = connect({host: hostname, port: Number(port), allowHalfOpen: true});
    for (const [from, into] of [
      [near, far],
      [far, near],
    ] as const) {
      keep(from);
      from.on('data', part => {
        if (!isSwallowing) {
          into.write(part);
        }
      });
      from.on('end', () => isSwallowing || into.end());
      from.on('close', () => isSwallowing || into.destroy());
    }
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', () => resolve()));
  t.teardown(() => {
    for (const socket of sockets) {
      socket.destroy();
    }
    return new Promise<void>(resolve => server.close(() => resolve()));
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Neither end hears of the other any more; `full`: and nothing that is written to it is taken. */
    swallow({full = false}: {full?: boolean} = {}) {
      isSwallowing = true;
      if (full) {
        for (const socket of sockets) {
          socket.pause();
        }
      }
    },
  };
};
