/** What an operator can see of the gateway: metrics, lines, the id of every answer, why a request was refused. */
import assert from 'node:assert/strict';
import {once} from 'node:events';
import {connect} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import {asTenant} from '../../events/database.ts';
import {SluiceError} from '../../events/errors.ts';
import {createMetrics} from '../../events/metrics.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createRefusals} from '../../functions/gateway/observe/refusals.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';
import {type GatewayOptions, startGateway} from '../helpers/gateway.ts';
import {chat} from '../helpers/simulated-model.ts';
import {insertTenantRows} from '../helpers/tenant-rows.ts';

const route = '/v1/chat/completions';

const open = async (t: ExecutionContext, options: GatewayOptions = {}) => {
  const gateway = await startGateway(t, options);
  const metrics = async () => (await fetch(`${gateway.url}/metrics`)).text();
  const value = async (cell: string) => {
    const line = (await metrics()).split('\n').find(found => found.startsWith(`${cell} `));
    return line === undefined ? undefined : Number(line.slice(cell.length + 1));
  };
  return {...gateway, metrics, value};
};

test('a request is in every family: dispatch, duration, first token, tokens, lag of its two events', async t => {
  const {post, settled, value} = await open(t);
  await (await post(route, chat({max_tokens: 3}))).text();
  await settled();
  const model = '{model="simulated-chat"}';
  await eventually(async () =>
    assert.equal(await value(`sluice_dispatch_seconds_count${model}`), 1),
  );
  t.is(await value(`sluice_request_duration_seconds_count${model}`), 1);
  t.is(await value(`sluice_time_to_first_token_seconds_count${model}`), 1);
  t.is(await value('sluice_tokens_total{model="simulated-chat",kind="output"}'), 3);
  t.is(await value('sluice_tokens_total{model="simulated-chat",kind="cached_input"}'), 0);
  t.is(await value('sluice_event_lag_seconds_count{kind="intents"}'), 1);
  await eventually(async () =>
    assert.equal(await value('sluice_event_lag_seconds_count{kind="results"}'), 1),
  );
  const seconds = await value(`sluice_dispatch_seconds_sum${model}`);
  t.true((seconds as number) > 0 && (seconds as number) < 5, String(seconds));
});

test('holds are there while a request runs and are gone when its result is durable', async t => {
  const {post, value} = await open(t, {model: {tokenDelayMs: 20}});
  t.is(await value('sluice_holds'), 0);
  const response = await post(route, chat({max_tokens: 2_000, stream: true, ignore_eos: true}));
  t.is(await value('sluice_holds'), 1);
  t.true(((await value('sluice_hold_amount{unit="usd"}')) as number) > 0);
  t.is(await value('sluice_hold_amount{unit="tokens"}'), 0);
  t.is(await value('sluice_leases'), 1);
  t.true(((await value('sluice_lease_free_amount{unit="usd"}')) as number) > 0);
  await response.body?.cancel();
  await eventually(async () => assert.equal(await value('sluice_holds'), 0));
  t.is(await value('sluice_hold_amount{unit="usd"}'), 0);
});

test('an error after the request went upstream is counted by its code, and one before it as a denial', async t => {
  const {post, value, settled} = await open(t, {endpoint: 'http://127.0.0.1:9'});
  t.is((await post(route, chat())).status, 502);
  await settled();
  t.is(await value('sluice_errors_total{code="upstream_error"}'), 1);
  t.is((await post(route, chat({model: 'nothing'}))).status, 404);
  t.is(await value('sluice_denials_total{code="model_not_found"}'), 1);
});

test('no label of any metric is a key, an organisation, a project or a request', async t => {
  const gateway = await open(t, {budgets: {budget: 1_000}});
  const answers = [
    await gateway.post(route, chat({max_tokens: 1})),
    await gateway.post(route, chat({max_tokens: 8_000})),
    await gateway.post(route, '{'),
  ];
  const page = await gateway.metrics();
  const {org, project, key, publicId} = gateway.principal;
  for (const secret of [
    ...[org, project, key, publicId, gateway.apiKey, 'budget"'],
    ...answers.map(({headers}) => headers.get('x-request-id') as string),
  ]) {
    t.false(page.includes(secret), secret);
  }
});

/** Speaks to the port by hand. */
const raw = async (url: string, text: string) => {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.end(text);
  const parts: Buffer[] = [];
  socket.on('data', part => parts.push(part));
  await once(socket, 'close');
  return Buffer.concat(parts).toString('latin1');
};

test('every answer has an id, whatever it is that was asked', async t => {
  const {url, apiKey, post} = await open(t);
  const id = /^[0-9a-f]{8}-[0-9a-f]{4}-7/;
  for (const answer of [
    await fetch(`${url}/v1/models`),
    await fetch(`${url}/v1/models`, {headers: {authorization: `Bearer ${apiKey}`}}),
    await fetch(`${url}/nothing`),
    await fetch(`${url}/healthz`),
    await fetch(`${url}${route}`),
    await post(route, chat({max_tokens: 1})),
    await post(route, chat({max_tokens: 1, stream: true})),
    await post(route, '{'),
    await post(route, chat({max_tokens: 0})),
    await post(route, chat(), {headers: {authorization: 'Bearer wrong'}}),
  ]) {
    t.regex(answer.headers.get('x-request-id') ?? '', id, `${answer.status}`);
    await answer.body?.cancel();
  }
  for (const text of ['nonsense\r\n\r\n', `GET / HTTP/1.1\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`]) {
    t.regex(
      await raw(url, text),
      /^HTTP\/1\.1 4\d\d [^\n]*\r\n(.*\r\n)*x-request-id: [0-9a-f-]{36}\r\n/,
    );
  }
});

test('a refused request has one line that says whose it was and why, and nothing of what was in it', async t => {
  const {post, lines, told} = await open(t, {budgets: {budget: 1}});
  const answer = await post(route, chat({messages: [{role: 'user', content: 'a secret plan'}]}));
  t.is(answer.status, 402);
  const request = answer.headers.get('x-request-id') as string;
  const line = await eventually(() => {
    const found = lines.map(text => JSON.parse(text)).find(({msg}) => msg === 'refused');
    assert.ok(found);
    return found as Record<string, unknown>;
  });
  t.like(line, {
    request,
    status: 402,
    code: 'insufficient_quota',
    model: 'simulated-chat',
    path: route,
  });
  t.is(typeof line.org, 'string');
  t.regex(String(line.trace), /^[0-9a-f]{32}$/);
  const kept = await eventually(() => {
    const found = told.find(([text]) => String(text).includes('insert into refusals'));
    assert.ok(found);
    return String((found[1] as unknown[])[0]);
  });
  t.like(JSON.parse(kept)[0], {
    request,
    code: 'insufficient_quota',
    model: 'simulated-chat',
    streamed: false,
    operation: 'chat.completions',
    trace: line.trace,
  });
  t.false((kept + lines.join()).includes('secret plan'));
});

test('a refusal is written by the gateway’s role, read by its organisation alone, and forgotten after a day', async t => {
  const database = await createTestDatabase(t);
  const one = await insertTenantRows(database.pool('superuser'), 'one');
  const two = await insertTenantRows(database.pool('superuser'), 'two');
  const write = async (at: Date) => {
    const request = uuidv7();
    const refusals = createRefusals({
      pool: database.pool('gateway'),
      gatewayId: 'this',
      metrics: createMetrics(),
      logger: {warn: (...line: unknown[]) => t.fail(JSON.stringify(line))} as never,
      now: () => at,
    });
    refusals.note({
      request,
      known: {
        principal: {org: one.org, project: one.project, key: one.key} as never,
        operation: 'embeddings',
      },
      error: new SluiceError('rate_limit_exceeded', 'too many', {retryAfterSeconds: 7}),
      durationMs: 2,
    });
    await refusals.close();
    return request;
  };
  const fresh = await write(new Date());
  const old = await write(new Date(Date.now() - 25 * 3_600_000));
  const seenBy = async (org: string) => {
    const {rows} = await asTenant(database.pool('tenant'))(org, client =>
      client.query('select * from refusals where request = any($1) order by at', [[fresh, old]]),
    );
    return rows;
  };
  t.is((await seenBy(two.org)).length, 0);
  t.like((await seenBy(one.org)).at(-1), {
    request: fresh,
    gateway_id: 'this',
    model: null,
    streamed: null,
    code: 'rate_limit_exceeded',
    retry_after_seconds: 7,
    status: 429,
  });
  t.is((await seenBy(one.org)).length, 2);
  await database.pool('system').query('select forget_old()');
  t.deepEqual(
    (await seenBy(one.org)).map(({request}) => request),
    [fresh],
  );
});
