/** The money path on a cluster: an unmodified client, the ingress, the gateway, Kafka, two sources, two functions, one ledger. */
import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import test, {type ExecutionContext} from 'ava';
import OpenAI, {type APIError} from 'openai';
import {parseUsd} from '../../events/money.ts';
import type {BudgetView, LedgerView, UsageView} from '../helpers/admin.ts';
import {eventually} from '../helpers/eventually.ts';
import {type Installation, openInstallation} from '../helpers/installation.ts';
import {startModel} from '../helpers/simulated-model.ts';

const messages = [{role: 'user' as const, content: 'Say something.'}];
/** What comes through Kafka: two sources, two functions from zero, their Services' first pods. */
const patience = {timeoutMs: 120_000, intervalMs: 250};
/** Dear enough for a cost that is no round number of micro-USD. */
const price = {inputPerMillion: '1.37', outputPerMillion: '2.11'};

const open = async (t: ExecutionContext, {limit = '5.00'} = {}) => {
  t.timeout(10 * 60_000);
  const installation = openInstallation(t);
  const {admin, host} = installation;
  const model = `money-${randomBytes(4).toString('hex')}`;
  const server = await startModel(t, {host, models: [{name: model, maxModelLength: 8_192}]});
  await admin.post('/models', {
    name: model,
    environment: 'development',
    endpoints: [server.url],
    contextLength: 8_192,
    price,
  });
  const tenant = await admin.createTenant(model, {limit});
  const client = installation.openai(tenant.apiKey);
  // A gateway hears of a new key and a new model a moment later.
  await eventually(async () => {
    const {data} = await client.models.list();
    assert.ok(data.some(({id}) => id === model));
  }, patience);
  return {installation, tenant, client, model};
};

type Tenant = Awaited<ReturnType<typeof open>>['tenant'];

const sum = (rows: readonly {cost: string}[]) =>
  rows.reduce((total, {cost}) => total + parseUsd(cost), 0n);

/** What ledger, usage records, rollup and budget say of one organisation. */
const accountsOf = async ({admin, pool}: Installation, {org, budget}: Tenant) => {
  const [ledger, daily, window, records] = await Promise.all([
    admin.get<{data: LedgerView[]}>(`/ledger?org=${org}`),
    admin.get<{data: UsageView[]}>(`/usage?org=${org}&granularity=day`),
    admin.get<BudgetView>(`/budgets/${budget}`),
    pool('superuser').query<{cost: string}>(
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

/** Nano-USD of what a model server reported: half-even, once a request. */
const costOf = ({prompt_tokens, completion_tokens}: OpenAI.CompletionUsage): bigint => {
  const exact = BigInt(prompt_tokens) * 1_370n + BigInt(completion_tokens) * 2_110n;
  return exact;
};

test.serial(
  'completions, whole and streamed, are charged to the nano-USD, and recorded and rolled up',
  async t => {
    const {installation, tenant, client, model} = await open(t);
    const whole = await client.chat.completions
      .create({model, messages, max_tokens: 20})
      .withResponse();
    const stream = await client.chat.completions.create({
      model,
      messages,
      stream: true,
      stream_options: {include_usage: true},
      max_tokens: 15,
    });
    const used = [whole.data.usage as OpenAI.CompletionUsage];
    let text = '';
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      if (chunk.usage) {
        used.push(chunk.usage);
      }
    }
    t.is(Buffer.byteLength(text), 60);
    t.is(used.length, 2);

    const books = await eventually(async () => {
      const found = await accountsOf(installation, tenant);
      assert.equal(found.rows.length, 2);
      assert.equal(found.requests, 2);
      assert.equal(found.records.length, 2);
      return found;
    }, patience);
    const due = used.map(costOf);
    t.deepEqual(books.rows.map(({cost}) => parseUsd(cost)).sort(), [...due].sort());
    t.is(
      books.ledger,
      due.reduce((total, cost) => total + cost, 0n),
    );
    t.deepEqual(books.records.sort(), [...due].sort());
    t.is(books.daily, books.ledger);
    t.is(books.spent, books.ledger);
    t.is(books.budget.overage, '0.00');

    const id = whole.response.headers.get('x-request-id');
    const explained = await installation.admin.get<{
      model: string;
      cost: {agrees: boolean; charged: string};
      usageRecorded: boolean;
    }>(`/requests/${id}?org=${tenant.org}`);
    t.true(explained.cost.agrees);
    t.log(JSON.stringify(explained));
  },
);

test.serial('a budget that is spent is a 402 to the client, and is not overspent', async t => {
  const {installation, tenant, client, model} = await open(t, {limit: '0.0004'});
  const error = await eventually(async () => {
    const refused = await client.chat.completions.create({model, messages, max_tokens: 40}).then(
      () => undefined,
      (reason: APIError) => reason,
    );
    assert.equal(refused?.status, 402);
    return refused;
  }, patience);
  t.is(error?.code, 'insufficient_quota');
  const books = await eventually(async () => {
    const found = await accountsOf(installation, tenant);
    assert.equal(found.spent, found.ledger);
    assert.equal(found.daily, found.ledger);
    assert.ok(found.ledger > 0n);
    return found;
  }, patience);
  t.true(books.spent <= parseUsd('0.0004'));
  t.is(books.budget.overage, '0.00');
});

test.serial('a key that is revoked is a 401 within five seconds, and a new one works', async t => {
  const {installation, tenant, client} = await open(t);
  await client.models.list();
  await installation.admin.delete(`/keys/${tenant.keyId}`);
  const revoked = performance.now();
  await eventually(
    () => assert.rejects(async () => client.models.list(), OpenAI.AuthenticationError),
    {timeoutMs: 5_000},
  );
  t.log(`refused ${Math.round(performance.now() - revoked)} ms after the answer of the admin API`);
  const fresh = await installation.admin.post<{key: string}>(`/projects/${tenant.project}/keys`, {
    name: 'fresh',
  });
  t.true((await installation.openai(fresh.key).models.list()).data.length > 0);
});

test.serial('only the front door is public: no other function answers by the ingress', async t => {
  t.timeout(60_000);
  const installation = openInstallation(t);
  const [, domain = ''] = /^https?:\/\/gateway\.(.*)$/.exec(
    installation.services.gateway?.url ?? '',
  ) as RegExpExecArray;
  const answers = await Promise.all(
    Object.keys(installation.services).map(async name => {
      const {status} = await installation.fetch(`http://${name}.${domain}/healthz`);
      return [name, status === 404 ? 'nobody' : 'somebody'];
    }),
  );
  t.deepEqual(
    answers.filter(([, who]) => who === 'somebody').map(([name]) => name),
    ['gateway'],
  );
});
