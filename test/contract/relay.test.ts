/**
Relay and delivery on PostgreSQL: from the row that a producer commits to the request that a function gets.
*/
import type {IncomingHttpHeaders, ServerResponse} from 'node:http';
import test, {type ExecutionContext} from 'ava';
import pg from 'pg';
import {createMemoryBroker} from '../../events/brokers/memory.ts';
import {installPostgresBroker} from '../../events/brokers/postgres/broker.ts';
import {readHttp, toBinary} from '../../events/codec.ts';
import {keepDeadLettersIn} from '../../events/dead-letters.ts';
import type {Event} from '../../events/event.ts';
import {insertIntoOutbox, type OutboxRow} from '../../events/outbox.ts';
import {type Left, startRelay} from '../../events/relay.ts';
import {createLogger} from '../../events/telemetry.ts';
import {startEventing} from '../../knative/local/eventing/eventing.ts';
import {matches} from '../../knative/local/eventing/filter.ts';
import {parseManifests} from '../../knative/local/plan/manifests.ts';
import {makePlan} from '../../knative/local/plan/plan.ts';
import {createTestDatabase, type TestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';
import {enterAt} from '../helpers/gates.ts';
import {createHttpTestServer} from '../helpers/http.ts';

const manifests = `
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: sink}
spec: {template: {spec: {containers: [{image: sluice}]}}}
---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: asked}
spec:
  broker: default
  filter: {attributes: {type: test.asked}}
  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: sink}, uri: /asked}
  delivery: {retry: 2, backoffPolicy: exponential, backoffDelay: PT0.02S}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: answered}
spec:
  broker: default
  filters: [{exact: {type: test.answered}}]
  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: sink}, uri: /answered}
---
apiVersion: sources.knative.dev/v1
kind: ContainerSource
metadata: {name: first}
spec:
  sink: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: sink}, uri: /first}
  template: {spec: {containers: [{image: sluice, env: [{name: SOURCE_TOPIC, value: sluice.usage}, {name: SOURCE_TOKEN, valueFrom: {secretKeyRef: {name: s, key: k}}}]}]}}
---
apiVersion: sources.knative.dev/v1
kind: ContainerSource
metadata: {name: second}
spec:
  sink: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: sink}, uri: /second}
  template: {spec: {containers: [{image: sluice, env: [{name: SOURCE_TOPIC, value: sluice.usage}]}]}}
`;
const plan = makePlan(parseManifests([{file: 'test.yaml', text: manifests}]));
const sourceToken = 'a-source-token-of-the-test';
const org = '01890000-0000-7000-8000-000000000001';
const otherOrg = '01890000-0000-7000-8000-000000000002';

const event = (id: string, type = 'test.done', orgid = org): Event => ({
  specversion: '1.0',
  id,
  source: '/test',
  type,
  orgid,
  data: {n: id},
});
const log = (id: string, barrier = false, orgid = org): OutboxRow => ({
  destination: 'log:sluice.usage',
  event: event(id, 'test.done', orgid),
  barrier,
});

const open = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  const pool = new pg.Pool({connectionString: database.url('system'), max: 8});
  pool.on('error', () => {});
  t.teardown(() => pool.end());
  return {database, pool};
};

/** A relay into a memory broker whose subscriptions note what they get. */
const openRelay = async (
  t: ExecutionContext,
  {
    fail = 0,
    prepare = async () => {},
  }: {fail?: number; prepare?: (database: TestDatabase) => Promise<void>} = {},
) => {
  const {database, pool} = await open(t);
  await prepare(database);
  const keepDeadLetters = keepDeadLettersIn(pool);
  const memory = createMemoryBroker({keepDeadLetters: async () => {}});
  await memory.declare({
    topics: ['broker:default'],
    subscriptions: plan.subscriptions.map(({name, origin, filter}) => ({
      name,
      topic: origin,
      wants: event => matches(filter, event),
    })),
  });
  const seen: Record<string, string[]> = {};
  for (const {name} of plan.subscriptions) {
    seen[name] = [];
    memory.subscribe(name, {
      batchMax: 100,
      concurrency: 1,
      async onBatch(messages) {
        seen[name]?.push(...messages.map(message => message.event.id));
        return messages.map(() => ({kind: 'done'}));
      },
    });
  }
  const topics = new Set(['broker:default', ...plan.subscriptions.map(({origin}) => origin)]);
  let failures = fail;
  const errors: Error[] = [];
  const relay = await startRelay({
    pool,
    keepDeadLetters,
    knows: destination => topics.has(destination),
    onError: error => errors.push(error),
    // Far longer than the test: what arrives was notified.
    pollMs: fail > 0 ? 20 : 60_000,
    failureMs: 20,
    async publish(publications) {
      failures -= 1;
      if (failures >= 0) {
        throw new Error('the broker is away');
      }
      await memory.publish(publications);
      return new Map();
    },
  });
  t.teardown(async () => {
    await relay.close();
    await memory.close();
  });
  return {database, pool, seen, errors};
};

const outboxRows = async (database: TestDatabase) =>
  (
    await database
      .pool('system')
      .query<{event_id: string}>('select event_id from outbox order by id')
  ).rows.map(row => row.event_id);

const becomes = <Value>(t: ExecutionContext, read: () => Value | Promise<Value>, expected: Value) =>
  eventually(async () => {
    const value = await read();
    if (JSON.stringify(value) !== JSON.stringify(expected)) {
      throw new Error(`expected ${JSON.stringify(expected)}, got ${JSON.stringify(value)}`);
    }
    t.deepEqual(value, expected);
  });

test('a row of a log goes to each of its sources, a row of a broker to the Triggers that want it', async t => {
  const {database, seen} = await openRelay(t);
  await insertIntoOutbox(database.pool('gateway'), [
    log('1'),
    {destination: 'broker:default', event: event('2', 'test.asked')},
    {destination: 'broker:default', event: event('3', 'test.unwanted')},
  ]);
  await becomes(t, () => outboxRows(database), []);
  await becomes(t, () => seen, {
    'trigger/default/asked': ['2'],
    'trigger/default/answered': [],
    'source/sluice.usage/first': ['1'],
    'source/sluice.usage/second': ['1'],
  });
});

test('what a producer rolled back is never relayed', async t => {
  const {database, seen} = await openRelay(t);
  const client = await database.pool('gateway').connect();
  await client.query('begin');
  await insertIntoOutbox(client, [log('rolled back')]);
  await client.query('rollback');
  client.release();
  await insertIntoOutbox(database.pool('gateway'), [log('committed')]);
  await becomes(t, () => seen['source/sluice.usage/first'], ['committed']);
});

test('a row stays in the outbox until its deliveries are stored', async t => {
  const {database, seen, errors} = await openRelay(t, {fail: 2});
  await insertIntoOutbox(database.pool('gateway'), [log('1'), log('2')]);
  await becomes(t, () => seen['source/sluice.usage/first'], ['1', '2']);
  await becomes(t, () => outboxRows(database), []);
  t.deepEqual(
    errors.map(error => error.message),
    ['the broker is away', 'the broker is away'],
  );
});

test('a marker stays in the outbox until no older row of its organisation is left there', async t => {
  const {promise: holding, resolve: hold} = Promise.withResolvers<pg.PoolClient>();
  const {database, seen} = await openRelay(t, {
    async prepare(database) {
      const system = database.pool('system');
      await insertIntoOutbox(system, [
        log('held'),
        log('marker', true),
        log('other marker', true, otherOrg),
        log('younger'),
      ]);
      // A row that another process has in hand is skipped by the relay, but is still there.
      const holder = await system.connect();
      await holder.query('begin');
      await holder.query("select from outbox where event_id = 'held' for update");
      hold(holder);
    },
  });
  await becomes(t, () => seen['source/sluice.usage/first'], ['other marker', 'younger']);
  // The memory broker has them a moment before the relay's transaction is over.
  await becomes(t, () => outboxRows(database), ['held', 'marker']);
  const holder = await holding;
  await holder.query("select pg_notify('sluice_outbox', '')");
  await holder.query('commit');
  holder.release();
  await becomes(t, () => seen['source/sluice.usage/first']?.slice(2), ['held', 'marker']);
});

test('several relays share the outbox: each row goes out once', async t => {
  const {database, pool} = await open(t);
  const seen: string[] = [];
  const shares = [0, 0, 0];
  const relays = await Promise.all(
    shares.map((_, index) =>
      startRelay({
        pool,
        keepDeadLetters: keepDeadLettersIn(pool),
        onError: error => t.fail(error.message),
        rowsMax: 20,
        async publish(publications) {
          const ids = publications.map(({json}) => (JSON.parse(json) as Event).id);
          seen.push(...ids);
          shares[index] = (shares[index] ?? 0) + ids.length;
          // Time for the others to look for rows meanwhile.
          await new Promise(resolve => setImmediate(resolve));
          return new Map();
        },
      }),
    ),
  );
  t.teardown(() => Promise.all(relays.map(relay => relay.close())));
  const ids = Array.from({length: 1_000}, (_, index) => `e${index}`);
  for (let at = 0; at < ids.length; at += 100) {
    await insertIntoOutbox(
      database.pool('gateway'),
      ids.slice(at, at + 100).map(id => log(id)),
    );
  }
  await becomes(t, () => outboxRows(database), []);
  t.is(seen.length, 1_000);
  t.deepEqual([...seen].sort(), [...ids].sort());
  // Counted after the commit, which another connection sees before.
  await becomes(t, () => relays.reduce((sum, relay) => sum + relay.relayed(), 0), 1_000);
});

test('what a relay published and died before it removed is published again', async t => {
  const {database, pool} = await open(t);
  const seen: string[] = [];
  let dying = true;
  const relay = await startRelay({
    pool,
    keepDeadLetters: keepDeadLettersIn(pool),
    onError: () => {},
    failureMs: 20,
    async publish(publications, client) {
      seen.push(...publications.map(({json}) => (JSON.parse(json) as Event).id));
      if (dying) {
        dying = false;
        // As a kill -9 between the publication and the commit leaves it: the connection ends, nothing is removed.
        const {rows} = await client.query<{pid: number}>('select pg_backend_pid() as pid');
        await database.pool('superuser').query('select pg_terminate_backend($1)', [rows[0]?.pid]);
      }
      return new Map();
    },
  });
  t.teardown(() => relay.close());
  await insertIntoOutbox(database.pool('gateway'), [log('1'), log('2')]);
  await becomes(t, () => outboxRows(database), []);
  t.deepEqual(seen, ['1', '2', '1', '2']);
});

test('what a destination refuses is a dead letter, what it cannot take now stays', async t => {
  const {database, pool} = await open(t);
  let away = true;
  const relay = await startRelay({
    pool,
    keepDeadLetters: keepDeadLettersIn(pool),
    onError: () => {},
    failureMs: 20,
    async publish(publications) {
      return new Map(
        publications.flatMap(({json}, index): [number, Left][] => {
          const {id} = JSON.parse(json) as Event;
          if (id === 'refused') {
            return [[index, {kind: 'refused', reason: 'no such type', status: 400}]];
          }
          return id === 'later' && away ? [[index, {kind: 'kept'}]] : [];
        }),
      );
    },
  });
  t.teardown(() => relay.close());
  await insertIntoOutbox(database.pool('gateway'), [log('taken'), log('refused'), log('later')]);
  await becomes(t, () => outboxRows(database), ['later']);
  const {rows} = await pool.query('select event_id, reason, status from dead_letters');
  t.deepEqual(rows, [{event_id: 'refused', reason: 'no such type', status: 400}]);
  away = false;
  await becomes(t, () => outboxRows(database), []);
});

test('a row that nothing reads becomes a dead letter and holds up no other', async t => {
  const {database, pool, seen} = await openRelay(t);
  const odd = {...event('odd'), orgid: 'no uuid', data: 'nul \0 and half \ud800'};
  await database.pool('superuser').query(
    `insert into outbox (destination, source, event_id, event) values
       ('log:nobody', '/test', 'a', $1), ('broker:nobody', '/test', 'b', $2), ('broker:default', '/test', 'c', '{"no": "event"}')`,
    [JSON.stringify(odd), JSON.stringify(event('b'))],
  );
  await insertIntoOutbox(database.pool('gateway'), [log('1')]);
  await becomes(t, () => seen['source/sluice.usage/first'], ['1']);
  const {rows} = await pool.query(
    'select subscription, destination, reason, event_id, org_id from dead_letters order by event_id desc nulls last',
  );
  t.like(rows, {
    length: 3,
    0: {
      subscription: 'relay',
      destination: 'log:nobody',
      reason: 'nothing reads log:nobody',
      event_id: 'odd',
      org_id: null,
    },
    1: {destination: 'broker:nobody', event_id: 'b', org_id: org},
    2: {destination: 'broker:default', event_id: null},
  });
});

type Received = {path: string; headers: IncomingHttpHeaders; events: Event[]};

/** The whole way, with a function that answers as `answer` says. */
const openEventing = async (
  t: ExecutionContext,
  answer: (received: Received, response: ServerResponse) => void,
) => {
  const {database, pool} = await open(t);
  await installPostgresBroker({databaseUrl: database.url('owner')});
  const received: Received[] = [];
  const sink = await createHttpTestServer(t, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk);
    }
    const one = {
      path: request.url ?? '',
      headers: request.headers,
      events: readHttp(request.headers, Buffer.concat(chunks)).events,
    };
    received.push(one);
    answer(one, response);
  });
  const eventing = await startEventing({
    plan,
    pools: {system: pool},
    enter: enterAt(name => (name === 'sink' ? sink.url : undefined)),
    brokersUrl: 'http://127.0.0.1:1',
    sourceToken,
    logger: createLogger({name: 'test', level: 'silent'}),
  });
  t.teardown(() => eventing.close());
  const ingress = await createHttpTestServer(t, eventing.brokerIngress);
  const at = (path: string) => received.filter(one => one.path === path);
  const settled = () =>
    eventually(async () => {
      // In this order: an event moves from the one to the other.
      const rows = await outboxRows(database);
      const {pending} = await eventing.stats();
      const left = Object.values(pending).reduce((sum, count) => sum + count, rows.length);
      if (left > 0) {
        throw new Error(`${left} events are left`);
      }
    });
  return {database, pool, eventing, received, at, settled, ingressUrl: ingress.url};
};

const done = (_received: Received, response: ServerResponse) => void response.writeHead(204).end();

test('events of the log arrive in batches, with the token where the manifest has it', async t => {
  const {database, at, settled} = await openEventing(t, done);
  const ids = Array.from({length: 300}, (_, index) => `e${index}`);
  await insertIntoOutbox(
    database.pool('gateway'),
    ids.map(id => log(id)),
  );
  await settled();
  for (const path of ['/first', '/second']) {
    const batches = at(path);
    t.deepEqual(
      batches.flatMap(({events}) => events.map(({id}) => id)),
      ids,
      'all of them, in order',
    );
    t.true(batches.length < 20);
    t.is(batches[0]?.headers['content-type'], 'application/cloudevents-batch+json');
  }
  t.is(at('/first')[0]?.headers.authorization, `Bearer ${sourceToken}`);
  t.is(at('/second')[0]?.headers.authorization, undefined);
});

test('an event of the log waits out a function that fails, and arrives', async t => {
  let failures = 3;
  const {database, at, settled} = await openEventing(t, ({path}, response) => {
    if (path === '/first' && failures > 0) {
      failures -= 1;
      response.writeHead(failures === 1 ? 401 : 503).end();
    } else {
      done({} as Received, response);
    }
  });
  await insertIntoOutbox(database.pool('gateway'), [log('1'), log('2')]);
  await settled();
  t.is(at('/first').length, 4);
  t.is(at('/second').length, 1, 'the other source was not held up');
});

test('a batch that a function calls bad is halved down to the culprit, which is kept', async t => {
  const {database, pool, at, settled} = await openEventing(t, ({path, events}, response) => {
    const bad = path === '/first' && events.some(({id}) => id === 'e13');
    response.writeHead(bad ? 422 : 204).end(bad ? 'the data is not what it should be' : '');
  });
  await insertIntoOutbox(
    database.pool('gateway'),
    Array.from({length: 32}, (_, index) => log(`e${index}`)),
  );
  await settled();
  const {rows} = await pool.query(
    'select org_id, subscription, destination, event_id, type, attempts, reason, error_data, status, event from dead_letters',
  );
  t.deepEqual(rows, [
    {
      org_id: org,
      subscription: 'source/sluice.usage/first',
      destination: 'sink/first',
      event_id: 'e13',
      type: 'test.done',
      attempts: 1,
      reason: 'the answer was 422',
      error_data: 'the data is not what it should be',
      status: 422,
      event: event('e13'),
    },
  ]);
  const taken = at('/first')
    .filter(({events}) => events.every(({id}) => id !== 'e13'))
    .flatMap(({events}) => events);
  t.is(taken.length, 31);
});

test("a Trigger's reply goes back to the broker, with the trace of what it answers", async t => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const {database, at, settled} = await openEventing(t, ({path}, response) => {
    if (path === '/asked') {
      const {headers, body} = toBinary(event('reply', 'test.answered'));
      response.writeHead(200, headers).end(body);
    } else {
      done({} as Received, response);
    }
  });
  await insertIntoOutbox(database.pool('gateway'), [
    {destination: 'broker:default', event: {...event('1', 'test.asked'), traceparent}},
  ]);
  await becomes(t, () => at('/answered').length, 1);
  await settled();
  const [asked] = at('/asked');
  t.like(asked?.headers, {prefer: 'reply', 'kn-namespace': 'default', 'ce-type': 'test.asked'});
  t.regex(String(asked?.headers.traceparent), /^00-0af7651916cd43dd8448eb211c80319c-/);
  t.is(asked?.headers['ce-knativebrokerttl'], undefined);
  t.deepEqual(at('/answered')[0]?.events, [
    {...event('reply', 'test.answered'), traceparent, datacontenttype: 'application/json'},
  ]);
});

test('a Trigger out of retries leaves a dead letter', async t => {
  const {database, pool, at, settled} = await openEventing(
    t,
    (_received, response) => void response.writeHead(500).end(),
  );
  await insertIntoOutbox(database.pool('gateway'), [
    {destination: 'broker:default', event: event('1', 'test.asked')},
  ]);
  await becomes(t, () => at('/asked').length, 3);
  await settled();
  const {rows} = await pool.query(
    'select subscription, event_id, attempts, status, reason from dead_letters',
  );
  t.deepEqual(rows, [
    {
      subscription: 'trigger/default/asked',
      event_id: '1',
      attempts: 3,
      status: 500,
      reason: 'the answer was 500',
    },
  ]);
});

test('functions that answer each other are stopped', async t => {
  const {ingressUrl, at, settled} = await openEventing(t, ({events, path}, response) => {
    if (path === '/asked') {
      const {headers, body} = toBinary(event(`${events[0]?.id}+`, 'test.asked'));
      response.writeHead(200, headers).end(body);
    } else {
      done({} as Received, response);
    }
  });
  const {headers, body} = toBinary({...event('1', 'test.asked'), knativebrokerttl: 4});
  const response = await fetch(`${ingressUrl}/default/default`, {method: 'POST', headers, body});
  t.is(response.status, 202);
  await settled();
  // The pass that would leave no hop is not made, as on Knative.
  t.is(at('/asked').length, 3);
});

test("the broker's ingress takes events and nothing else", async t => {
  const {ingressUrl, at, settled} = await openEventing(t, done);
  const structured = {
    method: 'POST',
    headers: {'content-type': 'application/cloudevents+json; charset=UTF-8'},
  };
  const post = (path: string, init: RequestInit) => fetch(`${ingressUrl}${path}`, init);
  const body = JSON.stringify(event('1', 'test.asked'));
  t.is((await post('/default/default', {...structured, body})).status, 202);
  t.is((await post('/default/default', {...structured, body: '{'})).status, 400);
  t.is(
    (await post('/default/default', {...structured, body: '{"specversion":"1.0"}'})).status,
    400,
  );
  t.is((await post('/default/default', {method: 'POST', body: 'hello'})).status, 400);
  t.is((await post('/default/other', {...structured, body})).status, 404);
  t.is((await post('/default', {...structured, body})).status, 404);
  t.is((await post('/other/default', {...structured, body})).status, 404);
  const got = await post('/default/default', {method: 'GET'});
  t.is(got.status, 405);
  t.is(got.headers.get('allow'), 'POST, OPTIONS');
  t.is(
    (await post('/default/default', {method: 'POST', body: 'x'.repeat(11 * 1024 * 1024)})).status,
    413,
  );
  await settled();
  t.is(at('/asked').length, 1);
});

test("no tenant and no gateway reaches the broker's tables", async t => {
  const {database} = await openEventing(t, done);
  for (const role of ['tenant', 'gateway'] as const) {
    await t.throwsAsync(database.pool(role).query('select from pgboss.job'), {
      message: /permission denied/,
    });
  }
  await t.throwsAsync(database.pool('system').query('drop table pgboss.job'), {
    message: /must be owner/,
  });
});
