/** Limits over processes: gateways of their own, one Redis that is frozen, killed and brought back, a gateway that is killed. */
import assert from 'node:assert/strict';
import {type ChildProcess, fork} from 'node:child_process';
import {once} from 'node:events';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {hashSecret, makeApiKey} from '../../events/api-key.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';
import {startRedis} from '../helpers/redis.ts';
import {chat, startModel} from '../helpers/simulated-model.ts';

const program = fileURLToPath(new URL('../../functions/gateway/main.ts', import.meta.url));
const patience = {timeoutMs: 60_000};

const openWorld = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  const redis = await startRedis(t);
  const model = await startModel(t, {firstTokenDelayMs: 0, tokenDelayMs: 20});
  const client = database.pool('superuser');
  const [org, project, id] = [uuidv7(), uuidv7(), uuidv7()];
  await client.query("insert into orgs (id, name) values ($1, 'o')", [org]);
  await client.query("insert into projects (id, org_id, name) values ($1, $2, 'p')", [
    project,
    org,
  ]);
  await client.query(
    `insert into models (id, name, environment, status, context_length)
     values ($1, 'simulated-chat', 'development', 'ready', 8192)`,
    [id],
  );
  await client.query(
    `insert into endpoints (id, model_id, url, upstream_model, usage, health)
     values ($1, $2, $3, 'simulated-chat', 'every-chunk', 'healthy')`,
    [uuidv7(), id, model.url],
  );
  await client.query(
    `insert into prices (model_id, version, input_per_million, output_per_million)
     values ($1, 1, 200000000, 600000000)`,
    [id],
  );
  const createKey = async (requests: number | null, parallel: number | null = null) => {
    const key = makeApiKey();
    await client.query(
      `insert into keys (id, org_id, project_id, public_id, secret_hash, name, requests_per_minute, parallel_requests)
       values ($1, $2, $3, $4, $5, 'k', $6, $7)`,
      [uuidv7(), org, project, key.publicId, hashSecret(key.secret), requests, parallel],
    );
    return key;
  };
  const start = async () => {
    const child: ChildProcess = fork(program, {
      env: {
        ...process.env,
        DATABASE_URL: database.url('gateway'),
        REQUEST_TIMEOUT_MS: '60000',
        REDIS_URL: redis.url,
        LOG_LEVEL: 'error',
        PORT: '0',
      },
      silent: true,
    });
    t.teardown(() => child.kill('SIGKILL'));
    const [{listening}] = (await once(child, 'message')) as [{listening: number}];
    const url = `http://127.0.0.1:${listening}`;
    const post = (key: {text: string}, more: object = {}) =>
      fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        body: JSON.stringify(chat({max_tokens: 1, ...more})),
        headers: {authorization: `Bearer ${key.text}`},
      });
    const ask = async (key: {text: string}) => {
      const response = await post(key);
      await response.text();
      return response.status;
    };
    const states = async () => {
      const {degraded = []} = (await (await fetch(`${url}/healthz`)).json()) as {
        degraded?: {state: string}[];
      };
      return degraded.map(({state}) => state);
    };
    const known = async () => {
      const text = await (await fetch(`${url}/metrics`)).text();
      return Number(/^sluice_limit_gateways (\d+)$/m.exec(text)?.[1]);
    };
    return {child, post, ask, states, known};
  };
  return {client, redis, createKey, start};
};
type Gateway = Awaited<ReturnType<Awaited<ReturnType<typeof openWorld>>['start']>>;

/** How many of so many requests all gateways let in, and how long that took. */
const flood = async (gateways: readonly Gateway[], key: {text: string}, each: number) => {
  const began = performance.now();
  const statuses = await Promise.all(
    Array.from({length: each}, () => gateways.map(({ask}) => ask(key))).flat(),
  );
  assert.deepEqual(new Set([...statuses, 200, 429]), new Set([200, 429]));
  return {
    admitted: statuses.filter(status => status === 200).length,
    tookMs: performance.now() - began,
  };
};

test('gateways count one limit together, hear of its change, and have shares of it while Redis is frozen or killed', async t => {
  t.timeout(300_000);
  const {client, redis, createKey, start} = await openWorld(t);
  const gateways = await Promise.all([start(), start(), start()]);
  const within = (found: {admitted: number; tookMs: number}, limit: number, slack: number) => {
    const most = limit + (60 * found.tookMs) / 60_000;
    t.log(`${found.admitted} of ${limit} in ${Math.round(found.tookMs)} ms`);
    t.true(found.admitted <= most && found.admitted >= limit - slack, `${found.admitted}`);
  };
  const key = await createKey(60);
  // A permit of each may lie idle when the store has none left.
  within(await flood(gateways, key, 60), 60, 3);

  await client.query('update keys set requests_per_minute = null where public_id = $1', [
    key.publicId,
  ]);
  for (const {ask} of gateways) {
    await eventually(async () => assert.equal(await ask(key), 200), patience);
  }
  for (const {known} of gateways) {
    await eventually(async () => assert.equal(await known(), 3), patience);
  }

  const away = [
    {
      begin: () => process.kill(redis.pid(), 'SIGSTOP'),
      end: () => process.kill(redis.pid(), 'SIGCONT'),
    },
    {begin: redis.kill, end: redis.start},
  ];
  for (const {begin, end} of away) {
    await begin();
    const fresh = await createKey(60);
    const began = performance.now();
    for (const {ask, states} of gateways) {
      const askedMs = performance.now();
      t.is(await ask(fresh), 200);
      t.true(performance.now() - askedMs < 5_000);
      t.true((await states()).includes('limits-per-process'));
    }
    // Twenty each, and one of each is spent.
    const found = await flood(gateways, fresh, 30);
    within({...found, tookMs: performance.now() - began}, 57, 0);
    await end();
    for (const {states} of gateways) {
      await eventually(async () => assert.deepEqual(await states(), []), patience);
    }
    const sinceMs = performance.now() - began;
    const after = await flood(gateways, fresh, 20);
    t.log(`${after.admitted} after it is back, ${Math.round(sinceMs)} ms later`);
    const refilled = (sinceMs + after.tookMs) / 1_000;
    t.true(after.admitted <= refilled + 1, 'what was let in meanwhile is taken out');
  }
});

test('the share of a gateway that is killed is free for the others within its life', async t => {
  t.timeout(300_000);
  const {createKey, start} = await openWorld(t);
  const [one, two] = await Promise.all([start(), start()]);
  const key = await createKey(null, 2);
  const running = await Promise.all(
    [1, 2].map(() => one.post(key, {max_tokens: 2_500, stream: true})),
  );
  t.deepEqual(
    running.map(({status}) => status),
    [200, 200],
  );
  t.is(await two.ask(key), 429);
  one.child.kill('SIGKILL');
  const began = performance.now();
  await eventually(async () => assert.equal(await two.ask(key), 200), patience);
  const tookMs = performance.now() - began;
  t.log(`free after ${Math.round(tookMs)} ms`);
  t.true(tookMs > 5_000 && tookMs < 40_000);
  await Promise.allSettled(running.map(response => response.body?.cancel()));
});
