/**
Caller: a pod in a namespace of its own, from which a test sends requests to whatever a pod can reach.

In: an installation. Out: `send`, which resolves with the statuses in the order of the requests. The pod asks the test for work, because
a test can be reached from pods, and pods not from everywhere.
*/
import {randomBytes} from 'node:crypto';
import {readFileSync} from 'node:fs';
import type {ServerResponse} from 'node:http';
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import {text} from 'node:stream/consumers';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';
import {stringify} from 'yaml';
import type {Installation} from '../helpers/installation.ts';
import {callerPod} from './manifests.ts';

export type Sending = Readonly<{
  url: string;
  method?: string;
  headers?: Readonly<Record<string, string>>;
  body?: Uint8Array | string | undefined;
}>;

export type Caller = Readonly<{
  namespace: string;
  send(requests: readonly Sending[]): Promise<readonly string[]>;
}>;

type Work = Readonly<{requests: string; done: (statuses: readonly string[]) => void}>;

const program = readFileSync(fileURLToPath(new URL('caller-agent.js', import.meta.url)), 'utf8');
/** A request that waits for work is answered after so long that there is none. */
const pollMs = 20_000;

const startControl = async (t: ExecutionContext, host: string) => {
  const waiting: Work[] = [];
  let current: Work | undefined;
  let idle: {response: ServerResponse; timer: NodeJS.Timeout} | undefined;
  const hand = () => {
    const work = waiting[0];
    if (idle === undefined || work === undefined) {
      return;
    }
    waiting.shift();
    current = work;
    clearTimeout(idle.timer);
    idle.response.end(work.requests);
    idle = undefined;
  };
  const server = createServer(async (request, response) => {
    if (request.method === 'POST') {
      const statuses: string[] = JSON.parse(await text(request));
      response.writeHead(204).end();
      current?.done(statuses);
      return;
    }
    idle = {response, timer: setTimeout(() => response.writeHead(204).end(), pollMs)};
    hand();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, host, resolve);
  });
  t.teardown(() => {
    clearTimeout(idle?.timer);
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}/`,
    give: (requests: string) =>
      new Promise<readonly string[]>(done => {
        waiting.push({requests, done});
        hand();
      }),
  };
};

export const startCaller = async (
  t: ExecutionContext,
  {cluster, image, host}: Installation,
): Promise<Caller> => {
  const namespace = `caller-${randomBytes(4).toString('hex')}`;
  const control = await startControl(t, host);
  await cluster(['create', 'namespace', namespace]);
  t.teardown(() => cluster(['delete', 'namespace', namespace, '--wait=false']));
  await cluster(
    ['apply', '-f', '-'],
    stringify(callerPod({namespace, image, program, control: control.url})),
  );
  return {
    namespace,
    send: requests =>
      control.give(
        JSON.stringify(
          requests.map(({url, method = 'GET', headers = {}, body}) => ({
            url,
            method,
            headers,
            ...(body === undefined ? {} : {body: Buffer.from(body).toString('base64')}),
          })),
        ),
      ),
  };
};
