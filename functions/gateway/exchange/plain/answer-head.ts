/**
Answer head: the head of an HTTP/1 answer, read strictly: what two readers could understand differently is refused.

In: its text, a character a byte, without the blank line. Out: status, headers, how long the body is, whether the connection may be
used again; or an error. RFC 9112, 4 to 6 and 9. What is refused beside what is no head: two lengths, a length beside a
transfer coding (6.1), folded lines (5.2), a space before a colon (5.1), line ends of half a pair (2.2).
*/

/** How the end of a body is known: by its length (0: there is none), by its last chunk, by the end of the connection. */
export type Framing = number | 'chunked' | 'close';

export type AnswerHead = Readonly<{
  status: number;
  headers: Record<string, string>;
  framing: Framing;
  /** Whether the server keeps the connection, and how long; undefined: it did not say. */
  persistent: boolean;
  keepAliveSeconds: number | undefined;
}>;

const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: .*)?$/;
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// Tabs and what is not ASCII may stand in a value; lines were parted before.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const control = /[\x00-\x08\x0a-\x1f\x7f]/;
const length = /^\d{1,15}$/;
const lastCoding = /(?:^|,)[ \t]*([^,]*?)[ \t]*$/;
const keepAlive = /(?:^|[,;\s])timeout=(\d{1,9})/i;

const garbage = (what: string) => Object.assign(new Error(what), {code: 'HPE_INVALID_ANSWER'});

export const readAnswerHead = (text: string): AnswerHead => {
  const lines = text.split('\r\n');
  const found = statusLine.exec(lines[0] as string);
  if (!found || control.test(lines[0] as string)) {
    throw garbage('the answer does not begin with a status line');
  }
  const headers: Record<string, string> = {};
  for (let index = 1; index < lines.length; index += 1) {
    const line = lines[index] as string;
    const colon = line.indexOf(':');
    const name = line.slice(0, colon);
    if (colon < 1 || !token.test(name) || control.test(line)) {
      throw garbage('a header of the answer is none');
    }
    add(headers, name.toLowerCase(), line.slice(colon + 1).trim());
  }
  const status = Number(found[2]);
  const connection = headers.connection?.toLowerCase() ?? '';
  const seconds = headers['keep-alive'];
  return {
    status,
    headers,
    framing: framingOf(status, headers),
    persistent: found[1] === '1' ? !has(connection, 'close') : has(connection, 'keep-alive'),
    keepAliveSeconds: seconds === undefined ? undefined : secondsIn(seconds),
  };
};

/** Of two lines of a name the values are one list (RFC 9110, 5.3). */
const add = (headers: Record<string, string>, name: string, value: string) => {
  // Only own members: a name of Object's prototype is a header as any.
  if (!Object.hasOwn(headers, name)) {
    if (name === '__proto__') {
      return;
    }
    headers[name] = value;
  } else if (name === 'content-length') {
    throw garbage('the answer has two lengths');
  } else {
    headers[name] += `, ${value}`;
  }
};

const has = (list: string, word: string) =>
  list === word || list.split(',').some(each => each.trim() === word);

const framingOf = (status: number, headers: Record<string, string>): Framing => {
  const coding = headers['transfer-encoding'];
  const told = headers['content-length'];
  if (coding !== undefined && told !== undefined) {
    throw garbage('the answer has a length and a transfer coding');
  }
  if (told !== undefined && !length.test(told)) {
    throw garbage('the length of the answer is no number');
  }
  if (status < 200 || status === 204 || status === 304) {
    return 0;
  }
  if (coding !== undefined) {
    return lastCoding.exec(coding)?.[1]?.toLowerCase() === 'chunked' ? 'chunked' : 'close';
  }
  return told === undefined ? 'close' : Number(told);
};

const secondsIn = (text: string) => {
  const found = keepAlive.exec(text);
  return found ? Number(found[1]) : undefined;
};
