/**
Receiver: the subscribers of a data-plane test, all of them paths of one server that notes what it gets.

In: how to answer. Out: what arrived, in order of arrival, as bytes and headers: no codec of ours stands between.
*/
import {createServer, type IncomingHttpHeaders, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import type {ExecutionContext} from 'ava';
import {eventually} from '../helpers/eventually.ts';

export type Received = Readonly<{
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** `ce-id`. */
  id: string;
  /** `performance.now()` of the arrival. */
  at: number;
}>;

/** Events of this type are answered and not noted, but for the path that waits for them: see settle.ts. */
export const probeType = 'dev.probe';
export const probePath = '/probe';

/** A machine that has a whole cluster on it may be slow. */
const countMaxMs = process.env.SLUICE_TEST_KNATIVE === undefined ? 30_000 : 300_000;

/** Which answer; 204 when it does nothing. `nth` counts arrivals of this id at this path from 1. */
export type Respond = (received: Received, response: ServerResponse, nth: number) => unknown;

export type Receiver = Readonly<{
  url: string;
  all(): readonly Received[];
  /** What arrived at a path. */
  at(path: string): readonly Received[];
  /** Waits until so many arrived at a path. */
  count(path: string, count: number): Promise<readonly Received[]>;
}>;

export const startReceiver = async (
  t: ExecutionContext,
  {host, respond = () => {}}: {host: string; respond?: Respond | undefined},
): Promise<Receiver> => {
  const received: Received[] = [];
  const at = (path: string) => received.filter(one => one.path === path);
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk);
    }
    const one: Received = {
      path: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(chunks),
      id: String(request.headers['ce-id']),
      at: performance.now(),
    };
    if (request.headers['ce-type'] === probeType && one.path !== probePath) {
      response.writeHead(204).end();
      return;
    }
    received.push(one);
    const nth = at(one.path).filter(({id}) => id === one.id).length;
    await respond(one, response, nth);
    if (!response.headersSent && !response.destroyed) {
      response.writeHead(204).end();
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, host, resolve);
  });
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const {port} = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}`,
    all: () => received.filter(({path}) => path !== probePath),
    at,
    count: (path, count) =>
      eventually(
        () => {
          const some = at(path);
          if (some.length < count) {
            throw new Error(`expected ${count} at ${path}, got ${some.length}`);
          }
          return some;
        },
        {timeoutMs: countMaxMs},
      ),
  };
};
