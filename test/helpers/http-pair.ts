/**
HTTP pair: one front that says what it understood of each request, on node's server and on the gateway's own.

In: bytes as a client would send them, in the pieces that they are given in. Out: of each server what it answered, one after the other: the
request as it understood it, or the status by which it refused.
*/
import {createServer, type IncomingMessage} from 'node:http';
import {type AddressInfo, connect, type Server} from 'node:net';
import type {ExecutionContext} from 'ava';
import {limits} from '../../events/limits.ts';
import {clientFault} from '../../functions/gateway/front/client-fault.ts';
import {createHttpServer} from '../../functions/gateway/http/server.ts';

/** Any that is not whole ends by it, in both. */
const lateMs = 40_000;

type Understood = Readonly<{
  method: string | undefined;
  url: string | undefined;
  headers: object;
  body: string;
}>;

const tell = (understood: Understood) => {
  const text = JSON.stringify(understood).replace(
    /[\x7f-\uffff]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return {text, headers: {'content-type': 'text/plain', 'content-length': text.length}};
};

const namesItsHost = (minor: number, host: string | undefined) => minor === 0 || host !== undefined;

const readAll = async (request: IncomingMessage) => {
  const parts: Buffer[] = [];
  for await (const part of request) {
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts).toString('latin1');
};

const startNode = () => {
  const server = createServer(
    {
      requireHostHeader: false,
      maxHeaderSize: limits.headerBytes,
      headersTimeout: lateMs,
      requestTimeout: lateMs,
      connectionsCheckingInterval: 100,
    },
    (request, response) => {
      if (!namesItsHost(request.httpVersionMinor, request.headers.host)) {
        response.writeHead(400, {connection: 'close'}).end();
        return;
      }
      const {method, url, headers} = request;
      readAll(request).then(
        body => {
          const {text, headers: own} = tell({method, url, headers, body});
          response.writeHead(200, own).end(text);
        },
        () => {},
      );
    },
  );
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  return server;
};

const startOwn = () =>
  createHttpServer({
    limits: {...limits, clientHeaderMs: lateMs, clientBodyMs: lateMs},
    answerFault: fault => clientFault(fault, 'an-id'),
    onRequest(request, response) {
      const {method, url, headers, versionMinor} = request;
      if (!namesItsHost(versionMinor, headers.host)) {
        response.writeHead(400, {connection: 'close'});
        response.end();
        return;
      }
      request.body(1_000_000).then(
        bytes => {
          const body = bytes.toString('latin1');
          const {text, headers: own} = tell({method, url, headers, body});
          response.writeHead(200, own);
          response.end(text);
        },
        ({status}) => {
          response.writeHead(status, {'content-length': 0, connection: 'close'});
          response.end();
        },
      );
    },
  });

/** Of the bytes that came back: each answer by itself. */
const answersIn = (text: string, isHead: (index: number) => boolean): unknown[] => {
  const answers: unknown[] = [];
  let rest = text.replaceAll('HTTP/1.1 100 Continue\r\n\r\n', '');
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(rest)?.[1]);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(rest.slice(0, end))?.[1] ?? 0);
    const sent = isHead(answers.length) ? 0 : length;
    const body = rest.slice(end + 4, end + 4 + sent);
    answers.push(status === 200 && sent > 0 ? JSON.parse(body) : status);
    rest = rest.slice(end + 4 + sent);
  }
  return answers;
};

const ask = (server: Server, pieces: readonly string[]): Promise<unknown[]> =>
  new Promise(resolve => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    let text = '';
    socket.setNoDelay(true).setEncoding('latin1');
    socket.on('data', piece => {
      text += piece;
    });
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    const heads = [...pieces.join('').matchAll(/(?:^|\n)([A-Z]+) \S+ HTTP/g)].map(
      found => found[1],
    );
    socket.on('close', () => resolve(answersIn(text, index => heads[index] === 'HEAD')));
    const send = (index: number) => {
      const piece = pieces[index];
      if (piece !== undefined && socket.writable) {
        socket.write(piece, 'latin1', () => setImmediate(send, index + 1));
      }
    };
    socket.on('connect', () => send(0));
  });

export const startPair = async (t: ExecutionContext) => {
  const servers = [startNode(), startOwn()] as const;
  for (const server of servers) {
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', () => resolve()));
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
  }
  return async (pieces: readonly string[]) => {
    const [node, own] = await Promise.all(servers.map(server => ask(server, pieces)));
    return {node: node as unknown[], own: own as unknown[]};
  };
};
