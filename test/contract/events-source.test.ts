/** The source program against real Redis, Kafka and PostgreSQL: what it acknowledges, what it keeps, what it passes on. */
import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import {Redis} from 'ioredis';
import {publicationOf} from '../../events/brokers/broker.ts';
import {createKafkaBroker} from '../../events/brokers/kafka/broker.ts';
import {readRedisFields, toBinary, toRedisFields} from '../../events/codec.ts';
import type {Event} from '../../events/event.ts';
import {insertIntoOutbox} from '../../events/outbox.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';
import {testKafka} from '../helpers/kafka.ts';
import {startRedis, testRedis} from '../helpers/redis.ts';
import {type SinkRequest, startSink, startSourceProcess} from '../helpers/source.ts';

const org = '01890000-0000-7000-8000-000000000001';
const event = (id: string, more: object = {}): Event => ({
  specversion: '1.0',
  id,
  source: '/test',
  type: 'test.done',
  orgid: org,
  datacontenttype: 'application/json',
  data: {n: id},
  ...more,
});

const clientOf = (t: ExecutionContext, url: string) => {
  const client = new Redis(url, {protocol: 2});
  client.on('error', () => {});
  t.teardown(() => client.disconnect());
  return client;
};

const append = (client: Redis, stream: string, ...events: Event[]) =>
  Promise.all(
    events.map(one => client.xadd(stream, '*', ...(toRedisFields(one) as [string, string]))),
  );

const pendingOf = async (client: Redis, stream: string, group: string) =>
  ((await client.xpending(stream, group)) as [number])[0];

const lettersIn = async (database: Awaited<ReturnType<typeof createTestDatabase>>) =>
  (
    await database
      .pool('system')
      .query<{event_id: string; reason: string; origin: string; subscription: string}>(
        'select event_id, reason, origin, subscription from dead_letters order by event_id',
      )
  ).rows;

const openRedis = async (
  t: ExecutionContext,
  environment: Record<string, string> = {},
  answer?: Parameters<typeof startSink>[1],
) => {
  const database = await createTestDatabase(t);
  const redis = testRedis(t);
  const sink = await startSink(t, answer);
  const [stream, group] = [`${redis.prefix}in`, `${redis.prefix}group`];
  const settings = {
    K_SINK: sink.url,
    REDIS_URL: redis.url,
    SOURCE_STREAM: stream,
    SOURCE_GROUP: group,
    SOURCE_CONSUMER: 'worker-0',
    SOURCE_BACKOFF_MS: '20',
    DATABASE_URL: database.url('system'),
    ...environment,
  };
  const client = clientOf(t, redis.url);
  return {database, redis, sink, stream, group, settings, client};
};

test('events of a stream arrive one by one in binary mode, and are acknowledged when they were taken', async t => {
  const {client, stream, group, sink, settings} = await openRedis(t, {
    K_CE_OVERRIDES: '{"extensions": {"cluster": "one"}}',
  });
  await append(client, stream, event('1'), event('2', {data: undefined}));
  const source = await startSourceProcess(t, settings);
  await eventually(() => assert.equal(sink.requests.length, 2));
  t.deepEqual(sink.ids().sort(), ['1', '2'], 'what was there before the source is read too');
  for (const {batch, headers} of sink.requests) {
    t.false(batch);
    t.is(headers['ce-cluster'], 'one');
    t.is(headers.prefer, 'reply');
  }
  await eventually(async () => assert.equal(await pendingOf(client, stream, group), 0));
  t.is((await fetch(`${source.url}/healthz`)).status, 200);
  const metrics = await (await fetch(`${source.url}/metrics`)).text();
  t.regex(metrics, /sluice_source_events_total\{.*outcome="done".*\} 2/);
  t.is(await source.stop(), 0);
});

test('batches carry the token; a bad event is kept as a dead letter before it is acknowledged', async t => {
  const {client, stream, group, sink, settings, database} = await openRedis(
    t,
    {SOURCE_BATCH_MAX: '50', SOURCE_TOKEN: 'a token of enough characters'},
    ({events}, response) =>
      events.some(({id}) => id === 'bad') ? response.writeHead(422).end('no') : undefined,
  );
  await append(
    client,
    stream,
    ...Array.from({length: 20}, (_, n) => event(String(n))),
    event('bad'),
  );
  await startSourceProcess(t, settings);
  await eventually(async () => assert.equal((await lettersIn(database)).length, 1));
  await eventually(async () => assert.equal(await pendingOf(client, stream, group), 0));
  t.like((await lettersIn(database))[0], {
    event_id: 'bad',
    reason: 'the answer was 422',
    origin: `stream:${stream}`,
    subscription: group,
  });
  const taken = sink.requests.filter(({events}) => !events.some(({id}) => id === 'bad'));
  t.is(new Set(taken.flatMap(({events}) => events.map(({id}) => id))).size, 20);
  t.true(sink.requests.every(one => one.batch));
  t.true(
    sink.requests.every(one => one.headers.authorization === 'Bearer a token of enough characters'),
  );
});

test('a poisoned event is a dead letter after its attempts, and holds up no other', async t => {
  const {client, stream, sink, settings, database} = await openRedis(
    t,
    {SOURCE_ATTEMPTS_MAX: '3'},
    ({events}, response) =>
      events[0]?.id === 'poison' ? response.writeHead(500).end() : undefined,
  );
  await append(client, stream, event('poison'), event('1'), event('2'));
  await startSourceProcess(t, settings);
  await eventually(async () => assert.equal((await lettersIn(database)).length, 1));
  t.is(sink.ids().filter(id => id === 'poison').length, 3);
  t.deepEqual(
    sink
      .ids()
      .filter(id => id !== 'poison')
      .sort(),
    ['1', '2'],
  );
});

test('events of types that nobody named are passed over, and wait for nothing', async t => {
  const {client, stream, group, sink, settings} = await openRedis(t, {
    SOURCE_TYPES: 'test.wanted, test.also',
  });
  const typed = (id: string, type: string) => event(id, {type});
  await append(
    client,
    stream,
    typed('1', 'test.wanted'),
    typed('2', 'test.wanted.not'),
    typed('3', 'test.also'),
    typed('4', 'test.other'),
  );
  await startSourceProcess(t, settings);
  await eventually(() => assert.deepEqual(sink.ids().sort(), ['1', '3']));
  await eventually(async () => assert.equal(await pendingOf(client, stream, group), 0));
  t.deepEqual(sink.ids().sort(), ['1', '3']);
});

test('while PostgreSQL cannot keep a dead letter its event stays', async t => {
  const {client, stream, group, settings, database} = await openRedis(t, {}, (_request, response) =>
    response.writeHead(422).end(),
  );
  const owner = database.pool('owner');
  await owner.query('alter table dead_letters rename to dead_letters_away');
  await append(client, stream, event('1'));
  const source = await startSourceProcess(t, settings);
  await eventually(() => assert.ok(source.lines.some(line => line.includes('dead_letters'))));
  t.is(await pendingOf(client, stream, group), 1);
  await owner.query('alter table dead_letters_away rename to dead_letters');
  await eventually(async () => assert.equal((await lettersIn(database)).length, 1));
  await eventually(async () => assert.equal(await pendingOf(client, stream, group), 0));
});

const replying = (
  {events}: SinkRequest,
  response: Parameters<NonNullable<Parameters<typeof startSink>[1]>>[1],
) => {
  const {headers, body} = toBinary(event(`reply to ${events[0]?.id}`, {orgid: undefined}));
  response.writeHead(200, headers).end(body);
};

test('a reply is appended to the reply stream, with the tenant of what it answers', async t => {
  const database = await createTestDatabase(t);
  const redis = testRedis(t);
  const sink = await startSink(t, replying);
  const client = clientOf(t, redis.url);
  const [stream, replies] = [`${redis.prefix}in`, `${redis.prefix}notifications`];
  await append(client, stream, event('1'));
  await startSourceProcess(t, {
    K_SINK: sink.url,
    REDIS_URL: redis.url,
    SOURCE_STREAM: stream,
    SOURCE_GROUP: `${redis.prefix}group`,
    REPLY_STREAM: replies,
    HOSTNAME: 'pod-0',
    DATABASE_URL: database.url('system'),
  });
  const [entry] = await eventually(async () => {
    const entries = await client.xrangeBuffer(replies, '-', '+');
    assert.equal(entries.length, 1);
    return entries;
  });
  const reply = readRedisFields((entry as unknown as [Buffer, Buffer[]])[1]);
  t.like(reply, {id: 'reply to 1', orgid: org});
});

test('a reply that has nowhere to go is a dead letter', async t => {
  const {client, stream, group, settings, database} = await openRedis(t, {}, replying);
  await append(client, stream, event('1'));
  await startSourceProcess(t, settings);
  const letters = await eventually(async () => {
    const found = await lettersIn(database);
    assert.equal(found.length, 1);
    return found;
  });
  t.like(letters[0], {event_id: 'reply to 1'});
  t.regex(letters[0]?.reason ?? '', /nowhere to send replies/);
  await eventually(async () => assert.equal(await pendingOf(client, stream, group), 0));
});

test('killed with events in hand, the same consumer takes its own again first', async t => {
  const held: Array<() => void> = [];
  let hold = true;
  const {client, stream, group, sink, settings} = await openRedis(
    t,
    {SOURCE_CONCURRENCY: '2'},
    () => (hold ? new Promise<void>(resolve => held.push(resolve)) : undefined),
  );
  t.teardown(() => {
    for (const release of held) {
      release();
    }
  });
  await append(client, stream, ...['1', '2', '3', '4'].map(id => event(id)));
  const source = await startSourceProcess(t, settings);
  await eventually(() => assert.equal(sink.requests.length, 2, 'never more in flight than asked'));
  await source.kill();
  t.is(await pendingOf(client, stream, group), 2);
  hold = false;
  await startSourceProcess(t, settings);
  await eventually(async () => {
    assert.equal(new Set(sink.ids()).size, 4);
    assert.equal(await pendingOf(client, stream, group), 0);
  });
  t.deepEqual(sink.ids().slice(2, 4).sort(), ['1', '2'], 'its own before what is new');
});

test('without names the stream and the group are those of the documents', async t => {
  const redis = await startRedis(t);
  const database = await createTestDatabase(t);
  const sink = await startSink(t);
  const client = clientOf(t, redis.url);
  await append(client, 'stream:zweistein', event('1'));
  await startSourceProcess(t, {
    K_SINK: sink.url,
    REDIS_URL: redis.url,
    HOSTNAME: 'worker-0',
    DATABASE_URL: database.url('system'),
  });
  await eventually(() => assert.deepEqual(sink.ids(), ['1']));
  const groups = (await client.xinfo('GROUPS', 'stream:zweistein')) as unknown[][];
  t.deepEqual(
    groups.map(group => group[1]),
    ['group:zweistein'],
  );
});

test('a Kafka topic is read in order in batches, and goes on where it was after a kill -9', async t => {
  t.timeout(120_000);
  const kafka = testKafka(t);
  const database = await createTestDatabase(t);
  const sink = await startSink(t);
  const topic = kafka.topic('usage');
  await kafka.createTopic(topic, {partitions: 3});
  const publisher = createKafkaBroker({
    settings: {brokers: kafka.brokers, clientId: 'test'},
    keepDeadLetters: async () => {},
    topicOf: name => name,
    // The machine of a test may be busy.
    sendMs: 20_000,
  });
  t.teardown(() => publisher.close());
  await publisher.declare({topics: [topic], subscriptions: []});
  const publish = (from: number, count: number) =>
    publisher.publish(
      Array.from({length: count}, (_, n) => publicationOf(topic, event(String(from + n)))),
    );
  const settings = {
    K_SINK: sink.url,
    KAFKA_BROKERS: kafka.brokers.join(','),
    SOURCE_TOPIC: topic,
    SOURCE_GROUP: kafka.topic('group'),
    SOURCE_BATCH_MAX: '100',
    SOURCE_ORDERED: 'true',
    DATABASE_URL: database.url('system'),
  };
  await publish(0, 250);
  const source = await startSourceProcess(t, settings);
  await eventually(() => assert.equal(sink.ids().length, 250), {timeoutMs: 30_000});
  t.deepEqual(
    sink.ids(),
    Array.from({length: 250}, (_, n) => String(n)),
  );
  await source.kill();
  await publish(250, 50);
  await startSourceProcess(t, settings);
  await eventually(() => assert.equal(new Set(sink.ids()).size, 300), {timeoutMs: 60_000});
  t.true(sink.requests.every(({batch}) => batch));
});

test('the outbox goes to its Brokers by HTTP and to its logs by Kafka, and one that is away holds up no other', async t => {
  t.timeout(120_000);
  const kafka = testKafka(t);
  const database = await createTestDatabase(t);
  const paths: string[] = [];
  let away = true;
  const sink = await startSink(t, (request, response) => {
    paths.push(request.events[0]?.id ?? '');
    return away ? response.writeHead(503).end() : response.writeHead(202).end();
  });
  const topic = kafka.topic('log');
  await kafka.createTopic(topic, {partitions: 1});
  await insertIntoOutbox(database.pool('system'), [
    {destination: 'broker:default', event: event('hint')},
    {destination: 'broker:default', event: event('refused', {type: 'test.refused'})},
  ]);
  await database
    .pool('superuser')
    .query(
      `insert into outbox (destination, org_id, source, event_id, event) values ($1, $2, '/test', 'truth', $3)`,
      [`log:${topic}`, org, JSON.stringify(event('truth'))],
    );
  await startSourceProcess(t, {
    SOURCE_KIND: 'outbox',
    K_SINK: `${sink.url}/sluice/default`,
    KAFKA_BROKERS: kafka.brokers.join(','),
    DATABASE_URL: database.url('system'),
  });
  const waiting = async () =>
    (
      await database
        .pool('superuser')
        .query<{event_id: string}>('select event_id from outbox order by event_id')
    ).rows.map(row => row.event_id);
  await eventually(async () => assert.deepEqual(await waiting(), ['hint', 'refused']), {
    timeoutMs: 30_000,
  });
  away = false;
  await eventually(async () => assert.deepEqual(await waiting(), []), {timeoutMs: 30_000});
  t.true(paths.includes('hint'));
});

test('a Broker that takes its time is sent each event once, and one that refuses us loses none', async t => {
  t.timeout(180_000);
  const database = await createTestDatabase(t);
  // Longer than a transaction of any other function may be idle.
  const slowMs = 12_000;
  let wrongToken = true;
  const sink = await startSink(t, async ({events}, response) => {
    const id = events[0]?.id;
    if (id === 'slow') {
      await new Promise(resolve => setTimeout(resolve, slowMs));
    } else if (wrongToken || id === 'bad') {
      response.writeHead(id === 'bad' ? 400 : 401).end();
    }
  });
  await insertIntoOutbox(
    database.pool('system'),
    ['slow', 'ours', 'bad'].map(id => ({destination: 'broker:default', event: event(id)})),
  );
  await startSourceProcess(t, {
    SOURCE_KIND: 'outbox',
    K_SINK: `${sink.url}/sluice/default`,
    DATABASE_URL: database.url('system'),
  });
  const waiting = async () =>
    (
      await database
        .pool('superuser')
        .query<{event_id: string}>('select event_id from outbox where destination = $1', [
          'broker:default',
        ])
    ).rows
      .map(row => row.event_id)
      // The relay tells of the dead letter by the same outbox.
      .filter(id => ['slow', 'ours', 'bad'].includes(id));
  await eventually(async () => assert.deepEqual(await waiting(), ['ours']), {timeoutMs: 80_000});
  t.is(sink.ids().filter(id => id === 'slow').length, 1);
  t.deepEqual(
    (await lettersIn(database)).map(letter => letter.event_id),
    ['bad'],
  );
  wrongToken = false;
  await eventually(async () => assert.deepEqual(await waiting(), []), {timeoutMs: 60_000});
});
