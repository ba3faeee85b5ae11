import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import test from 'ava';
import OpenAI, {type APIError} from 'openai';
import {parseUsd} from '../../events/money.ts';
import {
  type Admin,
  type BudgetView,
  createAdmin,
  type LedgerView,
  type UsageView,
} from '../helpers/admin.ts';
import {eventually} from '../helpers/eventually.ts';
import {startSluice} from '../helpers/sluice.ts';

const messages = [{role: 'user' as const, content: 'Say something.'}];
const clientOf = (url: string, apiKey: string) =>
  new OpenAI({baseURL: `${url}/v1`, apiKey, maxRetries: 0});

/** The usage of a response and of a message, each by its own client. */
const askOtherwise = async (client: OpenAI, baseURL: string, apiKey: string, model: string) => {
  const anthropic = new Anthropic({baseURL, apiKey, maxRetries: 0});
  const response = await client.responses.create({model, input: 'Say something.'});
  const message = await anthropic.messages.stream({model, messages, max_tokens: 9}).finalMessage();
  return [response.usage as OpenAI.Responses.ResponseUsage, message.usage];
};

/** What ledger, usage records, rollup and budget say of one organisation. */
const accountsOf = async (admin: Admin, tenant: {org: string; budget: string}) => {
  const [ledger, daily, records, budget] = await Promise.all([
    admin.get<{data: LedgerView[]}>(`/ledger?org=${tenant.org}`),
    admin.get<{data: UsageView[]}>(`/usage?org=${tenant.org}&granularity=day`),
    admin.get<{data: UsageView[]}>(`/usage?org=${tenant.org}&granularity=hour`),
    admin.get<BudgetView>(`/budgets/${tenant.budget}`),
  ]);
  const sum = (rows: readonly {cost: string}[]) =>
    rows.reduce((total, {cost}) => total + parseUsd(cost), 0n);
  return {
    rows: ledger.data,
    ledger: sum(ledger.data),
    daily: sum(daily.data),
    hourly: sum(records.data),
    requests: daily.data.reduce((total, {requests}) => total + requests, 0),
    spent: parseUsd(budget.spent),
    budget,
  };
};

test('an unmodified OpenAI client is served, metered, charged and reported, to the nano-USD', async t => {
  const sluice = await startSluice(t);
  const admin = createAdmin(sluice);
  const tenant = await admin.createTenant('Example');
  const client = clientOf(sluice.url, tenant.apiKey);
  const seen: {prompt_tokens: number; completion_tokens?: number}[] = [];

  const whole = await client.chat.completions.create({
    model: sluice.model,
    messages,
    max_tokens: 20,
  });
  t.is(whole.choices[0]?.finish_reason, 'length');
  seen.push(whole.usage as OpenAI.CompletionUsage);

  const stream = await client.chat.completions.create({
    model: sluice.model,
    messages,
    stream: true,
    stream_options: {include_usage: true},
    max_tokens: 15,
  });
  let text = '';
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    if (chunk.usage) {
      seen.push(chunk.usage);
    }
  }
  t.is(Buffer.byteLength(text), 60);

  const models = await client.models.list();
  t.true(models.data.some(({id}) => id === sluice.model));
  const embeddings = await client.embeddings.create({
    model: 'simulated-embedding',
    input: ['one', 'two words'],
  });
  t.is(embeddings.data.length, 2);
  seen.push(embeddings.usage);
  const completion = await client.completions.create({model: sluice.model, prompt: 'Once'});
  seen.push(completion.usage as OpenAI.CompletionUsage);
  for (const usage of await askOtherwise(client, sluice.url, tenant.apiKey, sluice.model)) {
    seen.push({prompt_tokens: usage.input_tokens, completion_tokens: usage.output_tokens});
  }

  await t.throwsAsync(clientOf(sluice.url, `${tenant.apiKey.slice(0, -4)}AAAA`).models.list(), {
    instanceOf: OpenAI.AuthenticationError,
  });
  await t.throwsAsync(client.chat.completions.create({model: 'nope', messages}), {
    instanceOf: OpenAI.NotFoundError,
  });

  const books = await eventually(async () => {
    const found = await accountsOf(admin, tenant);
    assert.equal(found.rows.length, 6);
    assert.equal(found.requests, 6);
    assert.equal(found.spent, found.ledger);
    return found;
  });
  t.true(books.ledger > 0n);
  t.is(books.daily, books.ledger);
  t.is(books.hourly, books.ledger);
  const charged = books.rows.reduce(
    (total, {inputTokens, outputTokens}) => total + inputTokens + outputTokens,
    0,
  );
  t.is(
    charged,
    seen.reduce((total, usage) => total + usage.prompt_tokens + (usage.completion_tokens ?? 0), 0),
  );
  t.is(books.budget.overage, '0.00');
  t.is(parseUsd(books.budget.remaining), parseUsd(books.budget.limit) - books.spent);
});

test('a spent budget is refused as the OpenAI client expects it, and never overspent', async t => {
  const sluice = await startSluice(t);
  const admin = createAdmin(sluice);
  const tenant = await admin.createTenant('Small', {limit: '0.0002'});
  const client = clientOf(sluice.url, tenant.apiKey);
  const outcomes = await Promise.allSettled(
    Array.from({length: 60}, () =>
      client.chat.completions.create({model: sluice.model, messages, max_tokens: 40}),
    ),
  );
  const refusals = outcomes.flatMap(outcome =>
    outcome.status === 'rejected' ? [outcome.reason as APIError] : [],
  );
  t.true(refusals.length > 0 && refusals.length < 60);
  t.deepEqual(
    [...new Set(refusals.map(({status}) => status))].filter(
      status => status !== 402 && status !== 429,
    ),
    [],
  );

  const error = await eventually(async () => {
    const refused = (await client.chat.completions
      .create({model: sluice.model, messages, max_tokens: 40})
      .then(
        () => undefined,
        (reason: APIError) => reason,
      )) as APIError | undefined;
    assert.equal(refused?.status, 402);
    return refused;
  });
  t.is(error?.code, 'insufficient_quota');
  const books = await eventually(async () => {
    const found = await accountsOf(admin, tenant);
    assert.equal(found.spent, found.ledger);
    assert.equal(found.daily, found.ledger);
    return found;
  });
  t.true(books.spent <= parseUsd('0.0002'));
  t.is(books.budget.overage, '0.00');
});

test('a revoked key is refused within a second, and a new one works at once', async t => {
  const sluice = await startSluice(t);
  const admin = createAdmin(sluice);
  const tenant = await admin.createTenant('Keys');
  const client = clientOf(sluice.url, tenant.apiKey);
  await client.models.list();
  await admin.delete(`/keys/${tenant.keyId}`);
  await eventually(
    () => assert.rejects(async () => client.models.list(), OpenAI.AuthenticationError),
    {timeoutMs: 10_000},
  );
  const fresh = await admin.post<{key: string}>(`/projects/${tenant.project}/keys`, {
    name: 'fresh',
  });
  t.true((await clientOf(sluice.url, fresh.key).models.list()).data.length > 0);
});

test('kill -9 of everything in mid-stream: after a restart the request is once in the ledger and once in the usage', async t => {
  const environment = {
    REQUEST_TIMEOUT_MS: '8000',
    UNSETTLED_GRACE_MS: '500',
    LEASE_TTL_MS: '8000',
    TOKEN_DELAY_MS: '100',
    DEFAULT_TOKENS: '1000',
  };
  const first = await startSluice(t, {env: environment});
  const tenant = await createAdmin(first).createTenant('Killed');
  const stream = await clientOf(first.url, tenant.apiKey).chat.completions.create({
    model: first.model,
    messages,
    stream: true,
    max_tokens: 1_000,
  });
  let chunks = 0;
  await t.throwsAsync(async () => {
    for await (const _chunk of stream) {
      chunks += 1;
      if (chunks === 3) {
        await first.killAll();
      }
    }
  });
  t.true(chunks >= 3);

  const second = await startSluice(t, {env: environment, dataFolder: first.dataFolder});
  const admin = createAdmin(second);
  const books = await eventually(
    async () => {
      const found = await accountsOf(admin, tenant);
      assert.equal(found.rows.length, 1);
      assert.equal(found.requests, 1);
      assert.equal(found.spent, found.ledger);
      assert.equal(parseUsd(found.budget.leased), 0n);
      return found;
    },
    {timeoutMs: 90_000},
  );
  t.is(books.rows[0]?.entry, 'unsettled');
  t.true(books.ledger > 0n);
  t.is(books.daily, books.ledger);
  t.is(books.budget.overage, '0.00');
});
