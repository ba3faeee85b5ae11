/**
Services mode: the same Sluice with a Kafka, and a Redis, of the person's own: the log travels by Kafka and is read by sources that
are processes of their own, events of Brokers by Kafka or Redis Streams.
*/
import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import test from 'ava';
import {Kafka, logLevel} from 'kafkajs';
import OpenAI from 'openai';
import {createAdmin, type LedgerView, type UsageView} from '../helpers/admin.ts';
import {eventually} from '../helpers/eventually.ts';
import {startKafka} from '../helpers/kafka.ts';
import {startRedis} from '../helpers/redis.ts';
import {makeDataFolder, type Sluice, startSluice} from '../helpers/sluice.ts';

const messages = [{role: 'user' as const, content: 'Say something.'}];

const chat = (sluice: Sluice, apiKey: string) =>
  new OpenAI({baseURL: `${sluice.url}/v1`, apiKey, maxRetries: 3}).chat.completions.create({
    model: sluice.model,
    messages,
    max_tokens: 5,
  });

/** Waits until ledger and usage have so many requests of the organisation. */
const accounted = async (sluice: Sluice, org: string, count: number) => {
  const admin = createAdmin(sluice);
  await eventually(
    async () => {
      const [ledger, usage] = await Promise.all([
        admin.get<{data: LedgerView[]}>(`/ledger?org=${org}`),
        admin.get<{data: UsageView[]}>(`/usage?org=${org}&granularity=day`),
      ]);
      assert.equal(ledger.data.length, count);
      assert.equal(
        usage.data.reduce((sum, {requests}) => sum + requests, 0),
        count,
      );
    },
    {timeoutMs: 60_000, intervalMs: 200},
  );
};

/** Posts hello.requested; hello answers with hello.greeted, which is world's. Resolves with the trace of it all. */
const greet = async (sluice: Sluice, apiKey: string): Promise<string> => {
  const trace = randomBytes(16).toString('hex');
  const response = await fetch(`${sluice.url}/events`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${apiKey}`,
      traceparent: `00-${trace}-00f067aa0ba902b7-00`,
      'content-type': 'application/json',
      'ce-specversion': '1.0',
      'ce-id': trace,
      'ce-source': '/test',
      'ce-type': 'dev.sluice.hello.requested.v1',
    },
    body: '{"name": "Ada"}',
  });
  assert.equal(response.status, 202, await response.text());
  return trace;
};

/** Waits until hello and world have each answered in this trace. */
const greeted = (sluice: Sluice, trace: string) =>
  eventually(
    () => {
      const lines = sluice.lines.filter(line => line.includes(trace));
      for (const name of ['hello', 'world']) {
        assert.ok(
          lines.some(line => line.includes(`"name":"${name}"`)),
          `nothing of ${name} in ${lines.length} lines`,
        );
      }
    },
    {timeoutMs: 60_000, intervalMs: 100},
  );

const recordUsage = async (brokers: readonly string[], model: string, org: string) => {
  const producer = new Kafka({brokers: [...brokers], logLevel: logLevel.NOTHING}).producer();
  await producer.connect();
  const message = {
    key: org,
    headers: {
      ce_specversion: '1.0',
      ce_id: 'one',
      ce_source: '/litellm',
      ce_type: 'dev.sluice.usage.recorded.v1',
      ce_orgid: org,
      'content-type': 'application/json',
    },
    value: JSON.stringify({
      request: 'chatcmpl-1',
      at: new Date().toISOString(),
      model,
      environment: 'development',
      inputTokens: 10,
      outputTokens: 5,
      outcome: 'completed',
    }),
  };
  await producer.send({topic: 'usage.records.v1', messages: [message, message]});
  await producer.disconnect();
};

const pidsOf = (sluice: Sluice) => new Set(sluice.children());

test('by Kafka every request is charged once, over kill -9 of the sources, of Kafka and of everything', async t => {
  t.timeout(240_000);
  const kafka = await startKafka(t);
  const options = {
    env: {
      KAFKA_BROKERS: kafka.brokers.join(','),
      // A result that dies with its gateway is settled by policy, this long after its request began.
      REQUEST_TIMEOUT_MS: '8000',
      UNSETTLED_GRACE_MS: '500',
      LEASE_TTL_MS: '8000',
    },
    dataFolder: await makeDataFolder(t),
    timeoutMs: 120_000,
  };
  const sluice = await startSluice(t, options);
  const tenant = await createAdmin(sluice).createTenant('Example');
  await chat(sluice, tenant.apiKey);
  await accounted(sluice, tenant.org, 1);
  await greeted(sluice, await greet(sluice, tenant.apiKey));

  // Kafka is away: intents and results go to the outbox, and from there to Kafka when it is back.
  await kafka.kill();
  await chat(sluice, tenant.apiKey);
  await chat(sluice, tenant.apiKey);
  await kafka.start();
  await accounted(sluice, tenant.org, 3);

  // Everything at once, and what the dead process had is accounted for by the next.
  await chat(sluice, tenant.apiKey);
  const before = pidsOf(sluice);
  await sluice.killAll();
  const again = await startSluice(t, options);
  t.true([...pidsOf(again)].every(pid => !before.has(pid)));
  await chat(again, tenant.apiKey);
  await accounted(again, tenant.org, 5);
  // Another router tells what it served, twice.
  await recordUsage(kafka.brokers, again.model, tenant.org);
  await accounted(again, tenant.org, 6);
  t.is(await again.stop(), 0);
});

test('by Redis Streams the events of a Broker arrive, over kill -9 of Redis', async t => {
  t.timeout(240_000);
  const redis = await startRedis(t);
  const sluice = await startSluice(t, {
    args: ['--broker', 'redis'],
    env: {REDIS_URL: redis.url},
    timeoutMs: 120_000,
  });
  const tenant = await createAdmin(sluice).createTenant('Example');
  await greeted(sluice, await greet(sluice, tenant.apiKey));
  // What comes while Redis is away waits in the outbox.
  await redis.kill();
  const trace = await greet(sluice, tenant.apiKey);
  await redis.start();
  await greeted(sluice, trace);
  t.is(await sluice.stop(), 0);
});
