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
import {faults, startCanaryModel} from '../helpers/canary-model.ts';
import {eventually} from '../helpers/eventually.ts';
import {createHttpTestServer} from '../helpers/http.ts';
import {startKafka} from '../helpers/kafka.ts';
import {startRedis} from '../helpers/redis.ts';
import {type Sluice, startSluice} from '../helpers/sluice.ts';

const modelName = 'canary-model';

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

type Ask = Readonly<{path?: string; body?: unknown; key: string; headers?: Record<string, string>}>;

const createClient = (sluice: Sluice) => {
  const answered: {request: string; text: string}[] = [];
  const send = ({path = '/v1/chat/completions', body, key, headers}: Ask, signal?: AbortSignal) =>
    fetch(sluice.url + path, {
      method: 'POST',
      headers: {authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers},
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...(signal ? {signal} : {}),
    });
  return {
    send,
    /** The status; 0 where the connection broke. */
    async ask(ask: Ask): Promise<number> {
      try {
        const response = await send(ask);
        const request = response.headers.get('x-request-id') as string;
        answered.push({request, text: await response.text()});
        return response.status;
      } catch {
        return 0;
      }
    },
    answered,
  };
};

const prompts = (canary: string) => ({
  model: modelName,
  max_tokens: 50,
  user: canary,
  stop: [canary],
  messages: [
    {role: 'system', content: canary},
    {role: 'user', content: [{type: 'text', text: canary}], name: canary},
  ],
  tools: [{type: 'function', function: {name: canary, description: canary, parameters: {}}}],
});

/** Whatever can become of a request. */
const askEverything = async ({canary, sluice, admin}: World) => {
  const {apiKey: key, org, budget} = await admin.createTenant('Everything');
  const {ask, send, answered} = createClient(sluice);
  const chat = prompts(canary);
  const message = {
    model: modelName,
    max_tokens: 50,
    system: canary,
    messages: [{role: 'user', content: canary}],
  };
  const response = {model: modelName, instructions: canary, input: canary, max_output_tokens: 50};
  const operations = [
    {body: chat},
    {body: {...chat, stream: true}},
    {path: '/v1/completions', body: {model: modelName, prompt: canary, max_tokens: 50}},
    {path: '/v1/completions', body: {model: modelName, prompt: [canary, canary], stream: true}},
    {path: '/v1/embeddings', body: {model: modelName, input: canary}},
    {path: '/v1/messages', body: message},
    {path: '/v1/messages', body: {...message, stream: true}},
    {path: '/v1/responses', body: response},
    {path: '/v1/responses', body: {...response, stream: true}},
    {body: chat, headers: {'idempotency-key': 'one'}},
    {body: chat, headers: {'idempotency-key': 'one'}},
    {body: {...chat, seed: 2}, headers: {'idempotency-key': 'one'}},
  ];
  // In turn: the second use of an idempotency key is told of the first.
  const statuses: number[] = [];
  for (const operation of operations) {
    statuses.push(await ask({...operation, key}));
  }
  // The second with its key may come so early that it is told the first one's answer.
  const repeated = statuses.splice(10, 1)[0];
  assert.ok(repeated === 409 || answered[10]?.request === answered[9]?.request, `${repeated}`);
  assert.deepEqual(statuses, [...Array<number>(10).fill(200), 422]);
  // Prompt and answer did travel.
  assert.ok(answered.slice(0, 10).every(({text}) => text.split(canary).length > 2));
  const failed = await Promise.all(
    faults
      .filter(fault => fault !== 'hang-mid-stream')
      .flatMap(fault => [
        ask({key, body: {...chat, fault}}),
        ask({key, body: {...chat, fault, stream: true}}),
        ask({key, path: '/v1/messages', body: {...message, fault}}),
        ask({key, path: '/v1/responses', body: {...response, fault, stream: true}}),
      ]),
  );
  assert.ok(failed.includes(400) && failed.includes(502), failed.join());
  const refused = await Promise.all([
    ask({key: 'wrong', body: chat}),
    ask({key, body: {...chat, model: 'nothing'}}),
    ask({key, body: `{"messages": [{"content": "${canary}"`}),
    ask({key, body: `{"messages": ${canary}}`}),
    ask({key, body: {...chat, max_tokens: canary}}),
    ask({key, body: {...chat, messages: canary}}),
    ask({key, body: {...chat, messages: [{role: canary, content: {[canary]: 1}}], n: canary}}),
    ask({key, body: {...chat, stream_options: canary}}),
    ask({key, body: {...chat, max_tokens: 0}}),
    ask({key, path: '/v1/embeddings', body: {model: modelName, input: {text: canary}}}),
    ask({key, path: '/v1/nothing', body: chat}),
  ]);
  assert.ok(
    refused.every(status => status >= 400 && status < 500),
    refused.join(),
  );
  await admin.post(`/budgets/${budget}/top-ups`, {amount: '1'});
  const poor = await admin.createTenant('Poor', {limit: '0.00000001'});
  assert.equal(await ask({key: poor.apiKey, body: chat}), 402);
  const {request} = answered.at(-1) as {request: string};
  await eventually(async () => {
    const {state, refusal} = await admin.get<{state: string; refusal: {code: string}}>(
      `/requests/${request}`,
    );
    assert.deepEqual([state, refusal.code], ['refused', 'insufficient_quota']);
  });
  // One that its client leaves, and one that runs into its deadline.
  const leaving = new AbortController();
  const hung = {key, body: {...chat, stream: true, fault: 'hang-mid-stream'}};
  const left = await send(hung, leaving.signal);
  leaving.abort();
  const late = await send(hung);
  assert.deepEqual([left.status, late.status], [200, 200]);
  await late.text().catch(() => {});
  return {org, poor};
};

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
    {timeoutMs: 30_000, intervalMs: 100},
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
