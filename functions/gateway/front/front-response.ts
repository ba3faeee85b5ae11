/**
Front response: node's, whose headers are kept as they are said and looked at once, when they go out, and whose chunks go out in one piece.

In: headers, one by one; a body of no known length in parts. Out: all headers in one list to `writeHead`; each part with its size and its
line ends as one write, the last one with the end. Node's own checks each value twice and keeps them in an object whose shape every header
changes; and it gives a chunk to the socket in four pieces, which costs more to send than one.
*/
import {type IncomingMessage, type OutgoingHttpHeaders, ServerResponse} from 'node:http';

/** A text goes out in one piece with the head. */
const inOneTextMax = 16_384;
const lastChunk = '0\r\n\r\n';
const empty = Buffer.alloc(0);

const bytesOf = (part: string | Uint8Array, encoding: unknown): Buffer =>
  typeof part === 'string'
    ? Buffer.from(part, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
    : Buffer.from(part.buffer, part.byteOffset, part.byteLength);

const callbackOf = (...given: readonly unknown[]) =>
  given.find(one => typeof one === 'function') as (() => void) | undefined;

const sizeLine = (bytes: Buffer) => `${bytes.length.toString(16)}\r\n`;
const textOf = (bytes: Buffer) => `${sizeLine(bytes)}${bytes.toString('latin1')}\r\n`;

const chunkOf = (bytes: Buffer): Buffer => {
  const line = sizeLine(bytes);
  const chunk = Buffer.allocUnsafe(line.length + bytes.length + 2);
  chunk.write(line, 0, 'latin1');
  chunk.set(bytes, line.length);
  chunk.write('\r\n', line.length + bytes.length, 'latin1');
  return chunk;
};

export class FrontResponse<
  Request extends IncomingMessage = IncomingMessage,
> extends ServerResponse<Request> {
  /** Name, value, name, value. Names in lower case. */
  readonly #headers: (string | number)[] = [];
  /** Its body is parted by us. */
  #isChunked = false;
  #hasBegun = false;

  override setHeader(name: string, value: number | string | readonly string[]): this {
    const headers = this.#headers;
    const key = name.toLowerCase();
    const text = typeof value === 'object' ? value.join(', ') : value;
    for (let at = 0; at < headers.length; at += 2) {
      if (headers[at] === key) {
        headers[at + 1] = text;
        return this;
      }
    }
    headers.push(key, text);
    return this;
  }

  override removeHeader(name: string) {
    const at = this.#headers.findIndex((each, index) => index % 2 === 0 && each === name);
    if (at >= 0) {
      this.#headers.splice(at, 2);
    }
  }

  override getHeader(name: string): number | string | undefined {
    const at = this.#headers.findIndex((each, index) => index % 2 === 0 && each === name);
    return at < 0 ? undefined : this.#headers[at + 1];
  }

  override writeHead(status: number, headers?: unknown): this {
    for (const [name, value] of Object.entries((headers ?? {}) as OutgoingHttpHeaders)) {
      this.setHeader(name, value as string | number);
    }
    super.writeHead(status, this.#headers as unknown as OutgoingHttpHeaders);
    // Node has said in the head that the body comes in chunks; from here on it takes them for a body of any kind.
    this.#isChunked = this.chunkedEncoding;
    this.chunkedEncoding = false;
    return this;
  }

  override write(part: string | Uint8Array, encoding?: unknown, done?: unknown): boolean {
    if (!this.headersSent) {
      this.writeHead(this.statusCode);
    }
    if (!this.#isChunked) {
      return super.write(part, encoding as BufferEncoding, done as () => void);
    }
    const bytes = bytesOf(part, encoding);
    const told = callbackOf(encoding, done);
    if (bytes.length === 0) {
      return super.write('', 'latin1', told);
    }
    const isFirst = !this.#hasBegun;
    this.#hasBegun = true;
    return isFirst && bytes.length <= inOneTextMax
      ? super.write(textOf(bytes), 'latin1', told)
      : super.write(chunkOf(bytes), told);
  }

  override end(part?: unknown, encoding?: unknown, done?: unknown): this {
    // A second end is node's to judge: it must not find anything to write.
    if (!this.headersSent || !this.#isChunked || this.writableEnded) {
      return super.end(part as string, encoding as BufferEncoding, done as () => void);
    }
    const told = callbackOf(part, encoding, done);
    const bytes =
      typeof part === 'string' || part instanceof Uint8Array ? bytesOf(part, encoding) : empty;
    if (bytes.length > inOneTextMax) {
      super.write(chunkOf(bytes));
      return super.end(lastChunk, 'latin1', told);
    }
    return super.end(bytes.length === 0 ? lastChunk : textOf(bytes) + lastChunk, 'latin1', told);
  }
}
