/**
Promise 6: a canary in prompts and answers is found in no store or stream afterwards, nor in a log, a metric or a span, whatever
became of the request. The search is shown to work: a second canary is planted everywhere, and found everywhere.
*/
import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import {Redis} from 'ioredis';
import {Kafka, logLevel} from 'kafkajs';
import {createAdmin, type LedgerView} from '../helpers/admin.ts';
import {asSuperuser} from '../helpers/books.ts';
import {
  isIn,
  makeCanary,
  readMetrics,
  searchFiles,
  searchKafka,
  searchPostgres,
  searchRedis,
} from '../helpers/canary.ts';
import {startCanaryModel} from '../helpers/canary-model.ts';
import {askEverything, createClient, modelName, prompts} from '../helpers/canary-requests.ts';
import {eventually} from '../helpers/eventually.ts';
import {createHttpTestServer} from '../helpers/http.ts';
import {startKafka} from '../helpers/kafka.ts';
import {startRedis} from '../helpers/redis.ts';
import {startSluice} from '../helpers/sluice.ts';

/** Keeps whatever is sent to it. */
const startCollector = async (t: ExecutionContext) => {
  const bodies: string[] = [];
  const {url} = await createHttpTestServer(t, async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) {
      parts.push(part as Buffer);
    }
    bodies.push(Buffer.concat(parts).toString('utf8'));
    response.end('{}');
  });
  return {
    bodies,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_LOGS_EXPORTER: 'none',
      OTEL_BSP_SCHEDULE_DELAY: '100',
      OTEL_METRIC_EXPORT_INTERVAL: '500',
      OTEL_METRIC_EXPORT_TIMEOUT: '500',
      LOG_LEVEL: 'debug',
      REQUEST_TIMEOUT_MS: '6000',
      UNSETTLED_GRACE_MS: '500',
      LEASE_TTL_MS: '8000',
    },
  };
};

const setUp = async (t: ExecutionContext, env: Record<string, string> = {}) => {
  const canary = makeCanary('canary');
  const collector = await startCollector(t);
  const model = await startCanaryModel(t, {name: modelName, answers: canary});
  const sluice = await startSluice(t, {env: {...collector.env, ...env}, timeoutMs: 120_000});
  const admin = createAdmin(sluice);
  await admin.post('/models', {
    name: modelName,
    environment: sluice.environment,
    endpoints: [model.url],
    contextLength: 4_096,
    price: {inputPerMillion: '0.50', outputPerMillion: '1.50'},
  });
  return {canary, collector, sluice, admin};
};
type World = Awaited<ReturnType<typeof setUp>>;

/** A result that the debit can never book: its window is somebody else's by then. */
const askForADeadLetter = async ({canary, sluice, admin}: World) => {
  const {apiKey, org, budget} = await admin.createTenant('Dead letter');
  const {send, ask} = createClient(sluice);
  assert.equal(await ask({key: apiKey, body: prompts(canary)}), 200);
  const running = await send({
    key: apiKey,
    body: {...prompts(canary), stream: true, fault: 'hang-mid-stream'},
  });
  await asSuperuser(sluice.dataFolder, client =>
    client.query('update windows set org_id = gen_random_uuid() where budget_id = $1', [budget]),
  );
  await running.body?.cancel();
  const request = running.headers.get('x-request-id') as string;
  await eventually(
    async () => {
      const {deadLetters} = await admin.get<{deadLetters: unknown[]}>(
        `/requests/${request}?org=${org}`,
      );
      assert.ok(deadLetters.length > 0);
    },
    {timeoutMs: 60_000, intervalMs: 200},
  );
};

const untilSettled = ({sluice, admin}: World, org: string, entries: number) =>
  eventually(
    async () => {
      const {data} = await admin.get<{data: LedgerView[]}>(`/ledger?org=${org}&limit=1000`);
      assert.ok(data.length >= entries, `${data.length} entries`);
      const open = await asSuperuser(sluice.dataFolder, client =>
        client.query<{count: number}>(
          'select count(*)::integer as count from requests where org_id = $1',
          [org],
        ),
      );
      assert.equal(open.rows[0]?.count, 0);
    },
    {timeoutMs: 60_000, intervalMs: 200},
  );

/** Logs, spans and measurements, metrics: what is not a store. */
const searchTelemetry = async ({sluice, collector}: World, canary: string) => {
  const pages = await readMetrics(sluice.lines);
  assert.ok(pages.has('gateway') && pages.has('budget'), [...pages.keys()].join());
  return [
    ...sluice.lines.filter(line => isIn(line, canary)).map(line => `line ${line.slice(0, 300)}`),
    ...collector.bodies
      .filter(body => isIn(body, canary))
      .map(body => `span ${body.slice(0, 300)}`),
    ...[...pages].filter(([, page]) => isIn(page, canary)).map(([name]) => `metrics of ${name}`),
  ];
};

const untilCollected = ({collector}: World) =>
  eventually(
    () => {
      const all = collector.bodies.join('\n');
      for (const name of [
        `chat ${modelName}`,
        'gen_ai.server.request.duration',
        'gen_ai.server.time_to_first_token',
        'gen_ai.client.token.usage',
      ]) {
        assert.ok(all.includes(name), name);
      }
      assert.match(all, /"error\.type"/);
    },
    {timeoutMs: 60_000, intervalMs: 100},
  );

test.serial('with PostgreSQL alone: nothing of a prompt or an answer is anywhere', async t => {
  t.timeout(240_000);
  const world = await setUp(t);
  const {canary, sluice} = world;
  const {org} = await askEverything(world);
  await askForADeadLetter(world);
  await untilSettled(world, org, 20);
  await untilCollected(world);
  t.deepEqual(await searchPostgres(sluice.dataFolder, canary), []);
  t.deepEqual(await searchTelemetry(world, canary), []);
  t.deepEqual(searchFiles(sluice.dataFolder, canary), []);

  const planted = makeCanary('planted');
  await asSuperuser(sluice.dataFolder, async client => {
    await client.query(`update orgs set name = $1 where name = 'Poor'`, [planted]);
    await client.query(
      `insert into idempotency_claims (id, org_id, project_id, hash, fence, expires_at, finished, result)
       select sha256('x'), org_id, id, sha256(''), gen_random_uuid(), now() + interval '1 hour', true, convert_to($1, 'UTF8')
       from projects limit 1`,
      [`before ${planted} after`],
    );
    await client.query(
      `update dead_letters set event = json_build_object('data', encode(convert_to($1, 'UTF8'), 'base64')) where event is not null`,
      [planted],
    );
    await client.query('checkpoint');
  });
  const found = (await searchPostgres(sluice.dataFolder, planted)).map(
    place => /^table (\S+):/.exec(place)?.[1],
  );
  t.deepEqual([...new Set(found)].sort(), [
    'public.dead_letters',
    'public.idempotency_claims',
    'public.orgs',
  ]);
  t.true(searchFiles(sluice.dataFolder, planted).length > 0);
  await createClient(sluice).ask({key: 'x', path: `/v1/${planted}`, body: {}});
  await eventually(async () =>
    assert.match((await searchTelemetry(world, planted)).join(), /^line /),
  );
  await fetch(`${world.collector.env.OTEL_EXPORTER_OTLP_ENDPOINT}/v1/traces`, {
    method: 'POST',
    body: JSON.stringify({prompt: `xx${planted}`}),
  });
  t.regex((await searchTelemetry(world, planted)).join(), /span \{"prompt"/);
  t.is(await sluice.stop(), 0);
});

test.serial('with Kafka and Redis: nor in any topic or key', async t => {
  t.timeout(240_000);
  const [kafka, redis] = await Promise.all([startKafka(t), startRedis(t)]);
  const world = await setUp(t, {KAFKA_BROKERS: kafka.brokers.join(','), REDIS_URL: redis.url});
  const {canary, sluice} = world;
  const {org} = await askEverything(world);
  await untilSettled(world, org, 20);
  await untilCollected(world);
  const topics = await searchKafka(kafka.brokers, canary);
  t.deepEqual(topics.places, []);
  t.true(topics.records > 40, String(topics.records));
  const keys = await searchRedis(redis.url, canary);
  t.deepEqual(keys.places, []);
  t.true(keys.keys > 0);
  t.deepEqual(await searchPostgres(sluice.dataFolder, canary), []);
  t.deepEqual(await searchTelemetry(world, canary), []);

  const planted = makeCanary('planted');
  const producer = new Kafka({brokers: [...kafka.brokers], logLevel: logLevel.NOTHING}).producer();
  await producer.connect();
  const message = {key: 'x', value: 'x', headers: {label: Buffer.from(planted).toString('hex')}};
  await producer.send({topic: 'sluice.usage', messages: [message]});
  await producer.disconnect();
  const client = new Redis(redis.url);
  await client.hset('some:hash', 'field', `x${planted}`);
  await client.xadd('some:stream', '*', 'event', Buffer.from(`xx${planted}`).toString('base64'));
  client.disconnect();
  t.regex((await searchKafka(kafka.brokers, planted)).places.join(), /^topic sluice\.usage: /);
  t.deepEqual((await searchRedis(redis.url, planted)).places.sort(), [
    'key some:hash',
    'key some:stream',
  ]);
  t.is(await sluice.stop(), 0);
});
