/**
Request head: the head of an HTTP/1 request, read strictly: what two readers could understand differently is refused (RFC 9112, 2 to 6, 11.2).

In: its text, a character a byte, without the blank line; or the beginning of one that is not all there yet. Out: method, target, headers, how
long the body is, whether the connection may be kept; or a fault. Refused is, beside what is no head: two lengths or lengths that are not
digits alone, a length beside a transfer coding, any coding but `chunked`, folded lines, a space before a colon, line ends of half a pair,
two hosts.
*/
import {SluiceError} from '../../../events/errors.ts';

export type RequestHead = Readonly<{
  method: string;
  /** As it came; of an absolute one path and query. */
  target: string;
  versionMinor: 0 | 1;
  /** Names in lower case. Of two lines of a name the values are one list, of names that have one value the first. */
  headers: Readonly<Partial<Record<string, string>>>;
  headerCount: number;
  body: number | 'chunked';
  /** As the client wants it. */
  persistent: boolean;
  /** The client waits for a word before it sends its body. */
  expectsContinue: boolean;
}>;

const requestLine = /^([A-Z][A-Z-]{0,19}) ([!-~]+) HTTP\/1\.([01])(?:\r\n|$)/;
const field = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t -~\x80-\xff]*)(?:\r\n|$)/y;
const absolute = /^https?:\/\/[^/?#@]+(?=[/?#]|$)/i;
const length = /^\d{1,15}$/;

/** Beginnings of lines that no more bytes could make right. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const broken = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?:^|[^\r])\n|\r[^\n]/;
const lineSoFar = /^[A-Z][A-Z-]{0,19}(?: (?:[!-~]+(?: [HTP/.01]{0,8})?)?)?\r?$/;

/** What has one value: the second is not looked at, as node does it. */
const single = new Set([
  ...['age', 'authorization', 'content-type', 'etag', 'expires', 'from', 'if-modified-since'],
  ...['if-unmodified-since', 'last-modified', 'location', 'max-forwards', 'proxy-authorization'],
  ...['referer', 'retry-after', 'server', 'user-agent'],
]);

/** CONNECT asks for a tunnel, and what would follow it is none of our protocol. */
const methods = new Set([
  ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH', 'QUERY'],
  ...['ACL', 'BIND', 'CHECKOUT', 'COPY', 'LINK', 'LOCK', 'M-SEARCH', 'MERGE', 'MKACTIVITY'],
  ...['MKCALENDAR', 'MKCOL', 'MOVE', 'NOTIFY', 'PROPFIND', 'PROPPATCH', 'PURGE', 'REBIND'],
  ...['REPORT', 'SEARCH', 'SOURCE', 'SUBSCRIBE', 'UNBIND', 'UNLINK', 'UNLOCK', 'UNSUBSCRIBE'],
]);

export const notHttp = () => new SluiceError('bad_request', 'this is not an HTTP request');

const targetOf = (text: string): string => {
  if (text.startsWith('/') || text.startsWith('*')) {
    return text;
  }
  const found = absolute.exec(text);
  if (!found) {
    throw notHttp();
  }
  const rest = text.slice(found[0].length);
  return rest.startsWith('/') ? rest : `/${rest}`;
};

const isWhite = (code: number) => code === 32 || code === 9;

/**
Without the spaces and tabs around it; what else is white to JavaScript belongs to it. By hand: a pattern for it looks at a run of spaces
once for each of them.
*/
const trimmed = (value: string): string => {
  let [from, to] = [0, value.length];
  while (from < to && isWhite(value.charCodeAt(from))) {
    from += 1;
  }
  while (to > from && isWhite(value.charCodeAt(to - 1))) {
    to -= 1;
  }
  return value.slice(from, to);
};

const add = (headers: Partial<Record<string, string>>, name: string, value: string) => {
  // Only own members: a name of Object's prototype is a header as any.
  if (!Object.hasOwn(headers, name)) {
    if (name !== '__proto__') {
      headers[name] = value;
    }
  } else if (name === 'content-length' || name === 'host' || name === 'transfer-encoding') {
    throw notHttp();
  } else if (!single.has(name)) {
    headers[name] += `${name === 'cookie' ? ';' : ','} ${value}`;
  }
};

const bodyOf = (headers: RequestHead['headers'], versionMinor: 0 | 1): number | 'chunked' => {
  const coding = headers['transfer-encoding'];
  const told = headers['content-length'];
  if (coding !== undefined) {
    if (told !== undefined || versionMinor === 0 || coding.toLowerCase() !== 'chunked') {
      throw notHttp();
    }
    return 'chunked';
  }
  if (told === undefined) {
    return 0;
  }
  if (!length.test(told)) {
    throw notHttp();
  }
  return Number(told);
};

const has = (list: string, word: string) =>
  list === word || list.split(',').some(each => each.trim() === word);

export const readRequestHead = (text: string): RequestHead => {
  const line = requestLine.exec(text);
  if (!line || !methods.has(line[1] as string)) {
    throw notHttp();
  }
  const headers: Partial<Record<string, string>> = {};
  let headerCount = 0;
  let at = line[0].length;
  while (at < text.length) {
    field.lastIndex = at;
    const found = field.exec(text);
    if (!found) {
      throw notHttp();
    }
    at = field.lastIndex;
    headerCount += 1;
    add(headers, (found[1] as string).toLowerCase(), trimmed(found[2] as string));
  }
  const versionMinor = line[3] === '1' ? 1 : 0;
  const connection = headers.connection?.toLowerCase() ?? '';
  return {
    method: line[1] as string,
    target: targetOf(line[2] as string),
    versionMinor,
    headers,
    headerCount,
    body: bodyOf(headers, versionMinor),
    persistent: versionMinor === 1 ? !has(connection, 'close') : has(connection, 'keep-alive'),
    expectsContinue: versionMinor === 1 && headers.expect?.toLowerCase() === '100-continue',
  };
};

/** Whether it may still become a head. What cannot is told so at once, and not when its time is over. */
export const mayBegin = (text: string): boolean => {
  if (broken.test(text)) {
    return false;
  }
  const end = text.indexOf('\r\n');
  return end < 0 ? lineSoFar.test(text) : requestLine.test(text);
};
