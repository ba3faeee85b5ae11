/**
Answer reader: one answer after the other out of a connection's bytes: heads, bodies, where each ends (RFC 9112, 6.3).

In: bytes, cut anywhere; that the connection ended. Out: heads and data to whoever listens, for as long as that goes on; an error where it
is no answer. What it did not use, half a head or what its listener does not want now, is given to it again.
*/
import {errors} from 'undici';
import {type Chunks, createChunks} from '../../http/chunks.ts';
import {type AnswerHead, readAnswerHead} from './answer-head.ts';

const headBytesMax = 16_384;
const blankLine = '\r\n\r\n';

export const createAnswerReader = (
  listener: Readonly<{
    /** Also of those that come before the answer (1xx). */
    head(head: AnswerHead): void;
    /** A buffer of its own. */
    data(bytes: Buffer): void;
    goesOn(): boolean;
  }>,
) => {
  let head: AnswerHead | undefined;
  /** Of a body whose length was told. */
  let left = 0;
  let chunks: Chunks | undefined;
  /** Of all heads of an answer. */
  let headBytes = 0;
  let hasEnded = false;

  const isOver = (): boolean => {
    if (!head) {
      return false;
    }
    if (chunks) {
      return chunks.isOver();
    }
    return head.framing === 'close' ? hasEnded : left === 0;
  };

  /** Where it ends; `from`: it is not all there yet. */
  const readHead = (bytes: Buffer, from: number, to: number): number => {
    const found = bytes.indexOf(blankLine, from, 'latin1');
    // Behind `to` stands what was read before.
    const end = found < 0 || found + blankLine.length > to ? -1 : found;
    const length = (end < 0 ? to : end) - from;
    if (headBytes + length > headBytesMax) {
      throw new errors.HeadersOverflowError();
    }
    if (end < 0) {
      return from;
    }
    headBytes += length + blankLine.length;
    const read = readAnswerHead(bytes.toString('latin1', from, end));
    if (read.status === 101) {
      throw new errors.SocketError('bad upgrade');
    }
    if (read.status >= 200) {
      head = read;
      left = typeof read.framing === 'number' ? read.framing : 0;
      chunks = read.framing === 'chunked' ? createChunks() : undefined;
    }
    listener.head(read);
    return end + blankLine.length;
  };

  const readBody = (bytes: Buffer, from: number, to: number): number => {
    if (chunks) {
      const {data, used} = chunks.push(bytes, from, to);
      if (data.length > 0) {
        listener.data(data);
      }
      return from + used;
    }
    const end = head?.framing === 'close' ? to : Math.min(from + left, to);
    left -= head?.framing === 'close' ? 0 : end - from;
    listener.data(Buffer.from(bytes.subarray(from, end)));
    return end;
  };

  return {
    begin() {
      head = undefined;
      chunks = undefined;
      left = 0;
      headBytes = 0;
    },
    head: () => head,
    isOver,
    /** Up to where the bytes are done with. */
    push(bytes: Buffer, from: number, to: number): number {
      let at = from;
      while (at < to && !isOver() && listener.goesOn()) {
        const end = head ? readBody(bytes, at, to) : readHead(bytes, at, to);
        if (end === at) {
          break;
        }
        at = end;
      }
      return at;
    },
    /** True where that is the end of the answer too. */
    end(): boolean {
      hasEnded = true;
      return head?.framing === 'close';
    },
    hasEnded: () => hasEnded,
  };
};

export type AnswerReader = ReturnType<typeof createAnswerReader>;
