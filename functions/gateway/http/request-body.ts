/**
Request body: the body of one request, as it comes, until somebody takes it (RFC 9112, 6.3 and 7.1).

In: how long it is, bytes cut anywhere, who wants it within which bound. Out: how much of the bytes is its; the whole of it, or why there
is none: too large, too late, no such coding. What nobody wants any more is read and forgotten; trailers always are.
*/
import {SluiceError} from '../../../events/errors.ts';
import {type Chunks, createChunks} from './chunks.ts';
import {notHttp} from './request-head.ts';

/** So much is kept of a body that nobody has asked for yet. */
const aheadMax = 65_536;

export class RequestBody {
  readonly #chunks: Chunks | undefined;
  /** Of one whose length was told. */
  #left: number;
  #parts: Buffer[] = [];
  #size = 0;
  #bytesMax = Number.POSITIVE_INFINITY;
  #waiting: PromiseWithResolvers<Buffer> | undefined;
  #fault: SluiceError | undefined;
  #isForgotten = false;

  constructor(length: number | 'chunked') {
    this.#left = length === 'chunked' ? 0 : length;
    this.#chunks = length === 'chunked' ? createChunks() : undefined;
  }

  /** All of it was there. */
  get complete(): boolean {
    return this.#chunks ? this.#chunks.isOver() : this.#left === 0;
  }

  get hasFailed(): boolean {
    return this.#fault !== undefined;
  }

  /** More would only fill memory: nobody has asked for what is there. */
  get isAhead(): boolean {
    return !this.#waiting && !this.#isForgotten && this.#size > aheadMax;
  }

  /** More than is worth reading for nobody may still come. */
  get mayBeMuch(): boolean {
    return this.#chunks ? !this.#chunks.isOver() : this.#left > aheadMax;
  }

  /** How much of the bytes is its. */
  take(bytes: Buffer): number {
    if (!this.#chunks) {
      const used = Math.min(this.#left, bytes.length);
      this.#left -= used;
      this.#keep(used === bytes.length ? bytes : bytes.subarray(0, used));
      return used;
    }
    try {
      const {data, used} = this.#chunks.push(bytes, 0, bytes.length);
      this.#keep(data);
      return used;
    } catch {
      this.fail(notHttp());
      return bytes.length;
    }
  }

  #keep(part: Buffer) {
    this.#size += part.length;
    if (this.#size > this.#bytesMax) {
      this.fail(tooLarge(this.#bytesMax));
    } else if (!this.#isForgotten && part.length > 0) {
      this.#parts.push(part);
    }
    if (this.complete && this.#waiting) {
      this.#waiting.resolve(this.#whole());
      this.#waiting = undefined;
    }
  }

  #whole(): Buffer {
    const parts = this.#parts;
    this.forget();
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  }

  want(bytesMax: number): Promise<Buffer> {
    if (this.#fault) {
      return Promise.reject(this.#fault);
    }
    if (this.#size + this.#left > bytesMax) {
      this.fail(tooLarge(bytesMax));
      return Promise.reject(this.#fault);
    }
    if (this.complete) {
      return Promise.resolve(this.#whole());
    }
    this.#bytesMax = bytesMax;
    this.#waiting = Promise.withResolvers<Buffer>();
    return this.#waiting.promise;
  }

  /** It does not become whole. */
  fail(fault: SluiceError) {
    this.#fault ??= fault;
    this.forget();
    this.#waiting?.reject(fault);
    this.#waiting = undefined;
  }

  /** Nobody wants what is there or comes. */
  forget() {
    this.#isForgotten = true;
    this.#parts = [];
  }
}

const tooLarge = (bytesMax: number) =>
  new SluiceError('payload_too_large', `the body is over ${bytesMax} bytes`);
