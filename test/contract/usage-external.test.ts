import test, {type ExecutionContext} from 'ava';
import {createPool} from '../../events/database.ts';
import {noKey} from '../../events/external-terms.ts';
import {createMetrics} from '../../events/metrics.ts';
import {debit} from '../../functions/budget/debit.ts';
import {createPostgresStore as createBudgetStore} from '../../functions/budget/store-postgres.ts';
import {aggregate} from '../../functions/usage/aggregate.ts';
import {parseExport, parseQuery} from '../../functions/usage/query.ts';
import type {UsageRecord} from '../../functions/usage/record.ts';
import type {UsageStore} from '../../functions/usage/store.ts';
import {createMemoryStore} from '../../functions/usage/store-memory.ts';
import {createPostgresStore} from '../../functions/usage/store-postgres.ts';
import {key, modelId, org, project} from '../helpers/budget.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {
  dearerSince,
  recorded,
  seedRegistry,
  seedTables,
  someSource,
} from '../helpers/external-usage.ts';

const yearAgo = new Date(Date.now() - 380 * 86_400_000).toISOString();
const tomorrow = new Date(Date.now() + 86_400_000).toISOString();

const recordsOf = (store: UsageStore) =>
  store.page(parseExport({org, from: yearAgo, to: tomorrow}, Date.now()).query, {
    after: undefined,
    limit: 1_000,
  }) as Promise<UsageRecord[]>;
const sumOf = async (store: UsageStore) =>
  (await store.query(parseQuery({org, from: yearAgo, to: tomorrow}, Date.now()).query, 10))[0]
    ?.sums;

const inPostgres = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  await seedTables(database.pool('superuser'));
  const pool = createPool({databaseUrl: database.url('system'), name: 'usage'});
  t.teardown(() => pool.end());
  return {store: createPostgresStore(pool), pool, root: database.pool('superuser')};
};
const makers = {
  memory: async () => {
    const store = createMemoryStore();
    seedRegistry(store.registry);
    return store;
  },
  postgres: async (t: ExecutionContext) => (await inPostgres(t)).store,
};

for (const [name, make] of Object.entries(makers)) {
  test(`${name}: usage of another router is a record and in the sums, once, however often it comes`, async t => {
    const store = await make(t);
    const handle = aggregate({store, metrics: createMetrics()});
    const at = new Date(Date.now() - 5_000).toISOString();
    const full = recorded({
      at,
      project,
      key,
      cachedInputTokens: 4,
      operation: 'embeddings',
      streamed: true,
      status: 200,
      latencyMs: 2_000,
      timeToFirstTokenMs: 7,
      label: 'a job',
    });
    const bare = recorded({at, outcome: 'upstream_error'});
    await handle([full, bare, {...full, id: 'again'}]);
    await handle([bare, full]);
    const [one, two] = [...(await recordsOf(store))].sort(
      (a, b) => Number(a.label === null) - Number(b.label === null),
    );
    t.like(one, {
      month: `${at.slice(0, 7)}-01`,
      org,
      project,
      key,
      model: 'llama-3.1-8b',
      modelId,
      environment: 'production',
      endpoint: someSource,
      operation: 'embeddings',
      streamed: true,
      at,
      finishedAt: new Date(Date.parse(at) + 2_000).toISOString(),
      outcome: 'completed',
      status: 200,
      inputTokens: 10,
      cachedInputTokens: 4,
      outputTokens: 5,
      costNanos: 10_000,
      estimated: false,
      latencyMs: 2_000,
      timeToFirstTokenMs: 7,
      label: 'a job',
    });
    t.like(two, {project, key: noKey, outcome: 'upstream_error', status: null, latencyMs: null});
    t.is((await recordsOf(store)).length, 2);
    t.like(await sumOf(store), {requests: 2n, failed: 1n, costNanos: 20_000n, outputTokens: 10n});
  });
}

test('ledger and records agree on every record, and refuse the same ones', async t => {
  const {store, pool, root} = await inPostgres(t);
  const before = new Date(Date.parse(dearerSince) - 60_000).toISOString();
  const events = [
    recorded(),
    recorded({at: before, outputTokens: 7}),
    recorded({project, key, inputTokens: 1_234_567, cachedInputTokens: 1}),
    recorded({model: 'nobody knows'}),
    recorded({}, {orgid: '0192f0c1-7a00-7000-8000-0000000000ff'}),
    recorded({outputTokens: -1}),
  ];
  await aggregate({store, metrics: createMetrics()})(events);
  await debit({store: createBudgetStore({pool})})(events);
  const columns =
    'month, request, org_id, project_id, key_id, model, model_id, environment, at, input_tokens, cached_input_tokens, output_tokens, cost_nanos, outcome';
  const {rows: ledger} = await root.query(`select ${columns} from ledger order by request`);
  const {rows: records} = await root.query(`select ${columns} from usage_records order by request`);
  t.is(ledger.length, 3);
  t.deepEqual(records, ledger);
  const {rows: letters} = await root.query(
    'select event_id, array_agg(subscription order by subscription) as by, count(distinct reason)::int as reasons from dead_letters group by 1',
  );
  t.is(letters.length, 3);
  for (const letter of letters) {
    t.like(letter, {by: ['budget', 'usage'], reasons: 1});
  }
});
