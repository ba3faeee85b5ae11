import assert from 'node:assert/strict';
import {type ChildProcess, fork} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {hashSecret, makeApiKey} from '../../events/api-key.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';
import {createHttpTestServer} from '../helpers/http.ts';
import {startRedis} from '../helpers/redis.ts';
import {chat} from '../helpers/simulated-model.ts';

const program = fileURLToPath(new URL('../../functions/gateway/main.ts', import.meta.url));

/** Answers at once, or when it is told to. */
const startHeldModel = async (t: ExecutionContext) => {
  let held: Promise<void> | undefined;
  let go = () => {};
  let count = 0;
  const {url} = await createHttpTestServer(t, async (request, response) => {
    request.resume();
    count += 1;
    await held;
    response.writeHead(200, {'content-type': 'application/json'});
    response.end(
      JSON.stringify({
        choices: [{index: 0, message: {role: 'assistant', content: 'Something.'}}],
        usage: {prompt_tokens: 9, completion_tokens: 2, total_tokens: 11},
      }),
    );
  });
  return {
    url,
    count: () => count,
    hold() {
      ({promise: held, resolve: go} = Promise.withResolvers<void>());
    },
    go() {
      held = undefined;
      go();
    },
  };
};

/** A project that keeps results, a key of it and a model server that can be told to wait. */
const openWorld = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  const model = await startHeldModel(t);
  const client = database.pool('superuser');
  const [org, project, id] = [uuidv7(), uuidv7(), uuidv7()];
  const key = makeApiKey();
  await client.query("insert into orgs (id, name) values ($1, 'o')", [org]);
  await client.query(
    "insert into projects (id, org_id, name, keep_results) values ($1, $2, 'p', true)",
    [project, org],
  );
  await client.query(
    `insert into keys (id, org_id, project_id, public_id, secret_hash, name)
     values ($1, $2, $3, $4, $5, 'k')`,
    [uuidv7(), org, project, key.publicId, hashSecret(key.secret)],
  );
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

  const env = {
    ...process.env,
    DATABASE_URL: database.url('gateway'),
    REQUEST_TIMEOUT_MS: '60000',
    RESULTS_KEY: randomBytes(32).toString('base64'),
    PORT: '0',
  };
  const start = async (more: Record<string, string> = {}) => {
    const child: ChildProcess = fork(program, {env: {...env, ...more}, silent: true});
    t.teardown(() => child.kill('SIGKILL'));
    const [{listening}] = (await once(child, 'message')) as [{listening: number}];
    const url = `http://127.0.0.1:${listening}`;
    const ask = (body: unknown = chat({max_tokens: 5}), idempotencyKey = 'k') =>
      fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: {authorization: `Bearer ${key.text}`, 'idempotency-key': idempotencyKey},
      });
    const health = async () => (await fetch(`${url}/healthz`)).json();
    return {child, ask, health};
  };
  const intents = async () => {
    const {rows} = await client.query(
      "select count(*)::int as count from outbox where event ->> 'type' like '%inference.started%'",
    );
    return rows[0].count as number;
  };
  const asked = (count: number) =>
    eventually(() => assert.equal(model.count(), count), {timeoutMs: 60_000});
  return {model, client, start, intents, asked};
};

const codeOf = async (response: Response) =>
  ((await response.json()) as {error?: {code: string}}).error?.code;

for (const carrier of ['PostgreSQL', 'Redis'] as const) {
  const environmentOf = async (t: ExecutionContext): Promise<Record<string, string>> =>
    carrier === 'Redis' ? {REDIS_URL: (await startRedis(t)).url} : {};

  test(`two processes with their claims in ${carrier}: one runs, the other waits for its end and replays it`, async t => {
    t.timeout(180_000);
    const world = await openWorld(t);
    const env = await environmentOf(t);
    const [one, two] = await Promise.all([world.start(env), world.start(env)]);
    world.model.hold();
    const first = one.ask();
    await world.asked(1);
    const during = await two.ask();
    t.is(during.status, 409);
    t.is(during.headers.get('retry-after'), '2');
    t.is(await codeOf(during), 'request_in_progress');
    t.is((await two.ask(chat({max_tokens: 6}))).status, 422);
    world.model.go();
    const answer = await (await first).text();
    const again = await eventually(async () => {
      const response = await two.ask();
      assert.equal(response.status, 200);
      return response;
    });
    t.is(again.headers.get('x-sluice-idempotency'), 'replayed');
    t.is(await again.text(), answer);
    t.is(world.model.count(), 1);
    t.is(await world.intents(), 1);
  });

  test(`a gateway killed in the middle leaves its claim in ${carrier} until it runs out; then another runs the request`, async t => {
    t.timeout(180_000);
    const world = await openWorld(t);
    const env = {...(await environmentOf(t)), REQUEST_TIMEOUT_MS: '4000'};
    const [one, two] = await Promise.all([world.start(env), world.start(env)]);
    world.model.hold();
    const lost = one.ask();
    lost.catch(() => {});
    await world.asked(1);
    one.child.kill('SIGKILL');
    await t.throwsAsync(lost);
    t.is(await codeOf(await two.ask()), 'request_in_progress');
    world.model.go();
    // The deadline of the request and a margin as long.
    await eventually(async () => assert.equal((await two.ask()).status, 200), {
      timeoutMs: 60_000,
      intervalMs: 100,
    });
    t.is(world.model.count(), 2);
  });
}

test('without its Redis a gateway goes on with keys of its own, says so, and shares them again when Redis is back', async t => {
  t.timeout(180_000);
  const world = await openWorld(t);
  const redis = await startRedis(t);
  const gateway = await world.start({REDIS_URL: redis.url});
  t.is((await gateway.ask()).status, 200);
  t.like(await gateway.health(), {status: 'ok'});
  await redis.kill();
  const body = chat({max_tokens: 7});
  t.is((await gateway.ask(body, 'away')).status, 200);
  await eventually(async () =>
    assert.equal(await codeOf(await gateway.ask(body, 'away')), 'result_not_kept'),
  );
  t.is((await gateway.ask(chat({max_tokens: 8}), 'away')).status, 422);
  t.like(await gateway.health(), {
    status: 'degraded',
    reason:
      'claims-per-process: idempotency keys are known per process only, because their store is away',
  });
  await redis.start();
  await eventually(
    async () => assert.equal(((await gateway.health()) as {status: string}).status, 'ok'),
    {timeoutMs: 60_000, intervalMs: 100},
  );
  t.is((await gateway.ask(body, 'back')).status, 200);
  await eventually(async () => {
    const response = await gateway.ask(body, 'back');
    assert.equal(response.headers.get('x-sluice-idempotency'), 'replayed');
  });
});

test('what clients write is in no row of the claims, kept results included', async t => {
  t.timeout(180_000);
  const world = await openWorld(t);
  const gateway = await world.start();
  const canary = 'canary-in-the-prompt';
  const body = chat({max_tokens: 5, messages: [{role: 'user', content: canary}]});
  t.is((await gateway.ask(body, 'canary-in-the-key')).status, 200);
  const row = await eventually(async () => {
    const {rows} = await world.client.query('select * from idempotency_claims');
    assert.equal(rows[0]?.finished, true);
    return rows[0];
  });
  t.true(row.result.length > 100);
  const bytes = [row.id, row.hash, row.result].map((value: Buffer) => value.toString('latin1'));
  t.false(bytes.join().includes('canary') || bytes.join().includes('choices'));
});
