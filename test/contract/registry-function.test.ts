import test, {type ExecutionContext} from 'ava';
import {createGuard} from '../../events/access/guard.ts';
import {toBinary} from '../../events/codec.ts';
import {createPool} from '../../events/database.ts';
import {makeEvent} from '../../events/event.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {uuidv7} from '../../events/uuid.ts';
import type {Probe} from '../../functions/registry/probe.ts';
import {createProbe} from '../../functions/registry/probe.ts';
import {createRegistry} from '../../functions/registry/registry.ts';
import {registryRoutes} from '../../functions/registry/routes.ts';
import {createPostgresStore} from '../../functions/registry/store-postgres.ts';
import {onSuspected} from '../../functions/registry/suspected.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {createFakeProbe, ill, makeBody, well} from '../helpers/registry.ts';
import {startModel} from '../helpers/simulated-model.ts';

const adminKey = 'the admin key of this test';
const path = '/admin/v1/models';

const setUp = async (t: ExecutionContext, probe: Probe) => {
  const database = await createTestDatabase(t);
  const pool = createPool({databaseUrl: database.url('system'), name: 'registry'});
  const clock = {ms: Date.now()};
  const registry = createRegistry({store: createPostgresStore(pool), probe, now: () => clock.ms});
  const server = await serve({
    name: 'registry',
    host: '127.0.0.1',
    logger: createLogger({name: 'registry', level: 'silent'}),
    onEvent: onSuspected(registry),
    routes: registryRoutes({registry, guard: createGuard({adminKey})}),
    onClose: () => pool.end(),
  });
  t.teardown(server.close);
  const call = async (method: string, at: string, body?: unknown, key = adminKey) => {
    const response = await fetch(server.url + at, {
      method,
      headers: {authorization: `Bearer ${key}`, 'content-type': 'application/json'},
      ...(body === undefined ? {} : {body: JSON.stringify(body)}),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
  };
  const suspect = async (endpoint: string) => {
    const event = makeEvent({
      type: 'dev.sluice.endpoint.suspected.v1',
      from: 'gateway',
      id: uuidv7(),
      time: new Date(),
      data: {model: uuidv7(), endpoint, reason: 'connection refused'},
    });
    const {headers, body} = toBinary(event);
    return (await fetch(server.url, {method: 'POST', headers, body})).status;
  };
  const events = async () => {
    const {rows} = await pool.query<{event: {type: string; data: {health?: string}}}>(
      "select event from outbox where event ->> 'type' not like 'dev.sluice.audit.%' order by id",
    );
    return rows.map(({event}) =>
      [
        event.type.slice('dev.sluice.model.'.length, -3),
        ...(event.data.health ? [event.data.health] : []),
      ].join(' '),
    );
  };
  return {pool, clock, call, suspect, events};
};

test('a model on a server that answers is ready at once, with what the probe found', async t => {
  const {url} = await startModel(t, {usage: 'every-chunk'});
  const {call, events} = await setUp(t, createProbe());
  const {status, headers, body} = await call(
    'POST',
    path,
    makeBody({name: 'simulated-chat', environment: 'dev', endpoints: [`${url}/v1`]}),
  );
  t.is(status, 201);
  t.is(headers.get('location'), `${path}/${body.id}`);
  t.like(body, {
    name: 'simulated-chat',
    environment: 'development',
    status: 'ready',
    contextLength: 8192,
    defaultMaxTokens: 4096,
    price: {inputPerMillion: '0.20', outputPerMillion: '0.60'},
    priceVersion: 1,
    endpoints: [
      {
        url,
        upstreamModel: 'simulated-chat',
        usage: 'every-chunk',
        tokenize: true,
        health: 'healthy',
        healthReason: null,
      },
    ],
  });
  t.false('reason' in body);
  t.deepEqual((await call('GET', `${path}/${body.id}`)).body, body);
  t.deepEqual(await events(), ['registered']);
});

test('a longer context than the server takes is refused and registers nothing', async t => {
  const {url} = await startModel(t);
  const {call} = await setUp(t, createProbe());
  t.like(
    await call(
      'POST',
      path,
      makeBody({name: 'simulated-chat', endpoints: [url], contextLength: 8193}),
    ),
    {status: 400, body: {parameter: 'contextLength'}},
  );
  t.deepEqual((await call('GET', path)).body, {data: []});
});

test('a model whose endpoints are down is registered with the reason, enabled only when one answers', async t => {
  const {probe, findings} = createFakeProbe();
  const {call, events} = await setUp(t, probe);
  const {status, body} = await call('POST', path, makeBody());
  t.is(status, 201);
  t.like(body, {
    status: 'registered',
    contextLength: null,
    reason: 'no endpoint is healthy (http://a:8000: connection refused)',
  });
  const refused = await call('POST', `${path}/${body.id}/enable`);
  t.like(refused, {status: 409, body: {code: 'conflict'}});
  t.regex(refused.body.detail, /connection refused/);
  findings['http://a:8000'] = {...well, contextLength: null};
  t.regex(
    (await call('POST', `${path}/${body.id}/enable`)).body.detail,
    /contextLength must be given/,
  );
  findings['http://a:8000'] = well;
  t.like(await call('POST', `${path}/${body.id}/enable`), {
    status: 200,
    body: {status: 'ready', contextLength: 8192},
  });
  t.deepEqual(await events(), ['registered', 'health.changed healthy']);
});

test('registering again replaces, keeps the id, and makes a price version only of a new price', async t => {
  const {probe} = createFakeProbe({'http://a:8000': well, 'http://b:8000': well});
  const {call, pool} = await setUp(t, probe);
  const first = (await call('POST', path, makeBody())).body;
  t.like(await call('POST', path, makeBody({environment: 'dev'})), {
    status: 200,
    body: {id: first.id, priceVersion: 1, endpoints: [{id: first.endpoints[0].id}]},
  });
  const price = {inputPerMillion: '0.20', outputPerMillion: '0.61'};
  t.like(await call('POST', path, makeBody({price, endpoints: ['http://b:8000']})), {
    status: 200,
    body: {id: first.id, priceVersion: 2, price, status: 'ready'},
  });
  t.like(await call('POST', path, makeBody({price: 'free'})), {
    status: 200,
    body: {priceVersion: 3, price: 'free'},
  });
  t.like(await call('POST', path, makeBody({environment: 'prod'})), {
    status: 201,
    body: {priceVersion: 1},
  });
  const {rows} = await pool.query(
    'select version, output_per_million from prices where model_id = $1 order by version',
    [first.id],
  );
  t.deepEqual(rows, [
    {version: 1, output_per_million: 600_000_000n},
    {version: 2, output_per_million: 610_000_000n},
    {version: 3, output_per_million: 0n},
  ]);
});

test('disabling and enabling is told once each, lists filter by it, and a deregistered model is gone', async t => {
  const {probe} = createFakeProbe({'http://a:8000': well});
  const {call, events} = await setUp(t, probe);
  const {id} = (await call('POST', path, makeBody())).body;
  t.like(await call('POST', `${path}/${id}/disable`), {status: 200, body: {status: 'disabled'}});
  t.is((await call('POST', `${path}/${id}/disable`)).status, 200);
  t.is((await call('POST', `${path}/${id}/probe`)).body.status, 'disabled');
  t.is((await call('GET', `${path}?status=disabled&environment=dev`)).body.data.length, 1);
  t.is((await call('GET', `${path}?status=ready`)).body.data.length, 0);
  t.is((await call('POST', `${path}/${id}/enable`)).body.status, 'ready');
  t.is((await call('DELETE', `${path}/${id}`)).status, 204);
  for (const [method, at] of [
    ['GET', ''],
    ['DELETE', ''],
    ['POST', '/enable'],
    ['POST', '/disable'],
    ['POST', '/probe'],
  ] as const) {
    t.is((await call(method, `${path}/${id}${at}`)).status, 404, method + at);
  }
  t.deepEqual(await events(), ['registered', 'disabled', 'enabled', 'disabled']);
});

test('every route wants the admin key, and a bad request names its parameter', async t => {
  const {call} = await setUp(t, createFakeProbe().probe);
  for (const [method, at] of [
    ['GET', ''],
    ['POST', ''],
    ['GET', `/${uuidv7()}`],
    ['POST', `/${uuidv7()}/probe`],
    ['DELETE', `/${uuidv7()}`],
  ] as const) {
    t.is((await call(method, path + at, undefined, 'another key')).status, 401, method + at);
  }
  t.like(await call('POST', path, makeBody({price: undefined})), {
    status: 400,
    body: {code: 'bad_request', parameter: 'price'},
  });
  t.like(await call('GET', `${path}?status=odd`), {status: 400, body: {parameter: 'status'}});
  t.like(await call('GET', `${path}?environment=odd`), {
    status: 400,
    body: {parameter: 'environment'},
  });
  t.like(await call('GET', `${path}?state=ready`), {status: 400, body: {parameter: 'state'}});
  t.like(await call('GET', `${path}/llama`), {status: 404});
});

test('a suspicion is answered by a probe, once in two seconds, and only a change is told', async t => {
  const {probe, findings, targets} = createFakeProbe({'http://a:8000': well});
  const {call, suspect, events, clock} = await setUp(t, probe);
  const {id, endpoints} = (await call('POST', path, makeBody())).body;
  const endpoint = endpoints[0].id;
  t.is(await suspect(endpoint), 204);
  t.is(targets.length, 1);
  clock.ms += 2_001;
  t.is(await suspect(endpoint), 204);
  t.is(targets.length, 2);
  t.deepEqual(targets[1], {
    url: 'http://a:8000',
    upstreamModel: 'llama',
    known: true,
    mayBeAsleep: false,
  });
  t.deepEqual(await events(), ['registered']);
  findings['http://a:8000'] = ill;
  clock.ms += 2_001;
  await Promise.all([suspect(endpoint), suspect(endpoint), suspect(endpoint)]);
  t.like((await call('GET', `${path}/${id}`)).body, {
    status: 'ready',
    reason: 'no endpoint is healthy (http://a:8000: connection refused)',
    endpoints: [{health: 'unhealthy'}],
  });
  findings['http://a:8000'] = well;
  clock.ms += 2_001;
  await suspect(endpoint);
  t.deepEqual(await events(), ['registered', 'health.changed unhealthy', 'health.changed healthy']);
});

test('a suspicion of nothing known is done, one that names no endpoint can never be', async t => {
  const {probe, targets} = createFakeProbe();
  const {suspect} = await setUp(t, probe);
  t.is(await suspect(uuidv7()), 204);
  t.is(await suspect('http://169.254.169.254/'), 422);
  t.is(targets.length, 0);
});
