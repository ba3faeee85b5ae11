import assert from 'node:assert/strict';
import {once} from 'node:events';
import {connect} from 'node:net';
import {Writable} from 'node:stream';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import fc from 'fast-check';
import {pino} from 'pino';
import {hashSecret, makeApiKey} from '../../events/api-key.ts';
import {limits} from '../../events/limits.ts';
import {createMetrics} from '../../events/metrics.ts';
import type {OutboxRow} from '../../events/outbox.ts';
import type {Principal} from '../../functions/auth/principal.ts';
import {createPrincipals} from '../../functions/auth/principals.ts';
import {readOpenTypes} from '../../functions/events-ingress/open-types.ts';
import {createRates} from '../../functions/events-ingress/rates.ts';
import {createReceive, type ReceiveParts} from '../../functions/events-ingress/receive.ts';
import {createIngressServer} from '../../functions/events-ingress/server.ts';
import {eventually} from '../helpers/eventually.ts';

const openTypes = readOpenTypes(fileURLToPath(new URL('../../schemas/events', import.meta.url)));
const org = '01890000-0000-7000-8000-000000000001';
const event = {specversion: '1.0', id: '1', source: 'shop', type: 'com.example.sold'};
const structured = {'content-type': 'application/cloudevents+json; charset=UTF-8'};
const batched = {'content-type': 'application/cloudevents-batch+json'};
const json = (value: unknown, headers: Record<string, string> = structured) => ({
  headers,
  body: typeof value === 'string' ? value : JSON.stringify(value),
});

type Options = Partial<ReceiveParts> & {
  principal?: Partial<Principal>;
  openRequestsMax?: number;
  clientBodyMs?: number;
};

const start = async (t: ExecutionContext, options: Options = {}) => {
  const key = makeApiKey();
  const principal: Principal = {
    org,
    project: 'p',
    key: 'k',
    publicId: key.publicId,
    secretHash: hashSecret(key.secret),
    models: null,
    environments: null,
    expiresAtMs: null,
    revoked: false,
    suspended: false,
    unsettledPolicy: 'prompt',
    budgets: [],
    ...options.principal,
  };
  const stored: OutboxRow[] = [];
  const lines: string[] = [];
  const receive = createReceive({
    principals: createPrincipals({
      load: async publicId => (publicId === key.publicId ? principal : undefined),
      environment: 'development',
    }),
    staleSinceMs: () => 0,
    backlog: async () => ({rows: 0, ageMs: 0}),
    rates: createRates({eventsPerSecond: 1_000_000, bytesPerSecond: 2 ** 30}),
    openTypes,
    store: {
      async append(_org, rows) {
        stored.push(...rows);
      },
    },
    limits,
    eventsMax: limits.batchEvents,
    bytesMax: limits.batchBytes,
    ...options,
  });
  const metrics = createMetrics();
  const ingress = createIngressServer({
    receive,
    limits: {...limits, clientBodyMs: options.clientBodyMs ?? limits.clientBodyMs},
    openRequestsMax: options.openRequestsMax ?? 100,
    logger: pino(
      new Writable({
        write(chunk, _encoding, done) {
          lines.push(String(chunk));
          done();
        },
      }),
    ),
    metrics,
    health: () => undefined,
  });
  await new Promise<void>(resolve => ingress.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    ingress.close();
    ingress.closeAllConnections();
  });
  const {port} = ingress.address() as {port: number};
  const url = `http://127.0.0.1:${port}`;
  const post = (init: RequestInit, apiKey: string | undefined = key.text) => {
    const headers = new Headers(init.headers);
    if (apiKey) {
      headers.set('authorization', `Bearer ${apiKey}`);
    }
    return fetch(`${url}/events`, {method: 'POST', ...init, headers});
  };
  return {url, port, post, stored, lines, metrics, apiKey: key.text};
};

test('an event in each mode is answered 202 without a body, once it is stored', async t => {
  const {post, stored} = await start(t);
  const binary = {
    headers: {
      'content-type': 'application/json',
      'ce-specversion': '1.0',
      'ce-id': 'b',
      'ce-source': '/shop',
      'ce-type': 'com.example.sold',
    },
    body: '{"n":0}',
  };
  const list = [
    {...event, id: 'c'},
    {...event, id: 'd', type: 'dev.sluice.hello.requested.v1', data: {name: 'Ada'}},
  ];
  for (const request of [json(event), binary, json(list, batched), json([], batched)]) {
    const response = await post(request);
    t.is(response.status, 202, await response.clone().text());
    t.is(await response.text(), '');
    t.is(response.headers.get('ratelimit-limit'), '1000000');
  }
  t.deepEqual(
    stored.map(row => [row.destination, row.event.id, row.event.source, row.event.data]),
    [
      ['broker:tenants', '1', `/orgs/${org}/shop`, undefined],
      ['broker:tenants', 'b', `/orgs/${org}/shop`, {n: 0}],
      ['broker:tenants', 'c', `/orgs/${org}/shop`, undefined],
      ['broker:default', 'd', `/orgs/${org}/shop`, {name: 'Ada'}],
    ],
  );
});

test('what cannot be taken is a problem with its status, and stores nothing', async t => {
  const {post, stored} = await start(t);
  const greet = {...event, type: 'dev.sluice.hello.requested.v1'};
  const big = 'x'.repeat(limits.batchBytes + 1);
  const cases: [RequestInit, number, string, string?][] = [
    [json('{'), 400, 'malformed_event'],
    [json({...event, specversion: '2.0'}), 400, 'malformed_event'],
    [json({...event, id: ''}), 400, 'malformed_event'],
    [json({}, batched), 400, 'malformed_event'],
    [json([event, {...event, source: 1}], batched), 400, 'malformed_event', '/1'],
    [{headers: {'ce-id': '1'}, body: ''}, 400, 'malformed_event'],
    [json({...event, type: 'dev.sluice.inference.finished.v1'}), 403, 'forbidden', '/type'],
    [json(big), 413, 'payload_too_large'],
    [json({...event, data: 'x'.repeat(300_000)}), 413, 'payload_too_large'],
    [json(Array(501).fill(event), batched), 413, 'payload_too_large'],
    [json(event, {'content-type': 'application/json'}), 415, 'unsupported_media_type'],
    [json('', {'content-type': 'application/cloudevents+avro'}), 415, 'unsupported_media_type'],
    [json(event, {...structured, 'content-encoding': 'gzip'}), 415, 'unsupported_media_type'],
    [json({...greet, data: {name: 5}}), 422, 'unprocessable_event', '/data/name'],
    [json([event, {...greet, data: {}}], batched), 422, 'unprocessable_event', '/1/data'],
    [json({...event, data: 'a\0'}), 422, 'unprocessable_event', '/data'],
  ];
  for (const [request, status, code, parameter] of cases) {
    const response = await post(request);
    const problem = (await response.json()) as Record<string, unknown>;
    t.is(response.status, status, JSON.stringify(problem));
    t.is(response.headers.get('content-type'), 'application/problem+json');
    t.like(problem, {status, code, instance: '/events', ...(parameter ? {parameter} : {})});
  }
  t.deepEqual(stored, []);
});

test('who has no key that is good here is refused before the body is read', async t => {
  const refused: [Partial<Principal>, number][] = [
    [{revoked: true}, 401],
    [{expiresAtMs: 1}, 401],
    [{suspended: true}, 403],
    [{environments: ['production']}, 403],
  ];
  for (const [principal, status] of refused) {
    const {post, stored} = await start(t, {principal});
    const response = await post(json(event));
    t.is(response.status, status, JSON.stringify(principal));
    t.is(response.headers.get('content-type'), 'application/problem+json');
    t.deepEqual(stored, []);
  }
  const {port, post} = await start(t);
  for (const key of ['', makeApiKey().text, 'junk']) {
    const response = await post(json(event), key);
    t.is(response.status, 401);
    t.is(response.headers.get('www-authenticate'), 'Bearer');
  }
  // A body that is promised and never sent is not waited for.
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.write('POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  t.regex(String(answer), /^HTTP\/1\.1 401 /);
});

test('another method or path is refused, and OPTIONS says what is taken', async t => {
  const {url} = await start(t);
  const options = await fetch(`${url}/events`, {method: 'OPTIONS'});
  t.is(options.status, 200);
  t.is(options.headers.get('allow'), 'POST');
  t.is(options.headers.get('webhook-allowed-origin'), '*');
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const response = await fetch(`${url}/events`, {method});
    t.is(response.status, 405);
    t.is(response.headers.get('allow'), 'POST, OPTIONS');
  }
  t.is((await fetch(`${url}/events/1`, {method: 'POST'})).status, 404);
  t.is((await fetch(`${url}/`, {method: 'POST'})).status, 404);
  t.deepEqual(await (await fetch(`${url}/healthz`)).json(), {
    status: 'ok',
    function: 'events-ingress',
  });
});

test('an organisation over its events is told when to come again, and so is one over its bytes', async t => {
  const windowSeconds = 3_600;
  const byEvents = await start(t, {
    rates: createRates({eventsPerSecond: 3, bytesPerSecond: 10_000, windowSeconds}),
  });
  t.is((await byEvents.post(json([event, event], batched))).status, 202);
  const last = await byEvents.post(json(event));
  t.is(last.headers.get('ratelimit-remaining'), '0');
  t.is(
    last.headers.get('ratelimit-policy'),
    '3;w=3600;comment="events", 10000;w=3600;comment="bytes"',
  );
  const over = await byEvents.post(json({...event, id: '2'}));
  t.is(over.status, 429);
  t.is(over.headers.get('ratelimit-limit'), '3');
  t.true(Number(over.headers.get('retry-after')) > 0);
  t.regex(String(((await over.json()) as {detail: string}).detail), /events a second/);
  t.is(byEvents.stored.length, 3);

  const byBytes = await start(t, {
    rates: createRates({eventsPerSecond: 100, bytesPerSecond: 200, windowSeconds}),
  });
  t.is((await byBytes.post(json(event))).status, 202);
  const tooMuch = await byBytes.post(json({...event, data: 'x'.repeat(200)}));
  t.is(tooMuch.status, 429);
  t.is(tooMuch.headers.get('ratelimit-limit'), '200');
  t.is(byBytes.stored.length, 1);
});

test('what cannot be parsed counts too', async t => {
  const rates = createRates({eventsPerSecond: 2, bytesPerSecond: 10_000, windowSeconds: 3_600});
  const {post} = await start(t, {rates});
  const statuses = [];
  for (let request = 0; request < 3; request += 1) {
    statuses.push((await post(json('{'))).status);
  }
  t.deepEqual(statuses, [400, 400, 429]);
});

test('one organisation’s rate is not another’s', async t => {
  const rates = createRates({eventsPerSecond: 1, bytesPerSecond: 1_000, windowSeconds: 3_600});
  t.is((await rates.take('a', {events: 1, bytes: 1})).exceeded, undefined);
  t.is((await rates.take('a', {events: 1, bytes: 1})).exceeded, 'events');
  t.is((await rates.take('b', {events: 1, bytes: 1})).exceeded, undefined);
  t.is((await rates.take('c', {events: 1, bytes: 1_001})).exceeded, 'bytes');
});

test('a full outbox and stale knowledge of keys are 503 with Retry-After', async t => {
  const full = [
    {backlog: async () => ({rows: limits.outboxRows + 1, ageMs: 0})},
    {backlog: async () => ({rows: 1, ageMs: limits.outboxAgeMs + 1})},
    {staleSinceMs: () => limits.staleMaxMs + 1},
  ];
  for (const options of full) {
    const {post, stored} = await start(t, options);
    const response = await post(json(event));
    t.is(response.status, 503);
    t.true(Number(response.headers.get('retry-after')) > 0);
    t.deepEqual(stored, []);
  }
});

test('beyond the bound of open requests the next is refused at once', async t => {
  const gate = Promise.withResolvers<void>();
  const waiting = Promise.withResolvers<void>();
  const {post} = await start(t, {
    openRequestsMax: 1,
    store: {
      async append() {
        waiting.resolve();
        await gate.promise;
      },
    },
  });
  const first = post(json(event));
  await waiting.promise;
  const second = await post(json(event));
  t.is(second.status, 429);
  t.is(second.headers.get('retry-after'), '1');
  gate.resolve();
  t.is((await first).status, 202);
  await eventually(async () => assert.equal((await post(json(event))).status, 202));
});

test('a sender that stops in the middle of its body is cut', async t => {
  const {port, apiKey, stored} = await start(t, {clientBodyMs: 200});
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  let text = '';
  socket.on('data', part => {
    text += part;
  });
  socket.write(
    `POST /events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${apiKey}\r\ncontent-type: application/cloudevents+json\r\ncontent-length: 1000\r\n\r\n{`,
  );
  await once(socket, 'close');
  t.regex(text, /^HTTP\/1\.1 408 /);
  t.regex(text, /application\/problem\+json/);
  t.deepEqual(stored, []);
});

test('a log line says who, how much and how it ended, and not what', async t => {
  const {post, lines, metrics, apiKey} = await start(t);
  await post(json({...event, subject: 'canary', data: {canary: 'canary'}}));
  await post(json({...event, type: 'dev.sluice.hello.requested.v1', data: {name: {canary: 1}}}));
  await eventually(() => assert.equal(lines.length, 2));
  const [accepted, refused] = lines.map(line => JSON.parse(line));
  t.like(accepted, {method: 'POST', path: '/events', status: 202, org, project: 'p', keyId: 'k'});
  t.like(accepted, {events: 1, stored: {'broker:tenants': 1}});
  t.true(accepted.bytes > 0 && accepted.trace.length === 32);
  t.like(refused, {status: 422, code: 'unprocessable_event', org});
  t.false(lines.join().includes('canary') || lines.join().includes(apiKey));
  const text = metrics.text();
  t.regex(text, /sluice_ingress_events_accepted_total\{destination="broker:tenants"\} 1\n/);
  t.regex(text, /sluice_ingress_requests_refused_total\{code="unprocessable_event"\} 1\n/);
  t.regex(text, /sluice_ingress_bytes_total \d{3}\n/);
});

const often = <Value>(arbitrary: fc.Arbitrary<Value>, seldom: fc.Arbitrary<unknown>) =>
  fc.oneof({weight: 9, arbitrary}, {weight: 1, arbitrary: seldom});

/** Near enough to an event that many get through. */
const anyEvent = fc.record(
  {
    specversion: often(fc.constant('1.0'), fc.string()),
    id: often(fc.string({minLength: 1}), fc.string({unit: 'binary'})),
    source: often(fc.webUrl(), fc.string({unit: 'binary'})),
    type: fc.oneof(
      fc.string({minLength: 1}),
      fc.constantFrom('dev.sluice.hello.requested.v1', 'dev.sluice.key.created.v1', 'sold'),
    ),
    traceparent: fc.string(),
    partitionkey: often(fc.string(), fc.jsonValue()),
    data: fc.oneof(fc.jsonValue({stringUnit: 'binary'}), fc.record({name: fc.string()})),
    extension: often(fc.string(), fc.jsonValue()),
  },
  {requiredKeys: ['specversion', 'id', 'source', 'type']},
);
const bytesEvent = fc
  .oneof(fc.base64String(), fc.string())
  .map(text => ({...event, data_base64: text}));

test('no event, however strange, is a fault of ours, and what is stored is the sender’s', async t => {
  const {post, stored} = await start(t);
  const single = fc.oneof(anyEvent, bytesEvent).map(value => json(value));
  const batch = fc.array(anyEvent, {maxLength: 4}).map(value => json(value, batched));
  const token = fc.stringMatching(/^[a-z0-9]{1,12}$/);
  const binary = fc
    .tuple(fc.dictionary(token, fc.stringMatching(/^[!-~]{0,30}$/)), fc.uint8Array())
    .map(([attributes, body]) => ({
      headers: {
        'ce-specversion': '1.0',
        'ce-id': '1',
        'ce-source': 's',
        'ce-type': 't',
        ...Object.fromEntries(
          Object.entries(attributes).map(([name, value]) => [`ce-${name}`, value]),
        ),
      },
      body: body as Uint8Array<ArrayBuffer>,
    }));
  const junk = fc.string().map(text => json(text));
  const seen = new Set<number>();
  await fc.assert(
    fc.asyncProperty(fc.oneof(single, batch, binary, junk), async request => {
      const {status} = await post(request);
      seen.add(status);
      return status < 500;
    }),
    {numRuns: 1_000},
  );
  t.true(
    [202, 400, 422].every(status => seen.has(status)),
    [...seen].join(),
  );
  for (const row of stored) {
    t.is(row.event.orgid, org);
    t.true(row.event.source.startsWith(`/orgs/${org}/`));
    t.true(row.event.partitionkey === org || row.event.partitionkey?.startsWith(`${org}/`));
  }
});
