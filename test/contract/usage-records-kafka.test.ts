/** Usage of other routers all the way: a topic, the sources of the manifests as processes, the debit and the usage function. */
import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import test from 'ava';
import {Kafka, logLevel} from 'kafkajs';
import {createPool} from '../../events/database.ts';
import {createMetrics} from '../../events/metrics.ts';
import {type BatchHandler, serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {debit} from '../../functions/budget/debit.ts';
import {createPostgresStore as createBudgetStore} from '../../functions/budget/store-postgres.ts';
import {aggregate} from '../../functions/usage/aggregate.ts';
import {createPostgresStore} from '../../functions/usage/store-postgres.ts';
import {org, project} from '../helpers/budget.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';
import {seedTables} from '../helpers/external-usage.ts';
import {testKafka} from '../helpers/kafka.ts';
import {startSourceProcess} from '../helpers/source.ts';

const sourceToken = 'the source token of this test';

/** As a callback of LiteLLM would write it: a few headers and a JSON, the organisation as the key. */
const record = (request: string, more: object = {}, headers: object = {}) => ({
  key: org,
  headers: {
    ce_specversion: '1.0',
    ce_id: randomUUID(),
    ce_source: '/litellm/production',
    ce_type: 'dev.sluice.usage.recorded.v1',
    ce_orgid: org,
    'content-type': 'application/json',
    ...headers,
  },
  value: JSON.stringify({
    request,
    at: new Date().toISOString(),
    model: 'llama-3.1-8b',
    environment: 'production',
    inputTokens: 10,
    outputTokens: 5,
    outcome: 'completed',
    ...more,
  }),
});

test('what another router writes to the topic is charged and recorded once, over a kill -9 of the sources', async t => {
  t.timeout(180_000);
  const kafka = testKafka(t);
  const database = await createTestDatabase(t);
  const root = database.pool('superuser');
  await seedTables(root);
  await root.query(
    `insert into budgets (id, org_id, unit, "limit", period) values ($1, $2, 'usd', 25000, 'month')`,
    [randomUUID(), org],
  );
  const topic = kafka.topic('usage.records.v1');
  await kafka.createTopic(topic, {partitions: 2});

  const pool = createPool({databaseUrl: database.url('system'), name: 'test'});
  const sink = async (name: string, onBatch: BatchHandler) => {
    const server = await serve({
      name,
      host: '127.0.0.1',
      logger: createLogger({name, level: 'silent'}),
      sourceToken,
      onBatch,
    });
    t.teardown(server.close);
    return server.url;
  };
  t.teardown(() => pool.end());
  const sinks = {
    budget: await sink('budget', debit({store: createBudgetStore({pool})})),
    usage: await sink(
      'usage',
      aggregate({store: createPostgresStore(pool), metrics: createMetrics()}),
    ),
  };
  const start = (name: keyof typeof sinks) =>
    startSourceProcess(t, {
      SOURCE_TOPIC: topic,
      SOURCE_GROUP: `${kafka.prefix}${name}-external`,
      SOURCE_BATCH_MAX: '500',
      SOURCE_ORDERED: 'true',
      SOURCE_TOKEN: sourceToken,
      KAFKA_BROKERS: kafka.brokers.join(','),
      DATABASE_URL: database.url('system'),
      K_SINK: sinks[name],
    });
  const producer = new Kafka({brokers: kafka.brokers, logLevel: logLevel.NOTHING}).producer();
  await producer.connect();
  t.teardown(() => producer.disconnect());
  const counts = async () => {
    const {rows} = await root.query(
      `select (select count(*)::int from ledger where entry = 'external') as ledger,
              (select count(*)::int from usage_records) as records,
              (select count(*)::int from dead_letters) as letters`,
    );
    return rows[0];
  };
  const settled = (expected: object) =>
    eventually(async () => assert.deepEqual(await counts(), expected), {
      timeoutMs: 90_000,
      intervalMs: 100,
    });

  const sources = await Promise.all([start('budget'), start('usage')]);
  await producer.send({
    topic,
    messages: [
      record('one', {project}),
      record('one', {project}),
      record('two'),
      record('three', {model: 'nobody knows'}),
      record('four', {}, {ce_orgid: ''}),
    ],
  });
  await settled({ledger: 2, records: 2, letters: 4});
  await Promise.all(sources.map(source => source.kill()));
  await producer.send({topic, messages: [record('two'), record('five')]});
  await Promise.all([start('budget'), start('usage')]);
  await settled({ledger: 3, records: 3, letters: 4});
  const {rows} = await root.query('select spent, overage from windows');
  t.deepEqual(rows, [{spent: '25000', overage: '5000'}]);
});
