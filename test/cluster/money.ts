/**
Money: an organisation of the test's own with a model of its own, and what the installation's books say of it.

In: the test, the budget's limit. Out: a client, and the accounts: ledger, usage records, rollup, budget.
*/
import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import type {ExecutionContext} from 'ava';
import {parseUsd} from '../../events/money.ts';
import type {BudgetView, LedgerView, UsageView} from '../helpers/admin.ts';
import {eventually} from '../helpers/eventually.ts';
import {type Installation, openInstallation} from '../helpers/installation.ts';
import {startModel} from '../helpers/simulated-model.ts';

export const messages = [{role: 'user' as const, content: 'Say something.'}];
/** What comes through Kafka: two sources, two functions from zero, their Services' first pods. */
export const patience = {timeoutMs: 300_000, intervalMs: 250};
/** Dear enough for a cost that is no round number of micro-USD. */
const price = {inputPerMillion: '1.37', outputPerMillion: '2.11'};

export const openMoney = async (t: ExecutionContext, {limit = '5.00'} = {}) => {
  t.timeout(20 * 60_000);
  const installation = openInstallation(t);
  const {admin, host} = installation;
  const model = `money-${randomBytes(4).toString('hex')}`;
  const server = await startModel(t, {host, models: [{name: model, maxModelLength: 8_192}]});
  const body = {
    name: model,
    environment: 'development',
    endpoints: [server.url],
    contextLength: 8_192,
    price,
  };
  // A node that starts many pods at once is slower than the ingress waits for one.
  await eventually(() => admin.post('/models', body), patience);
  const tenant = await eventually(() => admin.createTenant(model, {limit}), patience);
  const client = installation.openai(tenant.apiKey);
  // A gateway hears of a new key and a new model a moment later.
  await eventually(async () => {
    const {data} = await client.models.list();
    assert.ok(data.some(({id}) => id === model));
  }, patience);
  return {installation, tenant, client, model};
};

export type Tenant = Awaited<ReturnType<typeof openMoney>>['tenant'];

const sum = (rows: readonly {cost: string}[]) =>
  rows.reduce((total, {cost}) => total + parseUsd(cost), 0n);

/** What ledger, usage records, rollup and budget say of one organisation. */
export const accountsOf = async ({admin, pool}: Installation, {org, budget}: Tenant) => {
  const [ledger, daily, window, records] = await Promise.all([
    admin.get<{data: LedgerView[]}>(`/ledger?org=${org}`),
    admin.get<{data: UsageView[]}>(`/usage?org=${org}&granularity=day`),
    admin.get<BudgetView>(`/budgets/${budget}`),
    pool('system').query<{cost: string}>(
      'select cost_nanos::text as cost from usage_records where org_id = $1',
      [org],
    ),
  ]);
  return {
    rows: ledger.data,
    ledger: sum(ledger.data),
    daily: sum(daily.data),
    requests: daily.data.reduce((total, {requests}) => total + requests, 0),
    records: records.rows.map(({cost}) => BigInt(cost)),
    budget: window,
    spent: parseUsd(window.spent),
  };
};
