/**
Peer: another proxy that the gateway is measured beside, a server of its own on a free port.

In: a program that is installed, what it is told. Out: its URL and process once it answers; its end.
*/
import {connect} from 'node:net';
import {createServerProcess, freePort, startOnFreePort} from '../../runner/server.ts';

export type Peer = Readonly<{url: string; pid: number; stop(): Promise<void>}>;
export type PeerProgram = Readonly<{
  name: string;
  /** Its own, there already. */
  folder: string;
  command: string;
  argumentsAt(port: number): readonly string[] | Promise<readonly string[]>;
  environment?: Readonly<Record<string, string>>;
}>;

/** Rejects until somebody listens. */
const reach = (port: number) =>
  new Promise<void>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve();
    });
    socket.on('error', reject);
  });

export const startPeer = async (program: PeerProgram): Promise<Peer> => {
  const {name, folder, command, argumentsAt, environment} = program;
  const {server, port} = await startOnFreePort(async () => {
    const port = await freePort();
    const server = createServerProcess({
      name,
      command,
      args: await argumentsAt(port),
      // Only what is named: what is measured must not hang on somebody's environment.
      environment: {PATH: process.env.PATH, HOME: folder, ...environment},
      folder,
      check: () => reach(port),
    });
    return {server, port};
  });
  return {url: `http://127.0.0.1:${port}`, pid: server.pid(), stop: server.stop};
};
