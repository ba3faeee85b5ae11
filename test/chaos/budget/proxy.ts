/**
Proxy: stands between the sources and the functions, and delivers again what was delivered.

In: batches for `/budget` and `/usage`. Out: the function's answer. Of some batches that were taken the answer is lost, so the source
sends them again; others come again by themselves a while later, when younger ones have been handled. What the function took a
second time is counted.
*/
import {createServer, type IncomingMessage, request as sendRequest} from 'node:http';
import type {AddressInfo} from 'node:net';

type Delivery = Readonly<{port: number; headers: IncomingMessage['headers']; body: Buffer}>;

const laterMs = [50, 2_000] as const;
const attemptsMax = 20;
const againMs = 500;

const eventsIn = (body: Buffer): number => {
  const parsed = JSON.parse(body.toString('utf8'));
  return Array.isArray(parsed) ? parsed.length : 1;
};

const readAll = async (stream: IncomingMessage) => {
  const parts: Buffer[] = [];
  for await (const part of stream) {
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts);
};

/** 0: it gave no answer. */
const deliver = ({port, headers, body}: Delivery): Promise<{status: number; body: Buffer}> =>
  new Promise(resolve => {
    const none = {status: 0, body: Buffer.alloc(0)};
    const call = sendRequest(
      {host: '127.0.0.1', port, method: 'POST', path: '/', headers, timeout: 30_000},
      answer => {
        readAll(answer).then(
          text => resolve({status: answer.statusCode ?? 0, body: text}),
          () => resolve(none),
        );
      },
    );
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(none));
    call.end(body);
  });

export const startProxy = async ({
  ports,
  random,
  lostShare = 0.06,
  repeatedShare = 0.25,
}: {
  /** Of the functions, by the path. */
  ports: Readonly<Record<string, number>>;
  random: () => number;
  lostShare?: number;
  repeatedShare?: number;
}) => {
  let absorbed = 0;
  let waiting = 0;
  let isQuiet = false;

  const repeat = async (delivery: Delivery) => {
    waiting += 1;
    await new Promise(resolve =>
      setTimeout(resolve, laterMs[0] + random() * (laterMs[1] - laterMs[0])),
    );
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      const {status} = await deliver(delivery);
      if (status >= 200 && status < 300) {
        absorbed += eventsIn(delivery.body);
        break;
      }
      await new Promise(resolve => setTimeout(resolve, againMs));
    }
    waiting -= 1;
  };

  const server = createServer(async (request, response) => {
    const port = ports[(request.url ?? '/').slice(1)];
    try {
      const body = await readAll(request);
      if (port === undefined) {
        // A broker's: hints, that nobody reads here.
        response.writeHead(202).end();
        return;
      }
      const {host: _, connection: __, ...headers} = request.headers;
      const delivery = {port, headers, body};
      const answer = await deliver(delivery);
      const isTaken = answer.status >= 200 && answer.status < 300;
      const draw = random();
      if (isTaken && !isQuiet && draw < lostShare) {
        absorbed += eventsIn(body);
        response.writeHead(503).end();
        return;
      }
      if (isTaken && !isQuiet && draw < lostShare + repeatedShare) {
        void repeat(delivery);
      }
      response.writeHead(answer.status || 503).end(answer.body);
    } catch {
      response.destroy();
    }
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const {port} = server.address() as AddressInfo;
  return {
    url: (path: string) => `http://127.0.0.1:${port}/${path}`,
    /** Events that a function took again. */
    absorbed: () => absorbed,
    /** Nothing more is doubled from here on. */
    quiet() {
      isQuiet = true;
    },
    waiting: () => waiting,
    close: () =>
      new Promise<void>(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

export type Proxy = Awaited<ReturnType<typeof startProxy>>;
