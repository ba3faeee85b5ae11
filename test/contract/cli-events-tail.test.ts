import assert from 'node:assert/strict';
import test from 'ava';
import {Kafka, logLevel} from 'kafkajs';
import {toKafkaRecord} from '../../events/codec.ts';
import type {Event} from '../../events/event.ts';
import {adminKey} from '../helpers/admin-server.ts';
import {createCli, normal, startAdminWithCli} from '../helpers/cli.ts';
import {eventually} from '../helpers/eventually.ts';
import {testKafka} from '../helpers/kafka.ts';

const org = '0192f0c1-7a00-7000-8000-00000000000a';
const other = '0192f0c1-7a00-7000-8000-00000000000b';
const event = (id: string, more: Partial<Event> = {}): Event => ({
  specversion: '1.0',
  id,
  source: '/functions/test',
  type: 'dev.sluice.inference.finished.v1',
  time: '2026-11-21T10:00:00.000Z',
  orgid: org,
  ...more,
});

test('Kafka is read from now on and from a time on, by a group that is gone afterwards', async t => {
  t.timeout(180_000);
  const {brokers, topic, createTopic} = testKafka(t);
  const name = topic('log');
  await createTopic(name, {partitions: 3});
  const kafka = new Kafka({brokers, logLevel: logLevel.NOTHING});
  const producer = kafka.producer();
  const admin = kafka.admin();
  await Promise.all([producer.connect(), admin.connect()]);
  t.teardown(() => Promise.all([producer.disconnect(), admin.disconnect()]));
  const send = (...events: Event[]) =>
    producer.send({topic: name, messages: events.map(one => toKafkaRecord(one))});
  await send(event('old'));

  const interrupt = new AbortController();
  const written = {out: '', err: ''};
  const environment = {KAFKA_BROKERS: brokers.join(','), HOME: '/nowhere'};
  const following = createCli({
    environment,
    interrupted: () => interrupt.signal,
    out: text => {
      written.out += text;
    },
    err: text => {
      written.err += text;
    },
  });
  const running = following.run(
    'events',
    'tail',
    '--topic',
    name,
    '--org',
    org,
    '--type',
    'finished',
  );
  await eventually(() => assert.match(written.err, /listening/), {timeoutMs: 60_000});
  await send(
    event('mine', {subject: 'request-1'}),
    event('theirs', {orgid: other}),
    event('another', {type: 'dev.sluice.inference.started.v1'}),
  );
  await eventually(() => assert.match(written.out, /mine/), {timeoutMs: 60_000});
  const groups = (await admin.listGroups()).groups.map(({groupId}) => groupId);
  t.true(groups.some(group => group.startsWith('sluice-tail-')));
  interrupt.abort();
  t.is((await running).code, 0);
  t.is(
    written.out,
    `2026-11-21T10:00:00.000Z  dev.sluice.inference.finished.v1  org=${org}  subject=request-1  id=mine\n`,
  );

  await producer.send({topic: name, messages: [{value: 'no event'}]});
  const {run} = createCli({environment});
  const all = await run(
    'events',
    'tail',
    '--topic',
    name,
    '--since',
    '2026-01-01',
    '--count',
    '4',
    '--json',
  );
  t.is(all.code, 0, all.err);
  const ids = all.out
    .trim()
    .split('\n')
    .map(line => (JSON.parse(line) as Event).id);
  t.deepEqual(ids.sort(), ['another', 'mine', 'old', 'theirs']);
  await eventually(
    async () => {
      const left = (await admin.listGroups()).groups.filter(({groupId}) =>
        groupId.startsWith('sluice-tail-'),
      );
      assert.deepEqual(left, []);
    },
    {timeoutMs: 30_000, intervalMs: 200},
  );
});

test('a topic that is not there, a Kafka that is away and a wrong time are told', async t => {
  t.timeout(120_000);
  const {brokers, topic} = testKafka(t);
  const {run} = createCli({environment: {KAFKA_BROKERS: brokers.join(','), HOME: '/nowhere'}});
  const missing = await run('events', 'tail', '--topic', topic('nothing'));
  t.is(missing.code, 5);
  t.regex(missing.err, /^sluice: there is no topic test-[0-9a-f]+-nothing; there are /);
  const wrong = await run('events', 'tail', '--since', 'yesterday');
  t.deepEqual(
    [wrong.code, wrong.err],
    [2, 'sluice: --since: expected an RFC 3339 instant or a date, got "yesterday"\n'],
  );
  const away = createCli({environment: {KAFKA_BROKERS: '127.0.0.1:9', HOME: '/nowhere'}});
  const none = await away.run('events', 'tail');
  t.is(none.code, 3);
  t.regex(none.err, /^sluice: Kafka: /);
});

test('without Kafka the rows that events leave are shown, and that is said', async t => {
  const {run} = await startAdminWithCli(t);
  await run('org', 'create', 'acme');
  await run('org', 'create', 'other');
  const both = await run('events', 'tail', '--count', '2');
  t.is(both.code, 0, both.err);
  t.is(
    normal(both.out),
    `TIME  change.createOrg  org=ID1  subject=ID1
TIME  change.createOrg  org=ID2  subject=ID2
`,
  );
  t.regex(both.err, /^KAFKA_BROKERS is not set: without Kafka events are kept nowhere/);
  const one = await run(
    'events',
    'tail',
    '--org',
    'other',
    '--type',
    'change',
    '--count',
    '1',
    '--json',
  );
  const row = JSON.parse(one.out) as {type: string; row: {after: {name: string}}};
  t.is(row.type, 'change.createOrg');
  t.is(row.row.after.name, 'other');
  const topics = await run('events', 'tail', '--topic', 'x');
  t.deepEqual(
    [topics.code, topics.err],
    [2, 'sluice: --topic and --since are for Kafka, and KAFKA_BROKERS is not set\n'],
  );
  t.is((await run('events', 'tail', '--csv')).code, 2);
  t.is((await run('events', 'tail', '--count', 'many')).code, 2);
});

test('what comes while it is followed is shown once, oldest first, until it is interrupted', async t => {
  const interrupt = new AbortController();
  const written: string[] = [];
  const {admin, run} = await startAdminWithCli(t);
  await run('org', 'create', 'acme');
  let looks = 0;
  const wait = async () => {
    looks += 1;
    if (looks === 1) {
      await run('org', 'update', 'acme', '--requests', '60');
    } else {
      interrupt.abort();
    }
  };
  const follow = createCli({
    environment: {SLUICE_URL: admin.url, SLUICE_ADMIN_KEY: adminKey, HOME: '/nowhere'},
    interrupted: () => interrupt.signal,
    wait,
    out: text => written.push(text),
  });
  t.is((await follow.run('audit', 'list', '--follow', '--org', 'acme')).code, 0);
  t.deepEqual(
    written.map(line => normal(line)),
    [
      'TIME  admin key  createOrg  org  acme  new\n',
      'TIME  admin key  changeOrg  org  acme  requestsPerMinute: none -> 60\n',
    ],
  );
});
