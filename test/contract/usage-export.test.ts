import assert from 'node:assert/strict';
import {setFlagsFromString} from 'node:v8';
import {runInNewContext} from 'node:vm';
import test, {type ExecutionContext} from 'ava';
import {createGuard} from '../../events/access/guard.ts';
import {createPool} from '../../events/database.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {uuidv7} from '../../events/uuid.ts';
import {exportChunks} from '../../functions/usage/export.ts';
import {type ExportQuery, parseExport} from '../../functions/usage/query.ts';
import type {UsageRecord} from '../../functions/usage/record.ts';
import {rollUp} from '../../functions/usage/rollup.ts';
import {usageRoutes} from '../../functions/usage/routes.ts';
import type {UsageStore} from '../../functions/usage/store.ts';
import {createMemoryStore} from '../../functions/usage/store-memory.ts';
import {createPostgresStore} from '../../functions/usage/store-postgres.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';
import {createOpenApi} from '../helpers/openapi.ts';
import {makeRecord, otherOrg, someKey, someOrg, someProject} from '../helpers/usage-events.ts';

const adminKey = 'the admin key of this test';
const hour = Math.floor(Date.now() / 3_600_000 - 2) * 3_600_000;
const monthAgo = new Date(Date.now() - 31 * 86_400_000).toISOString();

const makers = {
  memory: async () => createMemoryStore(),
  postgres: async (t: ExecutionContext) => {
    const database = await createTestDatabase(t);
    const pool = createPool({databaseUrl: database.url('system'), name: 'usage'});
    t.teardown(() => pool.end());
    return createPostgresStore(pool);
  },
};

const contract = (
  title: string,
  body: (t: ExecutionContext, store: UsageStore) => Promise<void>,
) => {
  for (const [name, make] of Object.entries(makers)) {
    test(`${name}: ${title}`, async t => body(t, await make(t)));
  }
};

const write = async (store: UsageStore, records: readonly UsageRecord[]) => {
  const months = records.flatMap(({month, at}) => [month, `${at.slice(0, 7)}-01`]);
  await store.transaction([...new Set(months)], async transaction => {
    await transaction.insert(records);
    await transaction.addRollups('hour', rollUp(records, [], 'hour'));
    await transaction.addRollups('day', rollUp(records, [], 'day'));
  });
};

const queryOf = (parameters: Record<string, string> = {}): ExportQuery =>
  parseExport({org: someOrg, from: monthAgo, ...parameters}, Date.now()).query;

const allOf = async (
  store: UsageStore,
  query: ExportQuery,
  {format = 'json', pageRows = 3}: {format?: 'json' | 'csv'; pageRows?: number} = {},
) => {
  let text = '';
  for await (const chunk of exportChunks({store, query, format, pageRows})) {
    text += chunk;
  }
  return text;
};
const linesOf = (text: string) =>
  text
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Record<string, unknown>);

contract(
  'every record of the organisation and the range comes once, in order, whatever the pages',
  async (t, store) => {
    // Several of the same instant, so that a page ends among them.
    const records = Array.from({length: 20}, (_, index) =>
      makeRecord('finished', {at: hour + Math.floor(index / 7) * 1000, model: `m${index % 3}`}),
    );
    await write(store, [
      ...records,
      makeRecord('finished', {at: hour, orgid: otherOrg}),
      makeRecord('finished', {at: hour - 3_600_000}),
    ]);
    const from = new Date(hour).toISOString();
    const expected = [...records]
      .sort((a, b) => (a.at + a.request < b.at + b.request ? -1 : 1))
      .map(({request}) => request);
    for (const pageRows of [1, 3, 7, 20, 100]) {
      const lines = linesOf(await allOf(store, queryOf({from}), {pageRows}));
      t.deepEqual(
        lines.map(({request}) => request),
        expected,
        `pages of ${pageRows}`,
      );
    }
    const one = linesOf(await allOf(store, queryOf({from, model: 'm1'})));
    t.deepEqual([...new Set(one.map(({model}) => model))], ['m1']);
    t.deepEqual(linesOf(await allOf(store, queryOf({from, to: from}))), []);
    t.is(linesOf(await allOf(store, queryOf({org: otherOrg}))).length, 1);
  },
);

contract('hours and days are exported with their sums, money as decimal text', async (t, store) => {
  const models = ['a', 'b', 'c', 'd'];
  await write(
    store,
    [0, 1, 2].flatMap(hours =>
      models.flatMap(model =>
        ['x', 'y'].map(endpoint =>
          makeRecord('finished', {at: hour - hours * 3_600_000, model, endpoint}),
        ),
      ),
    ),
  );
  const hours = linesOf(await allOf(store, queryOf({granularity: 'hour'}), {pageRows: 5}));
  t.is(hours.length, 24);
  t.is(new Set(hours.map(({start, model, endpoint}) => `${start} ${model} ${endpoint}`)).size, 24);
  t.deepEqual(hours[0], {
    start: new Date(hour - 7_200_000).toISOString(),
    org: someOrg,
    project: someProject,
    key: someKey,
    model: 'a',
    environment: 'production',
    endpoint: 'x',
    requests: 1,
    failed: 0,
    inputTokens: 103,
    cachedInputTokens: 0,
    outputTokens: 57,
    cost: '0.00004745',
    estimated: 0,
    latencyMs: 2345,
  });
  const days = linesOf(await allOf(store, queryOf({granularity: 'day'}), {pageRows: 5}));
  t.is(
    days.reduce((sum, {requests}) => sum + Number(requests), 0),
    24,
  );
  t.regex(String(days[0]?.start), /^\d{4}-\d\d-\d\d$/);
});

contract('a CSV has a header, quotes what it must, and no cell is a formula', async (t, store) => {
  const labels = ['=1+2', '+1', '-x', '@a', 'a "b", c', 'two\nlines', '-5', ' plain'];
  await write(
    store,
    labels.map((label, index) => makeRecord('finished', {at: hour + index, label})),
  );
  const csv = await allOf(store, queryOf(), {format: 'csv'});
  const [head] = csv.split('\r\n');
  t.regex(
    head as string,
    /^request,startedAt,.*,cost,estimated,latencyMs,timeToFirstTokenMs,label$/,
  );
  t.deepEqual(
    csv
      .split('\r\n')
      .slice(1, -1)
      .map(line => line.split(',180,')[1]),
    ["'=1+2", "'+1", "'-x", "'@a", '"a ""b"", c"', '"two\nlines"', '-5', ' plain'],
  );
  t.is(await allOf(store, queryOf({to: monthAgo}), {format: 'csv'}), `${head}\r\n`);
});

const startServer = async (t: ExecutionContext, wrap = (store: UsageStore) => store) => {
  const database = await createTestDatabase(t);
  const pool = createPool({databaseUrl: database.url('system'), name: 'usage'});
  const server = await serve({
    name: 'usage',
    host: '127.0.0.1',
    logger: createLogger({name: 'usage', level: 'silent'}),
    routes: usageRoutes({store: wrap(createPostgresStore(pool)), guard: createGuard({adminKey})}),
    onClose: () => pool.end(),
  });
  t.teardown(server.close);
  const get = (query: string, init: RequestInit = {}) =>
    fetch(`${server.url}/admin/v1/usage/export?${query}`, {
      headers: {authorization: `Bearer ${adminKey}`},
      ...init,
    });
  return {database, root: database.pool('superuser'), get};
};

/** A millisecond apart, from `hour` on: past all rules, because it is quick. */
const insertMany = async (root: Awaited<ReturnType<typeof startServer>>['root'], count: number) => {
  const at = new Date(hour).toISOString();
  const month = `${at.slice(0, 7)}-01`;
  await root.query('select open_month($1)', [month]);
  await root.query(
    `insert into usage_records (month, request, org_id, project_id, key_id, model, model_id, environment, endpoint, operation,
       streamed, at, finished_at, outcome, input_tokens, output_tokens, cost_nanos, label)
     select $6::date, gen_random_uuid(), $3::uuid, $4::uuid, $5::uuid, 'llama', $4, 'production',
       'http://llama.models.svc.cluster.local', 'chat.completions', true, at, at, 'completed', 103, 57, 47450, repeat('x', 100)
     from generate_series(1, $1::integer) n, lateral (select $2::timestamptz + n * interval '1 ms' as at) a`,
    [count, at, someOrg, someProject, someKey, month],
  );
};

test('200,000 records are exported in the memory of a few pages', async t => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const {root, get} = await startServer(t);
  await insertMany(root, 200_000);
  const response = await get(`org=${someOrg}&from=${new Date(hour).toISOString()}&format=json`);
  t.is(response.headers.get('content-type'), 'application/x-ndjson');
  collect();
  const before = process.memoryUsage();
  let bytes = 0;
  let lines = 0;
  let most = 0;
  let chunks = 0;
  for await (const chunk of response.body as ReadableStream<Uint8Array>) {
    bytes += chunk.length;
    for (const byte of chunk) {
      lines += byte === 10 ? 1 : 0;
    }
    chunks += 1;
    if (chunks % 100 === 0) {
      collect();
      const {heapUsed, arrayBuffers} = process.memoryUsage();
      most = Math.max(most, heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers);
    }
  }
  t.is(lines, 200_000);
  t.true(bytes > 80_000_000, `${bytes} bytes`);
  t.true(most < 20_000_000, `${most} bytes were held of ${bytes}`);
});

test('nobody reads pages for a client that does not take them, and none for one that has gone', async t => {
  let pages = 0;
  const {root, get} = await startServer(t, store => ({
    ...store,
    page(query, page) {
      pages += 1;
      return store.page(query, page);
    },
  }));
  await insertMany(root, 100_000);
  const gone = new AbortController();
  const response = await get(`org=${someOrg}&from=${new Date(hour).toISOString()}`, {
    signal: gone.signal,
  });
  t.is(response.status, 200);
  let seen = -1;
  let stood = 0;
  // Until the buffers in between are full, and nothing more was asked for in a while.
  await eventually(() => {
    stood = seen === pages ? stood + 1 : 0;
    seen = pages;
    if (stood < 20) {
      throw new Error(`pages are still read: ${pages}`);
    }
  });
  t.true(pages < 60, `${pages} of 100 pages were read for nobody`);
  gone.abort();
  await eventually(async () => {
    const {rows} = await root.query(
      `select query from pg_stat_activity where usename = 'sluice_system' and datname = current_database() and state <> 'idle'`,
    );
    assert.deepEqual(rows, []);
  });
  t.true(pages <= seen + 1, `${pages - seen} pages were read after the client had gone`);
});

test('a page that is being read is given up when its client goes', async t => {
  const {root, get} = await startServer(t);
  await insertMany(root, 10);
  const client = await root.connect();
  await client.query('begin');
  await client.query('lock table usage_records in access exclusive mode');
  const waiting = async () =>
    Number(
      (
        await root.query(
          `select count(*) from pg_stat_activity where usename = 'sluice_system' and datname = current_database()
           and wait_event_type = 'Lock'`,
        )
      ).rows[0].count,
    );
  const gone = new AbortController();
  const failing = get(`org=${someOrg}`, {signal: gone.signal});
  await eventually(async () => {
    if ((await waiting()) !== 1) {
      throw new Error('nobody waits for the lock yet');
    }
  });
  gone.abort();
  await t.throwsAsync(failing);
  await eventually(async () => {
    if ((await waiting()) !== 0) {
      throw new Error('the page is still waited for');
    }
  });
  await client.query('rollback');
  client.release();
  t.is((await get(`org=${someOrg}&from=${new Date(hour).toISOString()}`)).status, 200);
});

test('an export is asked for with the admin key and an organisation, and a wrong parameter is a problem', async t => {
  const {get} = await startServer(t);
  t.is((await get(`org=${someOrg}`, {headers: {}})).status, 401);
  for (const [query, parameter] of [
    ['', 'org'],
    ['org=x', 'org'],
    [`org=${someOrg}&granularity=month`, 'granularity'],
    [`org=${someOrg}&format=xml`, 'format'],
    [`org=${someOrg}&from=2026-02-01&to=2026-01-01`, 'from'],
    [`org=${someOrg}&groupBy=model`, 'groupBy'],
  ] as const) {
    const response = await get(query);
    const body = await response.json();
    t.is(response.status, 400, query);
    t.like(body, {code: 'bad_request', parameter});
    const contentType = response.headers.get('content-type');
    const path = '/admin/v1/usage/export';
    createOpenApi().check({method: 'GET', path, status: 400, contentType, body});
  }
  const empty = await get(`org=${uuidv7()}`);
  t.is(empty.headers.get('content-type'), 'text/csv; charset=utf-8');
  t.is(empty.headers.get('content-disposition'), 'attachment; filename=usage.csv');
  t.is((await empty.text()).split('\r\n').length, 2);
});
