/**
Budget store: the same small world (an organisation, budgets, windows, leases, a price) in memory and in PostgreSQL, and what
is in it afterwards, in one form, so that one suite can hold both to the same.
*/
import type {ExecutionContext} from 'ava';
import type pg from 'pg';
import {createPool} from '../../events/database.ts';
import {
  type BudgetStore,
  type LeaseRow,
  priceKey,
  type WindowRow,
} from '../../functions/budget/store.ts';
import {createMemoryStore} from '../../functions/budget/store-memory.ts';
import {createPostgresStore} from '../../functions/budget/store-postgres.ts';
import {modelId, org, price} from './budget.ts';
import {createTestDatabase} from './database.ts';

export type Contents = Readonly<{
  windows: Record<string, string>;
  leases: Record<string, string>;
  requests: string[];
  ledger: string[];
  sent: string[];
  buried: string[];
}>;

export type Harness = Readonly<{
  store: BudgetStore;
  seed(windows: readonly WindowRow[], leases?: readonly LeaseRow[]): Promise<void>;
  /** The lease is so long past its end. */
  expire(lease: string, agoMs: number): Promise<void>;
  beginFence(lease: string): Promise<void>;
  contents(): Promise<Contents>;
}>;

const windowText = ({spent, leased, overage, ceiling, threshold}: Record<string, unknown>) =>
  `spent ${spent} leased ${leased} overage ${overage} ceiling ${ceiling} threshold ${threshold}`;
const leaseText = ({state, granted, settled, returned, open}: Record<string, unknown>) =>
  `${state} granted ${granted} settled ${settled} returned ${returned} open ${open}`;

export const memoryHarness = async (): Promise<Harness> => {
  const store = createMemoryStore();
  const {state} = store;
  state.prices.set(priceKey(modelId, 1), price);
  return {
    store,
    async seed(windows, leases = []) {
      for (const row of windows) {
        state.windows.set(row.id, row);
      }
      for (const row of leases) {
        state.leases.set(row.id, row);
        state.leaseEnds.set(row.id, Date.now() + 60_000);
      }
    },
    async expire(lease, agoMs) {
      state.leaseEnds.set(lease, Date.now() - agoMs);
    },
    async beginFence(lease) {
      store.beginFence(lease);
    },
    async contents() {
      const {windows, leases, requests, ledger, outbox, deadLetters} = state;
      return {
        windows: Object.fromEntries(
          [...windows.values()].map(row => [
            row.id,
            windowText({...row, threshold: row.thresholdReached}),
          ]),
        ),
        leases: Object.fromEntries([...leases.values()].map(row => [row.id, leaseText(row)])),
        requests: [...requests.keys()].sort(),
        ledger: [...ledger.values()]
          .map(
            row =>
              `${row.month} ${row.request} ${row.entry} ${row.costNanos} ${row.charges.map(charge => charge.amount)} ${row.traceparent ?? null}`,
          )
          .sort(),
        sent: [...outbox.values()].map(({id}) => id).sort(),
        buried: [...deadLetters.values()].map(({reason}) => reason).sort(),
      };
    },
  };
};

export const postgresHarness = async (
  t: ExecutionContext,
): Promise<Harness & {pool: pg.Pool; root: pg.Pool; url: string; rootUrl: string}> => {
  const database = await createTestDatabase(t);
  const root = createPool({
    databaseUrl: database.url('superuser'),
    name: 'test',
    connectTimeoutMs: 60_000,
  });
  // Tests that crowd it wait for a connection on a busy machine, and that is no failure.
  const pool = createPool({
    connectTimeoutMs: 60_000,
    databaseUrl: database.url('system'),
    name: 'test',
    connectionsMax: 8,
    // As the function has it.
    pipeline: true,
  });
  t.teardown(() => Promise.all([pool.end(), root.end()]));
  await root.query(`insert into orgs (id, name) values ($1, 'one')`, [org]);
  await root.query(
    `insert into models (id, name, environment) values ($1, 'llama-3.1-8b', 'production')`,
    [modelId],
  );
  await root.query(
    `insert into prices (model_id, version, input_per_million, output_per_million) values ($1, 1, $2, $3)`,
    [modelId, price.inputPerMillion, price.outputPerMillion],
  );
  return {
    pool,
    root,
    url: database.url('system'),
    rootUrl: database.url('superuser'),
    store: createPostgresStore({pool}),
    seed: (windows, leases = []) => seed(root, windows, leases),
    async expire(lease, agoMs) {
      await root.query(
        `update leases set expires_at = now() - make_interval(secs => $2::float8 / 1000) where id = $1`,
        [lease, agoMs],
      );
    },
    async beginFence(lease) {
      await root.query(`update leases set state = 'fencing' where id = $1`, [lease]);
    },
    contents: () => contentsOf(root),
  };
};

const seed = async (root: pg.Pool, windows: readonly WindowRow[], leases: readonly LeaseRow[]) => {
  for (const row of windows) {
    await root.query(
      `insert into budgets (id, org_id, unit, "limit", period, thresholds) values ($1, $2, $3, $4, 'none', $5) on conflict do nothing`,
      [row.budget, row.org, row.unit, row.limit, row.thresholds],
    );
    await root.query(
      `insert into windows (id, org_id, budget_id, starts_at, ends_at, "limit", ceiling, spent, leased, overage)
       values ($1, $2, $3, '-infinity', 'infinity', $4, $5, $6, $7, $8)`,
      [row.id, row.org, row.budget, row.limit, row.ceiling, row.spent, row.leased, row.overage],
    );
  }
  for (const row of leases) {
    await root.query(
      `insert into leases (id, org_id, window_id, gateway_id, state, granted, settled, returned, open, expires_at)
       values ($1, $2, $3, gen_random_uuid(), $4, $5, $6, $7, $8, now() + interval '1 minute')`,
      [row.id, row.org, row.window, row.state, row.granted, row.settled, row.returned, row.open],
    );
  }
};

const contentsOf = async (root: pg.Pool): Promise<Contents> => {
  const rows = async (sql: string) => (await root.query(sql)).rows as Record<string, unknown>[];
  const windows = await rows('select *, threshold_reached as threshold from windows');
  const leases = await rows('select * from leases');
  const ledger = await rows(`
    select month::text || ' ' || request || ' ' || entry || ' ' || cost_nanos || ' '
      || (select coalesce(string_agg(charge ->> 'amount', ',' order by place), '')
          from jsonb_array_elements(charges) with ordinality as c (charge, place))
      || ' ' || coalesce(traceparent, 'null') as line
    from ledger`);
  return {
    windows: Object.fromEntries(windows.map(row => [row.id, windowText(row)])),
    leases: Object.fromEntries(leases.map(row => [row.id, leaseText(row)])),
    requests: (await rows('select id from requests')).map(row => row.id as string).sort(),
    ledger: ledger.map(row => row.line as string).sort(),
    sent: (await rows('select event_id from outbox')).map(row => row.event_id as string).sort(),
    buried: (await rows('select reason from dead_letters')).map(row => row.reason as string).sort(),
  };
};
