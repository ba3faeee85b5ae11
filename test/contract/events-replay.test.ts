/** `sluice events replay` against real Kafka and PostgreSQL: a database that was restored gets back what it had lost. */
import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import {type Admin, Kafka, logLevel} from 'kafkajs';
import pg from 'pg';
import {publicationOf} from '../../events/brokers/broker.ts';
import {createKafkaBroker} from '../../events/brokers/kafka/broker.ts';
import type {Event} from '../../events/event.ts';
import {uuidv7} from '../../events/uuid.ts';
import {runCli} from '../../functions/admin/cli/program.ts';
import {due, org} from '../helpers/budget.ts';
import {readTestPostgres} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';
import {type TestKafka, testKafka} from '../helpers/kafka.ts';
import {makeAccount, makeBooks, sentOf} from '../helpers/verify.ts';

type Books = Awaited<ReturnType<typeof makeBooks>>;

const cli = async (args: string, environment: Record<string, string> = {}) => {
  let out = '';
  let err = '';
  const code = await runCli(['events', 'replay', ...args.split(' ')], {
    environment,
    folder: '/',
    out: text => {
      out += text;
    },
    err: text => {
      err += text;
    },
    terminal: false,
  });
  return {code, out, err};
};

const instant = (ms: number) => new Date(ms).toISOString();
const passes = (ms: number) => eventually(() => assert.ok(Date.now() > ms + 1));

/** The groups of the two functions, with their own handlers. */
const startConsumers = async (
  t: ExecutionContext,
  {brokers, topic}: TestKafka,
  {debitBatch, aggregateBatch}: Books,
) => {
  const broker = createKafkaBroker({
    settings: {brokers, clientId: 'functions'},
    topicOf: topic,
    groupOf: topic,
    times: {sessionMs: 6_000, heartbeatMs: 200, commitMs: 20},
    keepDeadLetters: async () => {},
    onError: error => t.log(String(error)),
  });
  t.teardown(broker.close);
  const handlers = {budget: debitBatch, usage: aggregateBatch};
  await broker.declare({
    subscriptions: Object.keys(handlers).map(name => ({name, topic: 'log', from: 'start'})),
  });
  for (const [name, handler] of Object.entries(handlers)) {
    broker.subscribe(name, {
      batchMax: 50,
      concurrency: 1,
      ordered: true,
      async onBatch(messages) {
        await handler(messages.map(({event}) => event));
        return messages.map(() => ({kind: 'done'}));
      },
    });
  }
  return {
    publish: (events: readonly Event[]) =>
      broker.publish(events.map(event => publicationOf('log', event))),
    done: () =>
      eventually(async () => assert.deepEqual([...(await broker.pending()).values()], [0, 0]), {
        timeoutMs: 60_000,
      }),
    close: broker.close,
  };
};

/** All that the two functions keep, but when they kept it. */
const stateOf = async ({root}: Books) => {
  const tables = {
    windows: 'id, spent, leased, overage, ceiling, threshold_reached',
    leases: 'id, state, granted, settled, returned, open',
    requests: 'id, intent, covered',
    ledger:
      'request, entry, input_tokens, output_tokens, cost_nanos, estimated, outcome, charges, month, at',
    usage_records: '*',
    usage_hourly: '*',
    usage_daily: '*',
  };
  const state: Record<string, string[]> = {};
  for (const [table, columns] of Object.entries(tables)) {
    const {rows} = await root.query<{row: string}>(
      `select to_jsonb(one)::text as row from (select ${columns} from ${table}) one order by 1`,
    );
    state[table] = rows.map(({row}) => row);
  }
  return state;
};

/** Copies a database as it is; whoever is connected to either is cut off. */
const copyDatabase = async (from: string, to: string) => {
  const client = new pg.Client({connectionString: readTestPostgres().superuserUrl});
  await client.connect();
  try {
    await client.query(`drop database if exists ${to} with (force)`);
    await eventually(
      async () => {
        await client.query(
          'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1',
          [from],
        );
        await client.query(`create database ${to} template ${from} owner sluice_owner`);
      },
      {timeoutMs: 30_000},
    );
  } finally {
    await client.end();
  }
};

const answers = ({pool, root}: Books) =>
  eventually(async () => {
    await Promise.all([pool.query('select 1'), root.query('select 1')]);
  });

const setUp = async (t: ExecutionContext) => {
  const kafka = testKafka(t);
  await kafka.createTopic(kafka.topic('log'), {partitions: 3});
  const books = await makeBooks(t);
  const accounts = [org, uuidv7(), uuidv7(), uuidv7()].map(owner => makeAccount({org: owner}));
  for (const {window, lease} of accounts) {
    await books.root.query(
      `insert into orgs (id, name) values ($1::uuid, $1::text) on conflict do nothing`,
      [window.org],
    );
    await books.seed([window], [lease]);
  }
  const environment = {KAFKA_BROKERS: kafka.brokers.join(',')};
  const replay = (group: string, from: number, more = '') =>
    cli(
      `--from ${instant(from)} --group ${kafka.topic(group)} --topic ${kafka.topic('log')}${more}`,
      environment,
    );
  return {kafka, books, accounts, replay};
};

/** Some are settled late, after the reconciler, and are corrected; the last are still running. */
const stretch = (
  books: Books,
  accounts: readonly ReturnType<typeof makeAccount>[],
  count: number,
) => {
  const requests = Array.from({length: count}, (_, index) =>
    books.makeRequest({
      amount: 4_000 + index,
      account: accounts[index % accounts.length] as (typeof accounts)[0],
    }),
  );
  const results = requests.map(({result}) => result);
  return {
    first: [...requests.map(({intent}) => intent), ...results.slice(0, count / 2)],
    due: accounts.map(({window}) => due(new Date().toISOString(), window.org)),
    late: results.slice(count / 2, count - 4),
  };
};

test('a restored database gets back what it had lost to the nano-USD, and nothing is doubled', async t => {
  t.timeout(180_000);
  const {kafka, books, accounts, replay} = await setUp(t);
  const name = new URL(books.rootUrl).pathname.slice(1);
  const backup = `${name}_backup`;
  t.teardown(async () => {
    const client = new pg.Client({connectionString: readTestPostgres().superuserUrl});
    await client.connect();
    await client.query(`drop database if exists ${backup} with (force)`);
    await client.end();
  });
  let consumers = await startConsumers(t, kafka, books);
  const handle = async (events: readonly Event[]) => {
    await consumers.publish(events);
    await consumers.done();
  };

  const before = stretch(books, accounts, 60);
  await handle(before.first);
  const since = Date.now();
  await passes(since);
  await handle(before.due);
  await handle(await sentOf(books.root));
  await copyDatabase(name, backup);
  await answers(books);
  const restored = await stateOf(books);

  const after = stretch(books, accounts, 120);
  await handle([...after.first, ...before.late]);
  await handle(after.due);
  await handle(after.late);
  await handle(await sentOf(books.root));
  const full = await stateOf(books);
  t.is(full.usage_records?.length, 180);
  t.true((full.ledger?.length ?? 0) > 200);
  t.false((await books.verify()).broken);

  const live = await replay('budget', since, ' --yes');
  t.is(live.code, 1);
  t.regex(live.err, /is in use by functions at .*: stop its source first/);
  await consumers.close();
  await copyDatabase(backup, name);
  await answers(books);
  t.deepEqual(await stateOf(books), restored);

  const asked = await replay('budget', since);
  t.is(asked.code, 2);
  t.regex(asked.err, /would read \d+ events again: give --yes/);
  t.regex(asked.out, /^PARTITION +COMMITTED +TARGET +EVENTS\n/);
  const dry = await replay('budget', since, ' --dry-run --json');
  t.is(dry.code, 0);
  const plan = JSON.parse(dry.out);
  t.false(plan.applied);
  t.is(plan.partitions.length, 3);
  t.true(plan.events > 240);

  for (const group of ['budget', 'usage']) {
    const {code, out, err} = await replay(group, since, ' --yes --json');
    t.is(code, 0, err);
    t.like(JSON.parse(out), {applied: true, events: plan.events});
    t.is(JSON.parse((await replay(group, since, ' --dry-run --json')).out).events, 0);
  }
  consumers = await startConsumers(t, kafka, books);
  await consumers.done();
  t.deepEqual(await stateOf(books), full);
  const report = await books.verify();
  t.deepEqual(report.findings, []);

  await consumers.close();
  t.is((await replay('budget', since, ' --yes')).code, 0);
  t.is((await replay('usage', since - 60_000, ' --yes')).code, 0);
  consumers = await startConsumers(t, kafka, books);
  await consumers.done();
  t.deepEqual(await stateOf(books), full, 'a replay that nobody needed changes nothing');
});

/** The second event of each partition that has two. */
const beginnings = async (admin: Admin, topic: string) =>
  (await admin.fetchTopicOffsets(topic)).flatMap(({partition, high}) =>
    Number(high) > 1 ? [{partition, offset: '1'}] : [],
  );

const administrate = async (t: ExecutionContext, {brokers}: TestKafka) => {
  const admin = new Kafka({brokers: [...brokers], logLevel: logLevel.NOTHING}).admin();
  t.teardown(() => admin.disconnect());
  await admin.connect();
  return admin;
};

test('what Kafka has thrown away is refused with the earliest time that it still has', async t => {
  t.timeout(180_000);
  const {kafka, books, accounts, replay} = await setUp(t);
  const topic = kafka.topic('log');
  const consumers = await startConsumers(t, kafka, books);
  await consumers.publish(stretch(books, accounts, 40).first);
  await consumers.done();
  await consumers.close();
  const hourAgo = Date.now() - 3_600_000;
  t.is((await replay('budget', hourAgo, ' --dry-run')).code, 0);

  const admin = await administrate(t, kafka);
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{type: 2, name: topic, configEntries: [{name: 'retention.ms', value: '600000'}]}],
  });
  await admin.deleteTopicRecords({topic, partitions: await beginnings(admin, topic)});
  const refused = await replay('budget', hourAgo, ' --yes');
  t.is(refused.code, 1);
  const earliest = Date.parse(/the earliest time is (\S+)/.exec(refused.err)?.[1] ?? '');
  t.true(earliest > hourAgo && earliest < Date.now());
  t.is((await replay('budget', earliest, ' --dry-run')).code, 0);
});

test('without Kafka, without the topic, without the group or with a wrong time it says what is missing', async t => {
  const kafka = testKafka(t);
  const environment = {KAFKA_BROKERS: kafka.brokers.join(',')};
  const from = '--from 2026-11-21T10:00:00Z';
  const past = `--from ${instant(Date.now() - 1_000)}`;
  const none = await cli(`${past} --group budget --yes`);
  t.is(none.code, 2);
  t.regex(none.err, /KAFKA_BROKERS is not set.*keeps nothing once it was handled/);
  t.is((await cli(`${past} --group a --topic ${kafka.topic('none')}`, environment)).code, 5);
  await kafka.createTopic(kafka.topic('log'));
  const nobody = await cli(
    `${past} --group ${kafka.topic('a')} --topic ${kafka.topic('log')} --yes`,
    environment,
  );
  t.is(nobody.code, 5);
  t.regex(nobody.err, /has committed nothing/);
  t.is((await cli(`${from.slice(0, -1)} --group budget`, environment)).code, 2);
  t.is((await cli(`--from ${instant(Date.now() + 60_000)} --group budget`, environment)).code, 2);
  t.is((await cli('--group budget', environment)).code, 2);
  const faulty = await cli(`${past} --group budget`, {KAFKA_BROKERS: 'nowhere'});
  t.regex(faulty.err, /KAFKA_BROKERS: expected host:port/);
});
