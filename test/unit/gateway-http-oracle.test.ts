/** The same bytes to node's server and to the gateway's own: taken the same way, or refused where that is said. */
import test from 'ava';
import fc from 'fast-check';
import {alike, type Cases, stricter} from '../helpers/http-cases.ts';
import {startPair} from '../helpers/http-pair.ts';

const last = 'GET /last HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';

/** A connection that is cut is a refusal without a word. */
const verdict = (answers: readonly unknown[]) =>
  answers.length === 0 ? [400] : answers.map(each => (each === 408 ? 400 : each));

/** Where something is refused, node may not have answered yet what came before it. */
const beforeRefusal = (own: readonly unknown[], node: readonly unknown[]) =>
  isRefusal(own.at(-1)) && isRefusal(node.at(-1)) && node.length < own.length
    ? [...own.slice(0, node.length - 1), own.at(-1)]
    : own;

const isRefusal = (answer: unknown) => typeof answer === 'number' && answer >= 400;

const inPieces = (text: string, cuts: readonly number[]) => {
  const at = [...new Set(cuts.map(cut => cut % text.length))].toSorted((one, two) => one - two);
  return [...at, text.length].map((end, index) => text.slice(at[index - 1] ?? 0, end));
};

const each = async (cases: Cases, judge: (title: string, text: string) => Promise<void>) => {
  await Promise.all(Object.entries(cases).map(([title, text]) => judge(title, text + last)));
};

test('what clients and attackers send is understood as node does, or refused as there', async t => {
  t.timeout(120_000);
  const ask = await startPair(t);
  await each(alike, async (title, text) => {
    const {node, own} = await ask([text]);
    t.deepEqual(verdict(own), verdict(node), title);
  });
});

test('the same, a byte at a time', async t => {
  t.timeout(120_000);
  const ask = await startPair(t);
  const short = Object.entries(alike).filter(([, text]) => text.length < 1_000);
  await each(Object.fromEntries(short), async (title, text) => {
    const {node, own} = await ask([...text]);
    t.deepEqual(verdict(own), verdict(node), title);
  });
});

test('what node takes and another reader could understand differently is refused', async t => {
  t.timeout(120_000);
  const ask = await startPair(t);
  await each(stricter, async (title, text) => {
    const {node, own} = await ask([text]);
    t.false(isRefusal(node[0]), title);
    t.deepEqual(own, [400], title);
  });
});

test('an absolute target is its path, and a protocol that is offered is not taken', async t => {
  t.timeout(60_000);
  const ask = await startPair(t);
  for (const [target, path] of [
    ['http://x/a?b', '/a?b'],
    ['http://x', '/'],
    ['HTTPS://x:8080?b', '/?b'],
  ] as const) {
    const {own} = await ask([`GET ${target} HTTP/1.1\r\nhost: x\r\n\r\n${last}`]);
    t.like(own[0], {url: path});
  }
  const upgrade = 'GET /a HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n';
  const {own} = await ask([upgrade + last]);
  t.like(own, [{url: '/a'}, {url: '/last'}]);
});

test('what comes behind a request that is the last one is not looked at', async t => {
  t.timeout(60_000);
  const ask = await startPair(t);
  for (const text of [
    'GET /a HTTP/1.0\r\n\r\n',
    'GET /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
    'GET /a HTTP/1.1\r\nhost: x\r\nconnection: x, Close\r\n\r\n',
    'GET /a HTTP/1.1\r\nhost: x\r\nconnection: keep-alive\r\nconnection: close\r\n\r\n',
  ]) {
    const {node, own} = await ask([text]);
    t.deepEqual(own, node);
    t.is((await ask([text + last])).own.length, 1);
  }
});

const latin = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

/** Requests of pieces that are right or wrong, so that most are almost right. */
const mostly = (right: readonly string[], wrong: readonly string[]) =>
  fc.oneof(
    {weight: 12, arbitrary: fc.constantFrom(...right)},
    {weight: 1, arbitrary: fc.constantFrom(...wrong)},
  );
const white = fc.constantFrom(' ', ' ', ' ', '', '\t', '  ');
const lineEnd = fc.oneof(
  {weight: 30, arbitrary: fc.constant('\r\n')},
  {weight: 1, arbitrary: fc.constantFrom('\n', '\r', '\r\r\n', '\r\n ', '\0\r\n')},
);
const name = mostly(
  ['a', 'B', 'x-long-name', 'cookie', 'accept', 'user-agent'],
  ['', 'a b', 'a ', '\xe9', 'a\0', '@'],
);
const value = fc.oneof(
  {weight: 6, arbitrary: fc.stringMatching(/^[ -~]{0,20}$/)},
  {weight: 1, arbitrary: fc.uint8Array({maxLength: 6}).map(latin)},
);
const header = fc.tuple(name, mostly([':'], [' :', '']), white, value, lineEnd);
const framing = fc.constantFrom(
  ['', ''],
  ['content-length: 3\r\n', 'abc'],
  ['content-length: 3\r\n', 'abcd'],
  ['Content-Length:3 \r\n', 'abc'],
  ['content-length: 03\r\n', 'abc'],
  ['content-length: 3;\r\n', 'abc'],
  ['transfer-encoding: chunked\r\n', '3\r\nabc\r\n0\r\n\r\n'],
  ['transfer-encoding: chunked\r\n', '1;x\r\na\r\nA\r\n0123456789\r\n00\r\nb: c\r\n\r\n'],
  ['transfer-encoding: chunked\r\n', '3\r\nabcd\r\n0\r\n\r\n'],
  ['transfer-encoding: chunked\r\n', 'g\r\nabc\r\n0\r\n\r\n'],
  ['transfer-encoding: chunked\r\ncontent-length: 3\r\n', '3\r\nabc\r\n0\r\n\r\n'],
);
const request = fc
  .tuple(
    mostly(['GET', 'POST', 'PUT', 'DELETE'], ['get', 'G\0T', '']),
    mostly(['/', '/a', '/a?b=c&d', '/%ff'], ['a', '/\x7f', '/a b']),
    mostly(['HTTP/1.1'], ['HTTP/1.3', 'HTP/1.1', 'HTTP/11']),
    fc.array(header, {maxLength: 4}),
    framing,
  )
  .map(
    ([method, target, version, lines, [frame, body]]) =>
      `${method} ${target} ${version}\r\nhost: x\r\n${lines.map(parts => parts.join('')).join('')}${frame}\r\n${body}`,
  );

test('requests that are almost right are taken or refused as node does, however they are cut', async t => {
  t.timeout(300_000);
  const ask = await startPair(t);
  const seen = {taken: 0, refused: 0};
  const cuts = fc.array(fc.nat(400), {maxLength: 6});
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(request, cuts), {minLength: 10, maxLength: 10}),
      async cases => {
        await Promise.all(
          cases.map(async ([first, where]) => {
            const text = first + last;
            const answers = await ask(inPieces(text, where));
            const [node, own] = [verdict(answers.node), verdict(answers.own)];
            t.deepEqual(beforeRefusal(own, node), node, JSON.stringify(text));
            seen[isRefusal(own[0]) ? 'refused' : 'taken'] += 1;
          }),
        );
      },
    ),
    {numRuns: 100},
  );
  t.log(JSON.stringify(seen));
  t.true(seen.taken >= 50 && seen.refused >= 50);
});
