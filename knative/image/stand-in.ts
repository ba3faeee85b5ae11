/**
Stand-in: a PostgreSQL that lets everybody in and knows of nothing, for the warm-up: a build has no database.

Out: its URL and its end. It answers each statement with no rows, by the protocol of PostgreSQL 3.0:
https://www.postgresql.org/docs/current/protocol-message-formats.html
Connections are answered one at a time, the oldest first: V8 numbers functions in the order in which they are compiled, so what is compiled
when an answer comes has to come in the same order each time.
*/
import {once} from 'node:events';
import {type AddressInfo, createServer, type Socket} from 'node:net';

const message = (type: string, body: Buffer = Buffer.alloc(0)) => {
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};

const int32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

const ready = message('Z', Buffer.from('I'));
const done = message('C', Buffer.from('SELECT 0\0'));
const noColumns = message('T', Buffer.from([0, 0]));

/** What each message of a client is answered with. */
const answers: Readonly<Record<string, Buffer>> = {
  Q: Buffer.concat([noColumns, done, ready]),
  P: message('1'),
  B: message('2'),
  D: message('n'),
  E: done,
  S: ready,
};

/** Time for what one answer lets happen, and for what others ask meanwhile. */
const turnMs = 10;

const createTurns = () => {
  /** In the order of their connections. */
  const waiting = new Map<Socket, Buffer[]>();
  let isAnswering = false;
  const next = () => {
    const found = [...waiting].find(([, parts]) => parts.length > 0);
    isAnswering = found !== undefined;
    if (found) {
      setTimeout(next, turnMs);
      found[0].write(Buffer.concat(found[1].splice(0)));
    }
  };
  return {
    enter(socket: Socket) {
      waiting.set(socket, []);
      socket.once('close', () => waiting.delete(socket));
    },
    answer(socket: Socket, part: Buffer) {
      waiting.get(socket)?.push(part);
      if (!isAnswering) {
        isAnswering = true;
        setTimeout(next, turnMs);
      }
    },
  };
};

const serve = (socket: Socket, answer: (part: Buffer) => void) => {
  let bytes: Buffer = Buffer.alloc(0);
  let greeted = false;
  socket.on('error', () => {});
  socket.on('data', (part: Buffer) => {
    bytes = Buffer.concat([bytes, part]);
    // The first message has no type.
    for (let from = greeted ? 1 : 0; bytes.length >= from + 4; from = greeted ? 1 : 0) {
      const length = from + bytes.readInt32BE(from);
      if (bytes.length < length) {
        return;
      }
      const type = String.fromCharCode(bytes[0] as number);
      bytes = bytes.subarray(length);
      if (!greeted) {
        greeted = true;
        answer(Buffer.concat([message('R', int32(0)), ready]));
      } else if (answers[type]) {
        answer(answers[type]);
      }
    }
  });
};

export const startStandIn = async () => {
  const sockets = new Set<Socket>();
  const turns = createTurns();
  const server = createServer(socket => {
    sockets.add(socket);
    turns.enter(socket);
    serve(socket, part => turns.answer(socket, part));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const {port} = server.address() as AddressInfo;
  return {
    url: `postgres://sluice:sluice@127.0.0.1:${port}/sluice`,
    async close() {
      for (const socket of sockets) {
        socket.destroy();
      }
      server.close();
      await once(server, 'close');
    },
  };
};
