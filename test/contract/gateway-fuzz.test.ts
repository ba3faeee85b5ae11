/**
No input of a client makes a 500: random methods, paths, headers and bodies on every route of a real gateway. What is refused is an error
object with an id; what is taken ends in one result; afterwards nothing is held and the gateway serves on.
*/
import assert from 'node:assert/strict';
import {Agent, type OutgoingHttpHeaders, request} from 'node:http';
import test from 'ava';
import fc from 'fast-check';
import type {OperationName} from '../../functions/gateway/surface/form.ts';
import {forms, routes} from '../../functions/gateway/surface/routes.ts';
import {eventually} from '../helpers/eventually.ts';
import {requestOf} from '../helpers/forms.ts';
import {startGateway} from '../helpers/gateway.ts';
import {chat} from '../helpers/simulated-model.ts';

const operations = Object.keys(forms) as OperationName[];
const own = ['/healthz', '/health', '/readyz', '/metrics', '/v1/status/healthz'];
const allPaths = [...routes.map(({path}) => path), ...own, '/', '/v1', '/v1/nowhere', '*'];

type Case = Readonly<{
  method: string;
  path: string;
  headers: OutgoingHttpHeaders;
  /** Without a key, or with one that is made up. */
  key: 'good' | 'none' | 'other' | 'x-api-key';
  body: string | Buffer | undefined;
}>;

const weird = fc.constantFrom<unknown[]>(
  null,
  '',
  '\u0000',
  '\ud800',
  0,
  -0,
  -1,
  1.5,
  1e308,
  2 ** 53,
  true,
  [],
  {},
  [null],
  [[]],
  {type: null},
  {type: 'text'},
  '__proto__',
);
const value = fc.oneof({weight: 2, arbitrary: weird}, {weight: 1, arbitrary: fc.jsonValue()});

/** Members that are read here, or mean something to somebody. */
const members = [
  ...['model', 'messages', 'prompt', 'input', 'max_tokens', 'max_completion_tokens', 'tools'],
  ...['max_output_tokens', 'min_tokens', 'n', 'best_of', 'stream', 'stream_options', 'stop'],
  ...['temperature', 'tool_choice', 'response_format', 'system', 'documents', 'chat_template'],
  ...['logprobs', 'user', 'metadata', 'store', 'echo', 'prompt_embeds', '__proto__', 'toString'],
] as const;

const part = fc.dictionary(
  fc.constantFrom('role', 'content', 'type', 'text', 'image_url', 'tool_calls', 'source', 'name'),
  fc.oneof(value, fc.array(fc.dictionary(fc.constantFrom('type', 'text', 'image_url'), value))),
  {maxKeys: 4},
);
/** A request that would be taken, with some of its members changed. */
const changed = fc
  .tuple(
    fc.constantFrom(...operations),
    fc.dictionary(
      fc.constantFrom(...members),
      fc.oneof(value, fc.array(part, {maxLength: 3}), fc.integer({min: 1, max: 9})),
      {maxKeys: 2},
    ),
    fc.boolean(),
  )
  .map(([name, more, stream]) => ({
    path: forms[name].path,
    text: JSON.stringify({...requestOf[name](3), ...(stream ? {stream} : {}), ...more}),
  }));
/** The same, broken as text: cut, doubled, or with a piece of something else inside. */
const broken = fc
  .tuple(changed, fc.nat(400), fc.constantFrom('', '{', '"', '\\u00', ',', '}', '\u2028', '1e9999'))
  .map(([{path, text}, at, piece]) => ({path, text: text.slice(0, at) + piece + text.slice(at)}));
const cut = fc
  .tuple(changed, fc.nat(400))
  .map(([{path, text}, at]) => ({path, text: text.slice(0, at)}));

const latin = fc.stringMatching(/^[\t\x20-\x7e\x80-\xff]{0,60}$/);
const headers: fc.Arbitrary<OutgoingHttpHeaders> = fc
  .record(
    {
      traceparent: fc.oneof(latin, fc.constant(`00-${'a'.repeat(32)}-${'b'.repeat(16)}-ff`)),
      tracestate: latin,
      'x-request-id': latin,
      'idempotency-key': fc.oneof(latin, fc.uuid(), fc.constantFrom('one', 'two')),
      'content-type': fc.oneof(latin, fc.constantFrom('text/plain', 'multipart/form-data')),
      'content-encoding': fc.constantFrom('identity', '', ' ', 'identity', 'gzip', 'br, gzip'),
      'anthropic-version': latin,
      accept: latin,
      origin: fc.oneof(latin, fc.constant('https://app.example')),
      'access-control-request-method': fc.constantFrom('POST', 'TRACE', ''),
      expect: fc.constantFrom('100-continue', '200-nothing'),
      'x-forwarded-for': latin,
      'user-agent': latin,
      cookie: latin,
    },
    {requiredKeys: []},
  )
  .chain(found => fc.subarray(Object.entries(found), {maxLength: 4}).map(Object.fromEntries))
  .map((found: Record<string, string>) =>
    Object.fromEntries(Object.entries(found).map(([name, text]) => [name, text.trim()])),
  );

const key: fc.Arbitrary<Case['key']> = fc.oneof(
  {weight: 12, arbitrary: fc.constant<Case['key']>('good')},
  {weight: 1, arbitrary: fc.constantFrom<Case['key'][]>('x-api-key', 'none', 'other')},
);
const posted = (bodies: fc.Arbitrary<{path: string; text: string | Buffer}>): fc.Arbitrary<Case> =>
  fc
    .record({sent: bodies, headers, key})
    .map(({sent: {path, text}, ...rest}) => ({method: 'POST', path, body: text, ...rest}));
const anywhere: fc.Arbitrary<Case> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'),
  path: fc
    .tuple(
      fc.constantFrom(...allPaths),
      fc.constantFrom('', '', '', '?', '%ff', '%00', '/../', '//'),
    )
    .map(([path, more]) => path + more),
  headers,
  key,
  body: fc.option(fc.oneof(fc.json(), fc.string()), {nil: undefined}),
});
const bytes = fc.record({
  path: fc.constantFrom(...operations.map(name => forms[name].path)),
  text: fc.oneof(
    fc.uint8Array({maxLength: 60}).map(found => Buffer.from(found)),
    fc.json(),
  ),
});
const anyCase = fc.oneof(
  {weight: 8, arbitrary: posted(changed)},
  {weight: 2, arbitrary: posted(broken)},
  {weight: 2, arbitrary: posted(cut)},
  {weight: 2, arbitrary: posted(bytes)},
  {weight: 3, arbitrary: anywhere},
);

type Answer = Readonly<{status: number; id: unknown; type: string; text: string}>;

test('no request makes a 500, whatever is in it, and each that was taken ends in one result', async t => {
  t.timeout(300_000);
  const gateway = await startGateway(t, {
    entry: {maxOutputTokens: 64, defaultMaxTokens: 4},
    parts: {origins: ['https://app.example']},
    // A budget that is never short: 402 would hide what comes after it.
    budgets: {budget: 5_000_000_000_000},
  });
  const agent = new Agent({keepAlive: true, maxSockets: 8});
  t.teardown(() => agent.destroy());
  const auth = {
    good: {authorization: `Bearer ${gateway.apiKey}`},
    'x-api-key': {'x-api-key': gateway.apiKey},
    other: {authorization: 'Bearer sk-made-up'},
    none: {},
  };
  const send = ({method, path, headers: more, key: which, body}: Case) =>
    new Promise<Answer>((resolve, reject) => {
      const sent = request(gateway.url, {
        agent,
        method,
        path,
        headers: {
          ...auth[which],
          ...more,
          ...(body === undefined ? {} : {'content-length': Buffer.byteLength(body)}),
        },
      });
      sent.once('error', reject);
      sent.once('response', response => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', piece => {
          text += piece;
        });
        response.once('error', reject);
        response.once('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            id: response.headers['x-request-id'],
            type: response.headers['content-type'] ?? '',
            text,
          }),
        );
      });
      sent.end(body);
    });
  const statuses = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(fc.array(anyCase, {minLength: 8, maxLength: 8}), async cases => {
      await Promise.all(
        cases.map(async one => {
          const {status, id, type, text} = await send(one);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
          assert.ok(status < 500, `${status} ${text}`);
          assert.match(String(id), /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
          if (status >= 400 && one.method !== 'HEAD') {
            assert.match(type, /^application\/(json|problem\+json)$/);
            const {error} = JSON.parse(text) as {error: {message: string}};
            assert.ok(error.message.length > 0);
          }
        }),
      );
    }),
    {numRuns: 500},
  );
  t.log(
    [...statuses]
      .toSorted()
      .map(([status, count]) => `${status}: ${count}`)
      .join(', '),
  );
  // A fuzz that only ever meets the first check says nothing of what is behind it.
  for (const status of [200, 400, 401, 404, 405]) {
    t.true((statuses.get(status) ?? 0) >= 20, `${status}`);
  }
  await eventually(() => assert.equal(gateway.results().length, gateway.intents().length));
  t.true(gateway.intents().length >= 100);
  const ids = gateway.results().map(result => result.request);
  t.is(new Set(ids).size, ids.length);
  const page = await eventually(async () => {
    const text = await (await fetch(`${gateway.url}/metrics`)).text();
    assert.match(text, /^sluice_holds 0$/m);
    return text;
  });
  t.regex(page, /^sluice_open_requests 0$/m);
  t.notRegex(page, /sluice_denials_total\{code="internal"\}/);
  t.deepEqual(
    gateway.lines.filter(line => (JSON.parse(line) as {level: number}).level >= 50),
    [],
  );
  t.is((await gateway.post('/v1/chat/completions', chat({max_tokens: 2}))).status, 200);
});
