/**
Response: the answer to one request as it goes over the wire (RFC 9112, 6 and 7.1).

In: headers, a status, a body whole or in parts. Out: a head and a whole body as one write; each part of a body of no known length as one
chunk and one write, the last one with the end; when it is over, and when its client takes no more. A header that would end its
line is an error and never sent.
*/
import type {RequestHead} from './request-head.ts';
import {writeResponseHead} from './response-head.ts';

/** A text goes out in one piece with the head; of more bytes the copy would cost more than a second piece. */
const inOneTextMax = 16_384;
const lastChunk = '0\r\n\r\n';
const empty = Buffer.alloc(0);

/** What a response needs of its connection. */
export type Wire = Readonly<{
  /** False: more is to wait for `drain`. */
  write(content: string | Buffer): boolean;
  /** All was written. */
  ended(): void;
  destroy(): void;
  writableLength(): number;
  /** Whether it may go on after this answer; asked when the head goes out. */
  mayPersist(): boolean;
  readonly keepSeconds: number;
}>;

type Event = 'close' | 'drain';

const chunkOf = (bytes: Buffer): Buffer => {
  const line = `${bytes.length.toString(16)}\r\n`;
  const chunk = Buffer.allocUnsafe(line.length + bytes.length + 2);
  chunk.write(line, 0, 'latin1');
  chunk.set(bytes, line.length);
  chunk.write('\r\n', line.length + bytes.length, 'latin1');
  return chunk;
};
const chunkText = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

export class GatewayResponse {
  statusCode = 200;
  headersSent = false;
  writableEnded = false;
  /** Its last byte was given to the system. */
  writableFinished = false;
  /** Nothing of it reaches anybody any more. */
  destroyed = false;
  /** Whether its connection is kept, from its head on. */
  persists = false;
  readonly #wire: Wire;
  readonly #isHead: boolean;
  readonly #takesChunks: boolean;
  /** Name, value, name, value. Names in lower case. */
  readonly #headers: string[] = [];
  #isChunked = false;
  /** No body is sent, whatever is written. */
  #isBare = false;
  /** The head, until there is something to send with it. */
  #head = '';
  #onClose: (() => void)[] = [];
  #onDrain: (() => void)[] = [];

  constructor(wire: Wire, {method, versionMinor}: Pick<RequestHead, 'method' | 'versionMinor'>) {
    this.#wire = wire;
    this.#isHead = method === 'HEAD';
    this.#takesChunks = versionMinor === 1;
  }

  get writableLength(): number {
    return this.destroyed ? 0 : this.#wire.writableLength();
  }

  once(event: Event, listener: () => void): this {
    (event === 'close' ? this.#onClose : this.#onDrain).push(listener);
    return this;
  }

  setHeader(name: string, value: string | number): this {
    const headers = this.#headers;
    for (let at = 0; at < headers.length; at += 2) {
      if (headers[at] === name) {
        headers[at + 1] = String(value);
        return this;
      }
    }
    headers.push(name, String(value));
    return this;
  }

  getHeader(name: string): string | undefined {
    const at = this.#find(name);
    return at < 0 ? undefined : this.#headers[at + 1];
  }

  removeHeader(name: string) {
    const at = this.#find(name);
    if (at >= 0) {
      this.#headers.splice(at, 2);
    }
  }

  #find(name: string): number {
    return this.#headers.findIndex((each, index) => index % 2 === 0 && each === name);
  }

  writeHead(status: number, headers: Readonly<Record<string, string | number>> = {}): this {
    if (this.headersSent) {
      throw new Error('the head was sent before');
    }
    for (const name in headers) {
      this.setHeader(name, headers[name] as string | number);
    }
    const head = writeResponseHead(status, this.#headers, {
      isHead: this.#isHead,
      takesChunks: this.#takesChunks,
      mayPersist: this.#wire.mayPersist(),
      keepSeconds: this.#wire.keepSeconds,
    });
    this.statusCode = status;
    this.headersSent = true;
    this.persists = head.persists;
    this.#isChunked = head.isChunked;
    this.#isBare = head.isBare;
    this.#head = head.text;
    return this;
  }

  /** False: the client takes it later; `drain` says when. */
  write(part: string | Buffer): boolean {
    if (!this.headersSent) {
      this.writeHead(this.statusCode);
    }
    if (this.writableEnded || this.destroyed) {
      return true;
    }
    const bytes = typeof part === 'string' ? Buffer.from(part) : part;
    const head = this.#head;
    if (this.#isBare || bytes.length === 0) {
      return true;
    }
    this.#head = '';
    if (head !== '' && bytes.length <= inOneTextMax) {
      const text = bytes.toString('latin1');
      return this.#wire.write(head + (this.#isChunked ? chunkText(text) : text));
    }
    if (head !== '') {
      this.#wire.write(head);
    }
    return this.#wire.write(this.#isChunked ? chunkOf(bytes) : bytes);
  }

  end(last: string | Buffer = empty, encoding: BufferEncoding = 'utf8'): this {
    if (!this.headersSent) {
      const length = typeof last === 'string' ? Buffer.byteLength(last, encoding) : last.length;
      this.setHeader('content-length', length);
      this.writeHead(this.statusCode);
    }
    if (this.writableEnded || this.destroyed) {
      return this;
    }
    this.writableEnded = true;
    const head = this.#head;
    this.#head = '';
    const end = this.#isChunked ? lastChunk : '';
    if (this.#isBare) {
      this.#wire.write(head);
    } else if (last.length > inOneTextMax) {
      const bytes = typeof last === 'string' ? Buffer.from(last, encoding) : last;
      this.#writeParts(head, this.#isChunked ? chunkOf(bytes) : bytes, end);
    } else {
      const text = textOf(last, encoding);
      const rest = (this.#isChunked && text !== '' ? chunkText(text) : text) + end;
      this.#writeParts(head + rest);
    }
    this.#wire.ended();
    return this;
  }

  #writeParts(...parts: readonly (string | Buffer)[]) {
    for (const part of parts) {
      if (part.length > 0) {
        this.#wire.write(part);
      }
    }
  }

  destroy() {
    if (!this.writableFinished) {
      this.#wire.destroy();
    }
  }

  /** By its connection: there is room again. */
  drained() {
    const listeners = this.#onDrain;
    if (listeners.length > 0) {
      this.#onDrain = [];
      tell(listeners);
    }
  }

  /** By its connection: it is over, all of it sent or not. */
  closed(isFinished: boolean) {
    this.writableFinished = isFinished;
    this.destroyed = true;
    const listeners = this.#onClose;
    this.#onClose = [];
    this.#onDrain = [];
    tell(listeners);
  }
}

const tell = (listeners: readonly (() => void)[]) => {
  for (const listener of listeners) {
    listener();
  }
};

/** A character a byte. */
const textOf = (content: string | Buffer, encoding: BufferEncoding): string => {
  if (typeof content !== 'string') {
    return content.toString('latin1');
  }
  return encoding === 'latin1' ? content : Buffer.from(content, encoding).toString('latin1');
};
