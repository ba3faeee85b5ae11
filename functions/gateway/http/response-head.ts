/**
Response head: the head of an answer, and how its body goes after it (RFC 9112, 6.3 and 9.3).

In: a status, headers as name, value, name, value; what the request and its connection want. Out: its text, and whether the body goes in
chunks, goes at all, and leaves the connection usable. A value that would end its line is an error; names are written in the code.
*/
import {STATUS_CODES} from 'node:http';

const illegal = /[^\t -~\x80-\xff]/;

/** What the request and its connection want of the answer. */
export type Terms = Readonly<{
  /** Whoever asks by HEAD gets no body. */
  isHead: boolean;
  /** Without them, the end of the connection ends a body of no known length. */
  takesChunks: boolean;
  mayPersist: boolean;
  /** How long a connection that is kept is. */
  keepSeconds: number;
}>;

export type ResponseHead = Readonly<{
  text: string;
  isChunked: boolean;
  /** No body is sent, whatever is written. */
  isBare: boolean;
  persists: boolean;
}>;

let dateSecond = 0;
let dateLine = '';
/** Made once a second. */
const dateNow = (): string => {
  const second = Math.floor(Date.now() / 1_000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateLine = `date: ${new Date(second * 1_000).toUTCString()}\r\n`;
  }
  return dateLine;
};

const refused = (name: string) =>
  Object.assign(new TypeError(`invalid ${name} header`), {code: 'ERR_INVALID_CHAR'});

export const writeResponseHead = (
  status: number,
  headers: readonly string[],
  {isHead, takesChunks, mayPersist, keepSeconds}: Terms,
): ResponseHead => {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
  let hasLength = false;
  let persists = mayPersist;
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] as string;
    const value = headers[at + 1] as string;
    if (illegal.test(value)) {
      throw refused(name);
    }
    if (name === 'connection') {
      persists &&= value !== 'close';
      continue;
    }
    hasLength ||= name === 'content-length';
    text += `${name}: ${value}\r\n`;
  }
  const hasNoBody = status === 204 || status === 304;
  const isBare = hasNoBody || isHead;
  const isChunked = !hasLength && !hasNoBody && takesChunks;
  persists &&= hasLength || isBare || isChunked;
  text += isChunked ? 'transfer-encoding: chunked\r\n' : '';
  text += dateNow();
  text += persists
    ? `connection: keep-alive\r\nkeep-alive: timeout=${keepSeconds}\r\n\r\n`
    : 'connection: close\r\n\r\n';
  return {text, isChunked, isBare, persists};
};
