import test, {type ExecutionContext} from 'ava';
import {createGuard} from '../../events/access/guard.ts';
import {toBatch} from '../../events/codec.ts';
import {createPool} from '../../events/database.ts';
import type {Event} from '../../events/event.ts';
import {createMetrics} from '../../events/metrics.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {aggregate} from '../../functions/usage/aggregate.ts';
import {usageRoutes} from '../../functions/usage/routes.ts';
import {createPostgresStore} from '../../functions/usage/store-postgres.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {makeUsageEvent, otherOrg, someOrg} from '../helpers/usage-events.ts';

const adminKey = 'the admin key of this test';
const sourceToken = 'the source token of this test';

const setUp = async (t: ExecutionContext, {rowsMax}: {rowsMax?: number} = {}) => {
  const database = await createTestDatabase(t);
  const pool = createPool({databaseUrl: database.url('system'), name: 'usage'});
  const store = createPostgresStore(pool);
  const metrics = createMetrics();
  const server = await serve({
    name: 'usage',
    host: '127.0.0.1',
    logger: createLogger({name: 'usage', level: 'silent'}),
    metrics,
    sourceToken,
    onBatch: aggregate({store, metrics}),
    routes: usageRoutes({
      store,
      guard: createGuard({adminKey}),
      ...(rowsMax === undefined ? {} : {rowsMax}),
    }),
    onClose: () => pool.end(),
  });
  t.teardown(server.close);
  const post = async (events: readonly Event[], token = sourceToken) => {
    const {headers, body} = toBatch(events);
    const response = await fetch(server.url, {
      method: 'POST',
      headers: {...headers, authorization: `Bearer ${token}`},
      body,
    });
    return {status: response.status, text: await response.text()};
  };
  const get = async (path: string, key = adminKey) => {
    const response = await fetch(server.url + path, {headers: {authorization: `Bearer ${key}`}});
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : undefined,
    };
  };
  return {database, post, get};
};

test('a batch with one bad event is taken, the bad one is a dead letter, and the answer is the same the second time', async t => {
  const {database, post, get} = await setUp(t);
  const good = makeUsageEvent('finished');
  const bad = {...makeUsageEvent('finished', {costNanos: 'much'}), id: 'bad id'};
  const far = makeUsageEvent('finished', {request: '00000000-0000-7000-8000-000000000000'});
  const batch = [good, bad, far, makeUsageEvent('started')];
  t.deepEqual(await post(batch), {status: 204, text: ''});
  t.deepEqual(await post(batch), {status: 204, text: ''});
  const {rows} = await database
    .pool('system')
    .query(
      'select org_id, subscription, event_id, type, reason, attempts from dead_letters order by reason',
    );
  t.deepEqual(rows, [
    {
      org_id: someOrg,
      subscription: 'usage',
      event_id: 'bad id',
      type: bad.type,
      reason: 'data.costNanos: expected a whole number from 0 to 1000000000000000',
      attempts: 1,
    },
    {
      org_id: someOrg,
      subscription: 'usage',
      event_id: far.id,
      type: far.type,
      reason: 'data.request: expected a UUIDv7 of the last two years',
      attempts: 1,
    },
  ]);
  t.like((await get(`/admin/v1/usage?org=${someOrg}`)).body.data, [
    {requests: 1, inputTokens: 103, outputTokens: 57, cost: '0.00004745', estimated: 0, failed: 0},
  ]);
});

test('events need the token of the source, queries the admin key', async t => {
  const {post, get} = await setUp(t);
  t.is((await post([makeUsageEvent('finished')], adminKey)).status, 401);
  t.is((await get(`/admin/v1/usage?org=${someOrg}`, sourceToken)).status, 401);
  t.is((await get(`/admin/v1/usage/records?org=${someOrg}`, '')).status, 401);
  t.deepEqual((await get(`/admin/v1/usage?org=${someOrg}`)).body.data, []);
});

test('the record of a request is shown to its organisation only', async t => {
  const {post, get} = await setUp(t);
  const event = makeUsageEvent('finished');
  const {request} = event.data as {request: string};
  await post([event]);
  const found = await get(`/admin/v1/usage/records?org=${someOrg}&request=${request}`);
  t.like(found, {
    status: 200,
    body: {
      request,
      org: someOrg,
      outcome: 'completed',
      cost: '0.00004745',
      inputTokens: 103,
      streamed: true,
    },
  });
  t.like(await get(`/admin/v1/usage/records?org=${otherOrg}&request=${request}`), {
    status: 404,
    body: {code: 'not_found'},
  });
});

test('the operator sees all organisations when none is named, and can tell them apart', async t => {
  const {post, get} = await setUp(t);
  await post([makeUsageEvent('finished'), makeUsageEvent('finished', {orgid: otherOrg})]);
  t.like((await get('/admin/v1/usage')).body, {data: [{requests: 2}]});
  const {body} = await get('/admin/v1/usage?groupBy=org');
  t.deepEqual(
    (body as {data: {org: string}[]}).data.map(({org}) => org).sort(),
    [someOrg, otherOrg].sort(),
  );
});

test('a wrong parameter is named in a problem', async t => {
  const {get} = await setUp(t);
  const {status, headers, body} = await get('/admin/v1/usage?org=nobody');
  t.is(status, 400);
  t.is(headers.get('content-type'), 'application/problem+json; charset=utf-8');
  t.like(body, {code: 'bad_request', parameter: 'org'});
  t.like(await get(`/admin/v1/usage?org=${someOrg}&org=${otherOrg}`), {
    status: 400,
    body: {parameter: 'org'},
  });
});

test('an answer that is cut says so, in JSON and in CSV', async t => {
  const {post, get} = await setUp(t, {rowsMax: 2});
  await post(['a', 'b', 'c'].map(model => makeUsageEvent('finished', {model})));
  const path = `/admin/v1/usage?org=${someOrg}&groupBy=model`;
  t.like((await get(path)).body, {data: [{model: 'a'}, {model: 'b'}], truncated: true});
  const csv = await get(`${path}&format=csv`);
  t.is(csv.headers.get('x-truncated'), 'true');
  t.is(csv.headers.get('content-type'), 'text/csv; charset=utf-8');
  t.is(csv.text.split('\r\n').length, 4);
  t.false('truncated' in (await get(`/admin/v1/usage?org=${someOrg}`)).body);
});

test('the tables show the role of tenants the rows of its own organisation, and none without one', async t => {
  const {database, post} = await setUp(t);
  await post([makeUsageEvent('finished'), makeUsageEvent('finished', {orgid: otherOrg})]);
  const client = await database.pool('tenant').connect();
  try {
    for (const table of ['usage_records', 'usage_hourly', 'usage_daily']) {
      await client.query('begin');
      t.deepEqual(
        (await client.query(`select org_id from ${table}`)).rows,
        [],
        `${table} without an organisation`,
      );
      await client.query("select set_config('sluice.org', $1, true)", [someOrg]);
      t.deepEqual((await client.query(`select org_id from ${table}`)).rows, [{org_id: someOrg}]);
      await client.query('rollback');
    }
  } finally {
    client.release();
  }
});
