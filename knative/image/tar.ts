/**
Tar: archives that are the same bytes for the same files: sorted by whoever lists them, without owners, times and whatever else depends on
where they were made.

In: entries in order. Out: the archive written to a file, and its SHA-256.
*/
import {createHash} from 'node:crypto';
import {closeSync, openSync, readSync, statSync, writeSync} from 'node:fs';

export type Entry = Readonly<
  | {path: string; mode: number; kind: 'folder'}
  | {path: string; mode: number; kind: 'text'; content: string | Uint8Array}
  | {path: string; mode: number; kind: 'file'; from: string}
>;

const block = 512;
const pieceBytes = 1024 * 1024;

const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, '0')}\0`;

/** POSIX 1003.1-1988 (ustar): a path of up to 255 characters is cut at a slash. */
const split = (path: string): {name: string; prefix: string} => {
  if (path.length <= 100) {
    return {name: path, prefix: ''};
  }
  const cut = path.indexOf('/', path.length - 101);
  if (cut === -1 || cut > 155) {
    throw new Error(`expected a path that fits into a tar header, got ${path}`);
  }
  return {name: path.slice(cut + 1), prefix: path.slice(0, cut)};
};

const headerOf = (path: string, {mode, size, type}: {mode: number; size: number; type: string}) => {
  const {name, prefix} = split(path);
  const header = Buffer.alloc(block);
  const put = (text: string, at: number) => header.write(text, at, 'latin1');
  put(name, 0);
  put(octal(mode, 8), 100);
  put(octal(0, 8), 108);
  put(octal(0, 8), 116);
  put(octal(size, 12), 124);
  put(octal(0, 12), 136);
  put(' '.repeat(8), 148);
  put(type, 156);
  put('ustar\x0000', 257);
  put(prefix, 345);
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
};

export const writeTar = (
  file: string,
  entries: Iterable<Entry>,
): {digest: string; bytes: number} => {
  const digest = createHash('sha256');
  const out = openSync(file, 'w');
  let bytes = 0;
  const put = (part: Uint8Array) => {
    digest.update(part);
    writeSync(out, part);
    bytes += part.length;
  };
  const pad = (size: number) => put(Buffer.alloc((block - (size % block)) % block));
  const copy = (from: string) => {
    const source = openSync(from, 'r');
    const piece = Buffer.alloc(pieceBytes);
    for (let read = readSync(source, piece); read > 0; read = readSync(source, piece)) {
      put(piece.subarray(0, read));
    }
    closeSync(source);
  };
  for (const entry of entries) {
    if (entry.kind === 'folder') {
      put(headerOf(`${entry.path}/`, {mode: entry.mode, size: 0, type: '5'}));
      continue;
    }
    const content = entry.kind === 'text' ? Buffer.from(entry.content) : undefined;
    const size = entry.kind === 'file' ? statSync(entry.from).size : (content as Buffer).length;
    put(headerOf(entry.path, {mode: entry.mode, size, type: '0'}));
    if (entry.kind === 'file') {
      copy(entry.from);
    } else {
      put(content as Buffer);
    }
    pad(size);
  }
  put(Buffer.alloc(2 * block));
  closeSync(out);
  return {digest: digest.digest('hex'), bytes};
};
