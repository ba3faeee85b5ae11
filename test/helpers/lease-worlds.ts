/**
Lease worlds: the same small world (an organisation, budgets, gateways that ask) on `lease_work` and on its twin in memory, so that
one suite can hold both to the same.
*/
import assert from 'node:assert/strict';
import type {ExecutionContext} from 'ava';
import type pg from 'pg';
import {createPool} from '../../events/database.ts';
import type {Event} from '../../events/event.ts';
import {uuidv7} from '../../events/uuid.ts';
import {
  createLeaseWork,
  type LeaseAnswer,
  type LeaseWork,
} from '../../functions/budget/leases/lease-work.ts';
import {createMemoryLeaseWork} from '../../functions/budget/leases/lease-work-memory.ts';
import {createMemoryStore} from '../../functions/budget/store-memory.ts';
import type {BudgetRow} from '../../functions/budget/store-memory-windows.ts';
import {org} from './budget.ts';
import {createTestDatabase} from './database.ts';

export const ttlMs = 60_000;

type Work = (work: LeaseWork) => Promise<LeaseAnswer>;
type Amounts = Readonly<{
  id: string;
  limit: bigint;
  ceiling: bigint;
  spent: bigint;
  leased: bigint;
  overage: bigint;
}>;
type Lease = Readonly<{
  gateway: string;
  state: string;
  granted: bigint;
  settled: bigint;
  returned: bigint;
  open: bigint;
  /** Until it expires. */
  lifeMs: number;
}>;

/** A gateway that asks for what a test says. */
const gatewayOf = (id: string, work: Work, recalled: () => Promise<readonly string[]>) => {
  const ask = (wanted: Partial<LeaseWork>) =>
    work({returns: [], renewals: [], grants: [], ...wanted});
  return {
    id,
    ask,
    recalled,
    async grant(budget: string, needed: number, more: {max?: number; after?: string} = {}) {
      const {grants} = await ask({grants: [{budget, needed, max: needed, ...more}]});
      assert.equal(grants.length, 1);
      return grants[0] as (typeof grants)[number];
    },
    renew: async (...renewals: string[]) => (await ask({renewals})).renewals,
    giveBack: (lease: string, total: number) => ask({returns: [{lease, total}]}),
  };
};

export type LeaseWorld = Readonly<{
  gateway(id?: string): ReturnType<typeof gatewayOf>;
  budget(fields?: {limit?: number; period?: BudgetRow['period']}): Promise<string>;
  /** Of a budget, the latest. */
  window(budget: string): Promise<Amounts>;
  lease(id: string | null): Promise<Lease>;
  setLimit(budget: string, limit: number): Promise<void>;
  pause(budget: string): Promise<void>;
  topUp(budget: string, amount: number): Promise<void>;
  /** A debit: from what is leased to what is spent. */
  debit(lease: string, amount: number): Promise<void>;
  overage(budget: string, amount: number): Promise<void>;
  beginFence(lease: string): Promise<void>;
  beginFences(pastMs: number): Promise<number>;
  /** Time goes by for leases and gateways. */
  advance(ms: number): Promise<void>;
  /** The window of a daily budget ends in so many ms; then it has ended. */
  endWindow(budget: string, inMs: number): Promise<void>;
  passEnd(inMs: number): Promise<void>;
  /** What was sent to the log and not relayed. */
  markers(): Promise<readonly Event[]>;
  relay(): Promise<void>;
}>;

export const memoryWorld = async (): Promise<LeaseWorld> => {
  let clock = Date.parse('2026-11-21T10:00:00Z');
  const now = () => clock;
  const store = createMemoryStore({now});
  const {state, opened} = store;
  const leases = createMemoryLeaseWork({store, now, ttlMs});
  const windowOf = (budget: string) => {
    const found = [...state.windows.values()].findLast(window => window.budget === budget);
    assert.ok(found);
    return found;
  };
  const leaseOf = (id: string | null) => {
    const found = state.leases.get(id ?? '');
    assert.ok(found);
    return found;
  };
  return {
    gateway: (id = uuidv7()) =>
      gatewayOf(
        id,
        async work => leases.work(id, work),
        async () => leases.recalledLeases(id),
      ),
    async budget({limit = 1_000, period = 'none'} = {}) {
      const id = uuidv7();
      opened.budgets.push({id, org, unit: 'usd', limit: BigInt(limit), thresholds: [], period});
      return id;
    },
    window: async budget => windowOf(budget),
    lease: async id => ({
      ...leaseOf(id),
      gateway: leases.holders.get(id ?? '') ?? '',
      lifeMs: (state.leaseEnds.get(id ?? '') ?? 0) - clock,
    }),
    setLimit: async (budget, limit) => opened.change(budget, {limit: BigInt(limit)}, clock),
    pause: async budget => opened.change(budget, {paused: true}, clock),
    topUp: async (budget, amount) => opened.topUp(budget, BigInt(amount), clock),
    async debit(id, cost) {
      const amount = BigInt(cost);
      const lease = leaseOf(id);
      const window = state.windows.get(lease.window);
      assert.ok(window);
      state.leases.set(id, {...lease, settled: lease.settled + amount});
      const {spent, leased} = window;
      state.windows.set(window.id, {...window, spent: spent + amount, leased: leased - amount});
    },
    async overage(budget, amount) {
      const window = windowOf(budget);
      state.windows.set(window.id, {...window, overage: BigInt(amount)});
    },
    async beginFence(lease) {
      store.beginFence(lease);
    },
    beginFences: async pastMs => store.beginFences(undefined, pastMs),
    async advance(ms) {
      clock += ms;
    },
    async endWindow(budget, inMs) {
      clock = (opened.bounds.get(windowOf(budget).id)?.endsMs ?? 0) - inMs;
    },
    async passEnd(inMs) {
      clock += inMs;
    },
    markers: async () => [...state.outbox.values()],
    async relay() {
      state.outbox.clear();
    },
  };
};

const connect = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  const open = (role: 'superuser' | 'gateway') =>
    createPool({
      databaseUrl: database.url(role),
      name: 'test',
      connectionsMax: 8,
      connectTimeoutMs: 60_000,
    });
  const [root, pool] = [open('superuser'), open('gateway')];
  t.teardown(() => Promise.all([root.end(), pool.end()]));
  await root.query(`insert into orgs (id, name) values ($1, 'one')`, [org]);
  return {root, pool};
};

export const postgresWorld = async (
  t: ExecutionContext,
): Promise<LeaseWorld & {root: pg.Pool; pool: pg.Pool}> => {
  const {root, pool} = await connect(t);
  const run = async (sql: string, ...values: unknown[]) => {
    await root.query(sql, values);
  };
  const only = async (sql: string, ...values: unknown[]) => {
    const {rows} = await root.query(sql, values);
    assert.ok(rows[0]);
    return rows[0];
  };
  const interval = `make_interval(secs => $1::float8 / 1000)`;
  return {
    root,
    pool,
    gateway: (id = uuidv7()) =>
      gatewayOf(
        id,
        createLeaseWork({client: pool, gateway: id, environment: 'production', ttlMs}),
        async () => (await pool.query('select recalled_leases($1) as ids', [id])).rows[0].ids,
      ),
    async budget({limit = 1_000, period = 'none'} = {}) {
      const id = uuidv7();
      await run(
        `insert into budgets (id, org_id, unit, "limit", period) values ($1, $2, 'usd', $3, $4)`,
        id,
        org,
        limit,
        period,
      );
      return id;
    },
    window: budget =>
      only('select * from windows where budget_id = $1 order by starts_at desc', budget),
    lease: id =>
      only(
        `select *, gateway_id as gateway, extract(epoch from expires_at - now())::float8 * 1000 as "lifeMs"
         from leases where id = $1`,
        id,
      ),
    setLimit: (budget, limit) =>
      run('update budgets set "limit" = $2 where id = $1', budget, limit),
    pause: budget => run('update budgets set paused_at = now() where id = $1', budget),
    async topUp(budget, amount) {
      const client = await root.connect();
      try {
        await client.query('begin');
        await client.query(`select set_config('sluice.org', $1, true)`, [org]);
        await client.query('select top_up($1, $2, $3, null)', [budget, uuidv7(), amount]);
        await client.query('commit');
      } finally {
        client.release();
      }
    },
    debit: (lease, amount) =>
      run(
        `with l as (update leases set settled = settled + $2::bigint where id = $1 returning window_id)
         update windows set spent = spent + $2::bigint, leased = leased - $2::bigint from l where id = l.window_id`,
        lease,
        amount,
      ),
    overage: (budget, amount) =>
      run('update windows set overage = $2 where budget_id = $1', budget, amount),
    beginFence: lease =>
      run(`update leases set state = 'fencing', fencing_at = now() where id = $1`, lease),
    beginFences: async pastMs =>
      (await pool.query(`select begin_fences(null, ${interval}) as sent`, [pastMs])).rows[0].sent,
    async advance(ms) {
      await run(
        `update leases set expires_at = expires_at - ${interval}, fencing_at = fencing_at - ${interval}`,
        ms,
      );
      await run(`update gateways set seen_at = seen_at - ${interval}`, ms);
    },
    endWindow: (budget, inMs) =>
      run(
        `update windows set starts_at = starts_at - interval '1 day', ends_at = now() + ${interval} where budget_id = $2`,
        inMs,
        budget,
      ),
    // By its beginning it is of yesterday already.
    passEnd: async () => {},
    markers: async () =>
      (await root.query('select event from outbox order by id')).rows.map(row => row.event),
    relay: () => run('delete from outbox'),
  };
};
