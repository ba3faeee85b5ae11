/** The money path on a cluster: an unmodified client, the ingress, the gateway, Kafka, two sources, two functions, one ledger. */
import assert from 'node:assert/strict';
import test from 'ava';
import OpenAI, {type APIError} from 'openai';
import {parseUsd} from '../../events/money.ts';
import {eventually} from '../helpers/eventually.ts';
import {openInstallation} from '../helpers/installation.ts';
import {accountsOf, messages, openMoney, patience} from './money.ts';

/** Nano-USD of what the model server reported, by the prices of `money.ts`. */
const costOf = ({prompt_tokens, completion_tokens}: OpenAI.CompletionUsage): bigint =>
  BigInt(prompt_tokens) * 1_370n + BigInt(completion_tokens) * 2_110n;

test.serial(
  'completions, whole and streamed, are charged to the nano-USD, and recorded and rolled up',
  async t => {
    const {installation, tenant, client, model} = await openMoney(t);
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
    const explained = await installation.admin.get(`/requests/${id}?org=${tenant.org}`);
    t.like(explained, {
      state: 'settled',
      outcome: 'completed',
      model,
      usageRecorded: true,
      deadLetters: [],
      cost: {agrees: true, outputTokens: 20},
    });
  },
);

test.serial('a budget that is spent is a 402 to the client, and is not overspent', async t => {
  const {installation, tenant, client, model} = await openMoney(t, {limit: '0.0004'});
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
  const {installation, tenant, client} = await openMoney(t);
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

test.serial(
  'only the front doors are public: no other function answers by the ingress',
  async t => {
    t.timeout(10 * 60_000);
    const {services, fetch} = openInstallation(t);
    const domain = new URL(services.gateway?.url ?? '').hostname.replace(/^gateway\./, '');
    const answered: string[] = [];
    for (const name of Object.keys(services)) {
      const {status} = await fetch(`http://${name}.${domain}/healthz`);
      if (status !== 404) {
        answered.push(name);
      }
    }
    t.deepEqual(answered.sort(), ['events-ingress', 'gateway']);
  },
);
