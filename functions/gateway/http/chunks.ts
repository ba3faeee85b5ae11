/**
Chunks: takes the chunked transfer coding from a body (RFC 9112, 7.1).

In: bytes, cut anywhere. Out: what was in the chunks of each piece, in one buffer of its own; whether the last chunk and the trailers,
which nobody reads, were there; an error where it is no such coding. Sizes are hexadecimal digits and nothing else: what one reader takes
for a sign or a space another takes for the end of a request.
*/

/** Of a chunk's first line, its extensions included, and of all trailers. */
const lineMax = 4_096;
const trailersMax = 16_384;
const [cr, lf, semicolon] = [13, 10, 59];
const empty = Buffer.alloc(0);
const field = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*$/;

const garbage = (what: string) => Object.assign(new Error(what), {code: 'HPE_INVALID_CHUNK'});

/** -1: no digit. */
const digitOf = (byte: number): number => {
  if (byte >= 48 && byte <= 57) {
    return byte - 48;
  }
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
};

type Expected = 'size' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | Trailing;
/** After the last chunk: at the beginning of a line, in a line, behind its CR, behind the CR of the empty one. */
type Trailing = 'trailer' | 'trailer-text' | 'trailer-lf' | 'end-lf' | 'over';

export const createChunks = () => {
  let expected: Expected = 'size';
  let digits = 0;
  let size = 0;
  let line = 0;
  let trailers = 0;
  /** The line of the trailers that is being read. */
  let trailer = '';

  const readSize = (byte: number) => {
    const digit = digitOf(byte);
    if (digit >= 0) {
      size = size * 16 + digit;
      digits += 1;
      // Twelve digits are far below 2^53.
      if (digits > 12) {
        throw garbage('a chunk is too long');
      }
    } else if (digits > 0 && byte === cr) {
      expected = 'size-lf';
    } else if (digits > 0 && byte === semicolon) {
      expected = 'extension';
    } else {
      throw garbage('the size of a chunk is no number');
    }
  };

  const need = (byte: number, wanted: number, next: Expected) => {
    if (byte !== wanted) {
      throw garbage('a line of the chunked coding does not end');
    }
    expected = next;
  };

  const readTrailer = (byte: number) => {
    trailers += 1;
    if (trailers > trailersMax) {
      throw garbage('the trailers are too long');
    }
    if (byte !== cr) {
      trailer += String.fromCharCode(byte);
      expected = 'trailer-text';
    } else if (expected === 'trailer') {
      expected = 'end-lf';
    } else if (field.test(trailer)) {
      trailer = '';
      expected = 'trailer-lf';
    } else {
      throw garbage('a line of the trailers is no header');
    }
  };

  /** Everything but data, byte by byte: it is a few of them in a chunk. */
  const readByte = (byte: number) => {
    switch (expected) {
      case 'size':
        return readSize(byte);
      case 'extension':
        line += 1;
        if (line > lineMax || byte === lf) {
          throw garbage('the extension of a chunk does not end');
        }
        if (byte === cr) {
          expected = 'size-lf';
        }
        return;
      case 'size-lf':
        return need(byte, lf, size === 0 ? 'trailer' : 'data');
      case 'data-cr':
        return need(byte, cr, 'data-lf');
      case 'data-lf':
        need(byte, lf, 'size');
        digits = 0;
        line = 0;
        return;
      case 'trailer-lf':
        return need(byte, lf, 'trailer');
      case 'end-lf':
        return need(byte, lf, 'over');
      default:
        readTrailer(byte);
    }
  };

  return {
    isOver: () => expected === 'over',
    /** `used`: how much of the bytes belongs to this body. */
    push(bytes: Uint8Array, from: number, to: number): {data: Buffer; used: number} {
      let out: Buffer = empty;
      let filled = 0;
      let at = from;
      while (at < to && expected !== 'over') {
        if (expected !== 'data') {
          readByte(bytes[at] as number);
          at += 1;
          continue;
        }
        const end = Math.min(at + size, to);
        if (out.length === 0) {
          out = Buffer.allocUnsafe(to - at);
        }
        out.set(bytes.subarray(at, end), filled);
        filled += end - at;
        size -= end - at;
        at = end;
        if (size === 0) {
          expected = 'data-cr';
        }
      }
      return {data: out.subarray(0, filled), used: at - from};
    },
  };
};

export type Chunks = ReturnType<typeof createChunks>;
