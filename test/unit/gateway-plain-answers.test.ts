/** Answers of model servers without TLS are read as HTTP has them, cut anywhere; what could be read in two ways is refused. */
import test from 'ava';
import fc from 'fast-check';
import type {AnswerHead} from '../../functions/gateway/exchange/plain/answer-head.ts';
import {createAnswerReader} from '../../functions/gateway/exchange/plain/answer-reader.ts';

/** Reads pieces as a connection gives them: what was not used comes again before the next. */
const read = (pieces: readonly Buffer[], goesOn = () => true) => {
  const heads: AnswerHead[] = [];
  const data: Buffer[] = [];
  const reader = createAnswerReader({
    head: head => heads.push(head),
    data: bytes => data.push(bytes),
    goesOn,
  });
  reader.begin();
  let rest = Buffer.alloc(0);
  for (const piece of pieces) {
    rest = Buffer.concat([rest, piece]);
    // As the shared room does, where an earlier read was longer.
    const room = Buffer.concat([rest, Buffer.from('\r\n\r\n0\r\n\r\n')]);
    rest = rest.subarray(reader.push(room, 0, rest.length));
    room.fill(0);
  }
  return {heads, reader, rest: rest.toString('latin1'), body: Buffer.concat(data)};
};

const cut = (bytes: Buffer, places: readonly number[]) => {
  const at = [...new Set(places.map(place => place % (bytes.length + 1)))].toSorted(
    (a, b) => a - b,
  );
  return [0, ...at].map((from, index) => bytes.subarray(from, at[index] ?? bytes.length));
};

const chunkOf = ([bytes, extension, isUpper]: readonly [Uint8Array, string, boolean]) => {
  const size = bytes.length.toString(16);
  return Buffer.concat([
    Buffer.from(`${isUpper ? size.toUpperCase() : size}${extension}\r\n`),
    bytes,
    Buffer.from('\r\n'),
  ]);
};
const bytes = fc.uint8Array({minLength: 1, maxLength: 300});
const extension = fc.constantFrom('', '', ';a', ';a="b"', ' ;a'.slice(1));
const trailers = fc.constantFrom('', 'x: y\r\n', 'a: b\r\nc: d\r\n');
const places = fc.array(fc.nat(), {maxLength: 12});

test('a body in chunks is what was in them, however the bytes come, and what follows is not touched', t => {
  const chunks = fc.array(fc.tuple(bytes, extension, fc.boolean()), {maxLength: 6});
  fc.assert(
    fc.property(
      chunks,
      trailers,
      places,
      fc.constantFrom('', 'HTTP/1.1 '),
      (parts, end, at, more) => {
        const answer = Buffer.concat([
          Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'),
          ...parts.map(chunkOf),
          Buffer.from(`0\r\n${end}\r\n${more}`),
        ]);
        const {reader, body, rest} = read(cut(answer, at));
        t.true(reader.isOver());
        t.is(rest, more);
        t.deepEqual(body, Buffer.concat(parts.map(([data]) => data)));
      },
    ),
    {numRuns: 500},
  );
});

test('a body of a told length ends there, one of none with its connection', t => {
  fc.assert(
    fc.property(fc.uint8Array({maxLength: 2_000}), places, (body, at) => {
      const all = (head: string) => Buffer.concat([Buffer.from(`${head}\r\n\r\n`), body]);
      const told = read(cut(all(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}`), at));
      t.true(told.reader.isOver());
      t.deepEqual(told.body, Buffer.from(body));
      const untold = read(cut(all('HTTP/1.1 200 OK\r\ncontent-type: a/b'), at));
      t.false(untold.reader.isOver());
      t.true(untold.reader.end());
      t.true(untold.reader.isOver());
      t.deepEqual(untold.body, Buffer.from(body));
    }),
    {numRuns: 300},
  );
});

test('what comes before the answer is told, and is not it', t => {
  const {heads, body, reader} = read([
    Buffer.from('HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n'),
    Buffer.from(
      'HTTP/1.1 200\r\nContent-Type:  a/b \r\nx: 1\r\nX: 2\r\ncontent-length: 2\r\n\r\nHi',
    ),
  ]);
  t.deepEqual(
    heads.map(({status}) => status),
    [103, 100, 200],
  );
  t.like(heads[2]?.headers, {'content-type': 'a/b', x: '1, 2'});
  t.is(body.toString(), 'Hi');
  t.true(reader.isOver());
});

test('answers that have no body have none, whatever they say', t => {
  for (const status of [204, 304]) {
    const {reader, rest} = read([
      Buffer.from(`HTTP/1.1 ${status} X\r\ncontent-length: 5\r\n\r\nHTTP/`),
    ]);
    t.true(reader.isOver());
    t.is(rest, 'HTTP/');
  }
});

test('whoever does not want more now is given nothing more', t => {
  let wants = true;
  const heads: AnswerHead[] = [];
  const data: string[] = [];
  const reader = createAnswerReader({
    head(head) {
      heads.push(head);
      wants = false;
    },
    data: some => data.push(some.toString()),
    goesOn: () => wants,
  });
  reader.begin();
  const answer = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nHi');
  const used = reader.push(answer, 0, answer.length);
  t.deepEqual([heads.length, data.length, reader.isOver()], [1, 0, false]);
  wants = true;
  reader.push(answer, used, answer.length);
  t.deepEqual([data, reader.isOver()], [['Hi'], true]);
});

test('a connection is kept as its version and its headers say', t => {
  const kept = (version: string, header: string) => {
    const {heads} = read([
      Buffer.from(`HTTP/${version} 200 OK\r\n${header}content-length: 0\r\n\r\n`),
    ]);
    return [heads[0]?.persistent, heads[0]?.keepAliveSeconds];
  };
  t.deepEqual(kept('1.1', ''), [true, undefined]);
  t.deepEqual(kept('1.1', 'Connection: Close\r\n'), [false, undefined]);
  t.deepEqual(kept('1.1', 'connection: x, close\r\n'), [false, undefined]);
  t.deepEqual(kept('1.0', ''), [false, undefined]);
  t.deepEqual(kept('1.0', 'connection: keep-alive\r\n'), [true, undefined]);
  t.deepEqual(kept('1.1', 'keep-alive: timeout=5, max=9\r\n'), [true, 5]);
});

const ok = 'HTTP/1.1 200 OK\r\n';
const chunked = `${ok}transfer-encoding: chunked\r\n\r\n`;
for (const [what, answer] of Object.entries({
  'no status line': 'hello\r\n\r\n',
  'another protocol': 'HTTP/2 200 OK\r\n\r\n',
  'a status of two digits': 'HTTP/1.1 20 OK\r\n\r\n',
  'a line break of half a pair in its status': 'HTTP/1.1 200 O\nK\r\n\r\n',
  'a line break of half a pair': `${ok}a: b\nc: d\r\n\r\n`,
  'a bare carriage return': `${ok}a: b\rc: d\r\n\r\n`,
  'a folded line': `${ok}a: b\r\n c\r\n\r\n`,
  'a space before a colon': `${ok}content-length : 5\r\n\r\n`,
  'no colon': `${ok}content-length\r\n\r\n`,
  'no name': `${ok}: 5\r\n\r\n`,
  'a null byte': `${ok}a: \0\r\n\r\n`,
  'two lengths': `${ok}content-length: 5\r\ncontent-length: 5\r\n\r\n`,
  'two lengths in one': `${ok}content-length: 5, 5\r\n\r\n`,
  'a negative length': `${ok}content-length: -5\r\n\r\n`,
  'a signed length': `${ok}content-length: +5\r\n\r\n`,
  'a hexadecimal length': `${ok}content-length: 0x5\r\n\r\n`,
  'a length and a coding': `${ok}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n`,
  'a protocol to change to': 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n',
  'a head without end': `${ok}a: ${'b'.repeat(17_000)}`,
  'heads without end': 'HTTP/1.1 100 Continue\r\nabc: def\r\n\r\n'.repeat(600),
  'a chunk of no size': `${chunked}\r\n`,
  'a chunk of a signed size': `${chunked}+1\r\na\r\n`,
  'a chunk with a space before its size': `${chunked} 1\r\na\r\n`,
  'a chunk with a space behind its size': `${chunked}1 \r\na\r\n`,
  'a chunk in 0x': `${chunked}0x1\r\na\r\n`,
  'a chunk that is too long': `${chunked}${'f'.repeat(13)}\r\n`,
  'a chunk that does not end': `${chunked}1\r\nab\r\n`,
  'a chunk that ends by half a pair': `${chunked}1\r\na\n0\r\n\r\n`,
  'a size that ends by half a pair': `${chunked}1\na\r\n`,
  'an extension that ends by half a pair': `${chunked}1;a\n`,
  'an extension without end': `${chunked}1;${'a'.repeat(5_000)}`,
  'a trailer that ends by half a pair': `${chunked}0\r\na: b\n\r\n`,
  'trailers without end': `${chunked}0\r\n${'a: b\r\n'.repeat(4_000)}`,
})) {
  test(`refused: ${what}`, t => {
    t.throws(() => read([Buffer.from(answer, 'latin1')]));
    t.throws(
      () => read([...answer].map(one => Buffer.from(one, 'latin1'))),
      undefined,
      'byte by byte',
    );
  });
}

test('no bytes hang a reader or make it give more than it got', t => {
  const noise = fc.array(
    fc.constantFrom(
      'HTTP/1.1 200 OK',
      '\r\n',
      '\r\n\r\n',
      'transfer-encoding: chunked',
      'content-length: 3',
      '0',
      '5',
      'a',
      ';',
      '\n',
      ' ',
      ':',
      '\0',
    ),
    {maxLength: 40},
  );
  fc.assert(
    fc.property(noise, places, (parts, at) => {
      const all = Buffer.from(parts.join(''));
      try {
        t.true(read(cut(all, at)).body.length <= all.length);
      } catch (error) {
        t.true(error instanceof Error);
      }
    }),
    {numRuns: 1_000},
  );
});
