/**
Away world: a gateway as a process of its own, with a PostgreSQL and a Kafka of the test's own that it may freeze, kill and bring back.

In: the test, which log, more environment. Out: keys with and without a budget, ways to ask, what the gateway says of itself, and what
has reached the log. A frozen server keeps its connections and answers nothing: the worst of the ways to be away.
*/
import assert from 'node:assert/strict';
import {fork} from 'node:child_process';
import {once} from 'node:events';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';
import {Kafka, logLevel} from 'kafkajs';
import {hashSecret, makeApiKey} from '../../events/api-key.ts';
import {readKafkaRecord} from '../../events/codec.ts';
import type {Event} from '../../events/event.ts';
import {uuidv7} from '../../events/uuid.ts';
import {startTestDatabase} from '../runner/database.ts';
import {createTestDatabase} from './database.ts';
import {eventually} from './eventually.ts';
import {startKafka} from './kafka.ts';
import {startModel} from './simulated-model.ts';
import {childrenOf} from './sluice.ts';
import {openStream, type Stream} from './streams.ts';

const program = fileURLToPath(new URL('../../functions/gateway/main.ts', import.meta.url));
const topic = 'sluice.usage';
const model = 'simulated-chat';

export type Asked = Readonly<{stream: Stream; how: 'whole' | 'cut'; tookMs: number}>;
export type AwayWorld = Awaited<ReturnType<typeof openAwayWorld>>;

export const openAwayWorld = async (
  t: ExecutionContext,
  {withKafka, env = {}}: {withKafka: boolean; env?: Readonly<Record<string, string>>},
) => {
  const postgres = await startOwnPostgres(t);
  const database = await createTestDatabase(t, postgres.environment);
  const kafka = withKafka ? await startKafka(t) : undefined;
  await kafka?.createTopic(topic, {partitions: 2});
  const server = await startModel(t, {firstTokenDelayMs: 0, tokenDelayMs: 20});
  const superuser = database.pool('superuser');
  const keys = await seed(superuser, server.url);
  const child = fork(program, {
    env: {
      ...process.env,
      DATABASE_URL: database.url('gateway'),
      ...(kafka ? {KAFKA_BROKERS: kafka.brokers.join(',')} : {}),
      REQUEST_TIMEOUT_MS: '60000',
      PORT: '0',
      LOG_LEVEL: 'warn',
      ...env,
    },
    silent: true,
  });
  t.teardown(() => child.kill('SIGKILL'));
  // First of all: what is frozen would let the other ends wait for ever.
  t.teardown(postgres.thaw);
  let lines = '';
  child.stdout?.on('data', chunk => {
    lines += chunk;
  });
  const [{listening}] = (await once(child, 'message')) as [{listening: number}];
  const url = `http://127.0.0.1:${listening}`;

  const open = (apiKey: string, maxTokens: number) =>
    openStream({url, apiKey, model, maxTokens, timeoutMs: 60_000});
  const ask = async (apiKey: string, maxTokens = 3): Promise<Asked> => {
    const began = performance.now();
    const stream = await open(apiKey, maxTokens);
    const how = await stream.ended;
    return {stream, how, tookMs: performance.now() - began};
  };
  const health = async () => {
    const response = await fetch(`${url}/healthz`);
    const body = (await response.json()) as {
      status: string;
      degraded?: {state: string; since: string; detail: string}[];
    };
    return {code: response.status, ...body, states: (body.degraded ?? []).map(({state}) => state)};
  };
  const metric = async (line: string) => {
    const text = await (await fetch(`${url}/metrics`)).text();
    const found = text.split('\n').find(each => each.startsWith(`${line} `));
    return found === undefined ? undefined : Number(found.slice(line.length + 1));
  };

  return {
    postgres,
    kafka,
    database,
    keys,
    child,
    url,
    lines: () => lines,
    open,
    ask,
    askMany: (apiKey: string, count: number) =>
      Promise.all(Array.from({length: count}, () => ask(apiKey))),
    health,
    metric,
    /** Waits until exactly these states hold, in `/healthz` and in `/metrics`, and its status is theirs. */
    inStates: (states: readonly string[], code: number, timeoutMs = 45_000) =>
      eventually(
        async () => {
          const found = await health();
          assert.deepEqual([found.states, found.code], [states, code], JSON.stringify(found));
          for (const state of states) {
            assert.equal(await metric(`sluice_degraded{state="${state}"}`), 1, state);
          }
        },
        {timeoutMs, intervalMs: 50},
      ),
    /** Every event of the log, in the topic or on its way there, by id; what was written twice is one. */
    async logged(): Promise<ReadonlyMap<string, Event>> {
      const {rows} = await superuser.query<{event: Event}>(
        "select event from outbox where destination like 'log:%'",
      );
      const sent = kafka ? await readTopic(kafka.brokers) : [];
      return new Map([...sent, ...rows.map(({event}) => event)].map(event => [event.id, event]));
    },
  };
};

const startOwnPostgres = async (t: ExecutionContext) => {
  const server = await startTestDatabase();
  const {superuserUrl} = server.environment;
  const pids = await readPids(superuserUrl);
  const signal = (name: NodeJS.Signals) => {
    for (const pid of pids()) {
      process.kill(pid, name);
    }
  };
  t.teardown(server.stop);
  return {
    environment: server.environment,
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
  };
};

/** The postmaster first: what it would start while the others are being stopped would go on. */
const readPids = async (superuserUrl: string) => {
  const {default: pg} = await import('pg');
  const client = new pg.Client({connectionString: superuserUrl});
  await client.connect();
  const {rows} = await client.query<{pid: number}>(
    "select split_part(pg_read_file('postmaster.pid'), e'\\n', 1)::int as pid",
  );
  await client.end();
  const {pid} = rows[0] as {pid: number};
  return () => [pid, ...childrenOf(pid)];
};

const seed = async (
  client: ReturnType<Awaited<ReturnType<typeof createTestDatabase>>['pool']>,
  url: string,
) => {
  const [org, id] = [uuidv7(), uuidv7()];
  await client.query("insert into orgs (id, name) values ($1, 'o')", [org]);
  const makeKey = async (budgetNanos: number | undefined) => {
    const [project, key, secret] = [uuidv7(), uuidv7(), makeApiKey()];
    await client.query('insert into projects (id, org_id, name) values ($1, $2, $3)', [
      project,
      org,
      project,
    ]);
    await client.query(
      `insert into keys (id, org_id, project_id, public_id, secret_hash, name)
       values ($1, $2, $3, $4, $5, 'k')`,
      [key, org, project, secret.publicId, hashSecret(secret.secret)],
    );
    if (budgetNanos !== undefined) {
      await client.query(
        `insert into budgets (id, org_id, project_id, unit, "limit", period)
         values ($1, $2, $3, 'usd', $4, 'none')`,
        [uuidv7(), org, project, budgetNanos],
      );
    }
    return secret.text;
  };
  const keys = {
    free: await makeKey(undefined),
    budgeted: await makeKey(100_000_000_000),
    unknown: await makeKey(undefined),
  };
  await client.query(
    `insert into models (id, name, environment, status, context_length)
     values ($1, $2, 'development', 'ready', 8192)`,
    [id, model],
  );
  await client.query(
    `insert into endpoints (id, model_id, url, upstream_model, usage, health)
     values ($1, $2, $3, $4, 'every-chunk', 'healthy')`,
    [uuidv7(), id, url, model],
  );
  await client.query(
    `insert into prices (model_id, version, input_per_million, output_per_million)
     values ($1, 1, 200000000, 600000000)`,
    [id],
  );
  return keys;
};

/** All that is in the topic now. */
const readTopic = async (brokers: string[]): Promise<Event[]> => {
  const kafka = new Kafka({brokers, logLevel: logLevel.NOTHING});
  const admin = kafka.admin();
  await admin.connect();
  const ends = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const left = new Set(ends.filter(({high}) => high !== '0').map(({partition}) => partition));
  if (left.size === 0) {
    return [];
  }
  const consumer = kafka.consumer({groupId: uuidv7(), maxWaitTimeInMs: 50});
  const events: Event[] = [];
  const done = Promise.withResolvers<void>();
  await consumer.connect();
  await consumer.subscribe({topic, fromBeginning: true});
  await consumer.run({
    eachMessage: async ({partition, message}) => {
      events.push(readKafkaRecord(message));
      const end = ends.find(found => found.partition === partition);
      if (Number(message.offset) + 1 >= Number(end?.high)) {
        left.delete(partition);
      }
      if (left.size === 0) {
        done.resolve();
      }
    },
  });
  await done.promise;
  await consumer.disconnect();
  return events;
};
