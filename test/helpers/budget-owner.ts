/**
Budget owner: the admin API beside what gateways and the debit do to the same budgets, all on one PostgreSQL.

In: the test. Out: calls of the API, grants and returns by the real lease_work, charges by the real debit, and the rows.
*/
import type {ExecutionContext} from 'ava';
import {createPool} from '../../events/database.ts';
import type {Event} from '../../events/event.ts';
import {uuidv7} from '../../events/uuid.ts';
import {debit} from '../../functions/budget/debit.ts';
import {createPostgresStore} from '../../functions/budget/store-postgres.ts';
import {startAdmin} from './admin-server.ts';
import {finished, started, window as windowRow} from './budget.ts';

export type Grant = Readonly<{
  budget: string;
  window: string;
  lease: string | null;
  granted: number | null;
  available: number;
}>;
type Work = Readonly<{
  grants?: ReadonlyArray<{budget: string; needed: number; max: number}>;
  renewals?: readonly string[];
  returns?: ReadonlyArray<{lease: string; total: number}>;
}>;
export type Unit = 'usd' | 'tokens' | 'gpu_ms';

const connectionsMax = 8;
const connectTimeoutMs = 60_000;

export const startBudgetOwner = async (t: ExecutionContext) => {
  const admin = await startAdmin(t);
  const tenant = await admin.createTenant('one');
  const connect = (role: 'superuser' | 'gateway' | 'system') => {
    const databaseUrl = admin.database.url(role);
    const pool = createPool({databaseUrl, name: 'test', connectionsMax, connectTimeoutMs});
    t.teardown(() => pool.end());
    return pool;
  };
  const [root, gateways, system] = [connect('superuser'), connect('gateway'), connect('system')];
  const store = createPostgresStore({pool: system});
  const deliver = debit({store});

  const work = async (gateway: string, wanted: Work): Promise<{grants: Grant[]}> => {
    const {rows} = await gateways.query(`select lease_work($1, 'production', 60000, $2) as done`, [
      gateway,
      JSON.stringify(wanted),
    ]);
    return rows[0].done;
  };
  const rowsOf = async <Row>(text: string, ...values: unknown[]): Promise<Row[]> =>
    (await root.query(text, values)).rows;

  return {
    ...admin,
    tenant,
    root,
    work,
    deliver,
    rowsOf,
    /** A budget of the organisation, made by the API. */
    async budget(fields: object = {}) {
      const {id} = await admin.create('/admin/v1/budgets', {
        org: tenant.org,
        unit: 'tokens',
        limit: 1_000,
        period: 'month',
        ...fields,
      });
      return id;
    },
    change: (id: string, body: object) => admin.call('PATCH', `/admin/v1/budgets/${id}`, body),
    topUp: (id: string, body: object) =>
      admin.call('POST', `/admin/v1/budgets/${id}/top-ups`, body),
    show: async (id: string) => (await admin.call('GET', `/admin/v1/budgets/${id}`)).body,
    async grant(id: string, amount: number, gateway = uuidv7()): Promise<Grant> {
      const {grants} = await work(gateway, {grants: [{budget: id, needed: amount, max: amount}]});
      return grants[0] as Grant;
    },
    giveBack: (gateway: string, {lease}: Grant, total: number) =>
      work(gateway, {returns: [{lease: lease as string, total}]}),
    /** The events of one request that was served on a lease. */
    eventsOf(grant: Grant, amount: number, {unit = 'tokens' as Unit, hold = amount} = {}): Event[] {
      const request = uuidv7();
      const place = windowRow({id: grant.window, budget: grant.budget, unit});
      const use = {window: place, lease: grant.lease as string, hold, amount};
      return [started(request, [use], {}, tenant.org), finished(request, [use], {}, tenant.org)];
    },
    async window(id: string) {
      const rows = await rowsOf<Record<string, unknown>>(
        'select * from windows where budget_id = $1 order by starts_at desc',
        id,
      );
      return rows[0] as Record<string, unknown>;
    },
    /** How many changes of a budget gateways were told of. */
    async changesOf(id: string): Promise<number> {
      const rows = await rowsOf(`select from changes where kind = 'budget' and subject = $1`, id);
      return rows.length;
    },
    /** The ids of what waits for the broker, in order. */
    async sentOf(id: string): Promise<string[]> {
      const rows = await rowsOf<{event_id: string}>(
        `select event_id from outbox where destination = 'broker:default' and event_id like $1 || '/%' order by id`,
        id,
      );
      return rows.map(row => row.event_id.slice(id.length + 1));
    },
  };
};

export type BudgetOwner = Awaited<ReturnType<typeof startBudgetOwner>>;
