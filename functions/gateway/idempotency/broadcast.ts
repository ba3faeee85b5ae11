/**
Broadcast: one exchange's answer for every client that asked for it with the same key.

In: what the exchange writes, as if to one response. Out: the same head and bytes to each client, as they come; who joins late
gets what was sent so far first. The exchange goes on as long as one of them is there.

The bytes are recorded up to a bound, a broadcast and a process; beyond it nobody joins any more and nothing can be kept. The
client that came first sets the pace, as without a key; another that falls behind by more than a bound is cut off.
*/
import {EventEmitter} from 'node:events';
import type {ClientResponse} from '../exchange/admitted.ts';

export type Space = Readonly<{take(bytes: number): boolean; give(bytes: number): void}>;

/** What all recordings of a process may take together. */
export const createSpace = (bytesMax: number): Space => {
  let used = 0;
  return {
    take(bytes) {
      if (used + bytes > bytesMax) {
        return false;
      }
      used += bytes;
      return true;
    },
    give(bytes) {
      used -= bytes;
    },
  };
};

type Head = Readonly<{status: number; headers: Record<string, string | number>}>;

/** The response to one client. */
export type Receiver = ClientResponse & Readonly<{writableLength: number}>;

export type Broadcast = Readonly<{
  /** What the exchange answers to. */
  client: ClientResponse;
  /** False: too late, or too much was sent to be sent again. */
  join(response: Receiver): boolean;
  /** The whole answer, where it has ended and was recorded. */
  recording(): (Head & Readonly<{body: Buffer}>) | undefined;
  /** Forgets what was recorded. */
  dispose(): void;
}>;

export const createBroadcast = ({
  space,
  recordBytesMax = 1024 * 1024,
  lagBytesMax = 1024 * 1024,
}: {
  space: Space;
  recordBytesMax?: number;
  lagBytesMax?: number;
}): Broadcast => {
  const events = new EventEmitter();
  const members = new Set<Receiver>();
  const headers: Record<string, string | number> = {};
  let head: Head | undefined;
  let recorded: Buffer[] | undefined = [];
  let size = 0;
  let ended = false;
  let gone = false;

  const forget = () => {
    space.give(size);
    size = 0;
    recorded = undefined;
  };
  const record = (bytes: Buffer) => {
    if (recorded && size + bytes.length <= recordBytesMax && space.take(bytes.length)) {
      size += bytes.length;
      recorded.push(bytes);
    } else if (recorded) {
      forget();
    }
  };
  const paceMaker = () => members.values().next().value;

  const leave = (response: Receiver) => {
    const setThePace = paceMaker() === response;
    members.delete(response);
    if (ended || gone) {
      return;
    }
    if (members.size === 0) {
      gone = true;
      events.emit('close');
    } else if (setThePace) {
      // The exchange may wait for it.
      events.emit('drain');
    }
  };

  const send = (bytes: Buffer): boolean => {
    let goesOn = true;
    const first = paceMaker();
    for (const response of members) {
      const flows = response.write(bytes);
      if (response === first && !flows) {
        goesOn = false;
        response.once('drain', () => events.emit('drain'));
      } else if (response !== first && response.writableLength > lagBytesMax) {
        response.destroy();
      }
    }
    return goesOn;
  };

  const client: ClientResponse = {
    get destroyed() {
      return gone;
    },
    get headersSent() {
      return head !== undefined;
    },
    get writableFinished() {
      return ended;
    },
    once: (event, listener) => events.once(event, listener),
    setHeader(name, value) {
      headers[name] = value;
    },
    removeHeader(name) {
      delete headers[name];
    },
    writeHead(status, more) {
      head = {status, headers: {...headers, ...more}};
      for (const response of members) {
        response.writeHead(status, head.headers);
      }
    },
    write(bytes) {
      record(bytes);
      return send(bytes);
    },
    end(content?: Buffer | string, encoding: BufferEncoding = 'utf8') {
      const bytes = typeof content === 'string' ? Buffer.from(content, encoding) : content;
      if (bytes) {
        record(bytes);
      }
      ended = true;
      for (const response of members) {
        response.end(bytes);
      }
    },
    destroy() {
      gone = true;
      for (const response of members) {
        response.destroy();
      }
    },
  };

  return {
    client,
    join(response) {
      if (gone || !recorded) {
        return false;
      }
      members.add(response);
      if (response.destroyed) {
        leave(response);
        return true;
      }
      response.once('close', () => leave(response));
      if (head) {
        response.writeHead(head.status, head.headers);
        for (const bytes of recorded) {
          response.write(bytes);
        }
      }
      if (ended) {
        response.end();
      }
      return true;
    },
    recording: () =>
      ended && head && recorded ? {...head, body: Buffer.concat(recorded)} : undefined,
    dispose: forget,
  };
};
