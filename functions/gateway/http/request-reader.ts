/**
Request reader: one request after the other out of a connection's bytes.

In: bytes, cut anywhere; that the request before is done with. Out: that a head begins, heads with their bodies, that a body has all come,
or a fault after which nothing is read. What comes behind a request waits until that is done with.
*/
import {SluiceError} from '../../../events/errors.ts';
import {RequestBody} from './request-body.ts';
import {mayBegin, notHttp, type RequestHead, readRequestHead} from './request-head.ts';

const blankLine = '\r\n\r\n';
const empty = Buffer.alloc(0);
const [cr, lf] = [13, 10];

export type RequestListener = Readonly<{
  begins(): void;
  request(head: RequestHead, body: RequestBody): void;
  /** Its body has come, or does not come any more. */
  bodyCame(): void;
  fault(fault: SluiceError): void;
}>;

export class RequestReader {
  readonly #listener: RequestListener;
  readonly #headBytesMax: number;
  /** What was read and not yet understood. */
  #rest: Buffer = empty;
  /** Of the request that is not done with. */
  #body: RequestBody | undefined;
  #hasBegun = false;
  #isReading = false;
  #isOver = false;

  constructor(listener: RequestListener, headBytesMax: number) {
    this.#listener = listener;
    this.#headBytesMax = headBytesMax;
  }

  /** Bytes that wait. */
  get waiting(): number {
    return this.#rest.length;
  }

  push(bytes: Buffer) {
    if (!this.#isOver) {
      this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
      this.read();
    }
  }

  /** The request is done with; `read` begins the next one. */
  next() {
    this.#body = undefined;
  }

  /** Nothing is read any more. */
  stop() {
    this.#isOver = true;
    this.#rest = empty;
  }

  read() {
    // An answer that is given at once comes back here.
    if (this.#isReading) {
      return;
    }
    this.#isReading = true;
    let goesOn = true;
    while (goesOn && this.#rest.length > 0) {
      goesOn = this.#body ? this.#readBody(this.#body) : this.#readHead();
    }
    this.#isReading = false;
  }

  #readBody(body: RequestBody): boolean {
    if (body.complete || body.hasFailed) {
      return false;
    }
    const used = body.take(this.#rest);
    this.#rest = used === this.#rest.length ? empty : this.#rest.subarray(used);
    if (body.complete || body.hasFailed) {
      this.#listener.bodyCame();
    }
    return true;
  }

  #readHead(): boolean {
    const bytes = this.#rest;
    // Empty lines before a request are none (RFC 9112, 2.2).
    if (bytes[0] === cr && (bytes.length === 1 || bytes[1] === lf)) {
      this.#rest = bytes.length === 1 ? bytes : bytes.subarray(2);
      return bytes.length > 1;
    }
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#listener.begins();
    }
    const end = bytes.indexOf(blankLine, 0, 'latin1');
    if ((end < 0 ? bytes.length : end) > this.#headBytesMax) {
      return this.#refuse(
        new SluiceError('headers_too_large', 'the request headers are over the limit'),
      );
    }
    if (end < 0) {
      return mayBegin(bytes.toString('latin1')) ? false : this.#refuse(notHttp());
    }
    let head: RequestHead;
    try {
      head = readRequestHead(bytes.toString('latin1', 0, end));
    } catch (fault) {
      return this.#refuse(fault as SluiceError);
    }
    const body = new RequestBody(head.body);
    const at = end + blankLine.length;
    this.#rest = at === bytes.length ? empty : bytes.subarray(at);
    this.#hasBegun = false;
    this.#body = body;
    if (this.#rest.length > 0) {
      this.#readBody(body);
    }
    this.#listener.request(head, body);
    return true;
  }

  #refuse(fault: SluiceError): false {
    this.stop();
    this.#listener.fault(fault);
    return false;
  }
}
