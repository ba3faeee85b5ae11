import assert from 'node:assert/strict';
import anyTest, {type TestFn} from 'ava';
import {
  type SimulatedModel,
  type SimulatedModelOptions,
  startSimulatedModel,
} from '../../knative/local/simulated-model/server.ts';
import {type Admin, createAdmin, type LedgerView} from '../helpers/admin.ts';
import {readBooks, wholeBooks} from '../helpers/books.ts';
import {eventually} from '../helpers/eventually.ts';
import {type Sluice, startSluice} from '../helpers/sluice.ts';
import {freePort} from '../runner/server.ts';

type Context = {sluice: Sluice; admin: Admin};
const test = anyTest as TestFn<Context>;
const ends: (() => unknown)[] = [];
const teardown = {teardown: (end: () => unknown) => void ends.unshift(end)};

test.before(async t => {
  t.timeout(120_000);
  const sluice = await startSluice(teardown);
  t.context = {sluice, admin: createAdmin(sluice)};
});
test.after.always(async () => {
  for (const end of ends) {
    await end();
  }
});

const serve = async (
  name: string,
  options: SimulatedModelOptions = {},
): Promise<SimulatedModel> => {
  const model = await startSimulatedModel({models: [{name, maxModelLength: 8_192}], ...options});
  ends.unshift(model.close);
  return model;
};

const register = (
  {admin, sluice}: Context,
  name: string,
  endpoints: readonly unknown[],
  more: object = {},
) =>
  admin.post('/models', {
    name,
    environment: sluice.environment,
    endpoints,
    price: {inputPerMillion: '1.00', outputPerMillion: '2.00'},
    ...more,
  });

const asker =
  ({sluice}: Context, apiKey: string) =>
  (model: string, more: object = {}) =>
    fetch(`${sluice.url}/v1/chat/completions`, {
      method: 'POST',
      headers: {authorization: `Bearer ${apiKey}`, 'content-type': 'application/json'},
      body: JSON.stringify({
        model,
        max_tokens: 10,
        messages: [{role: 'user', content: 'Say something.'}],
        ...more,
      }),
    });

const ledgerOf = async ({admin}: Context, org: string) =>
  (await admin.get<{data: LedgerView[]}>(`/ledger?org=${org}`)).data;

/** What it sent for these; the registry's probes have it send some too. */
const sentFor = (model: SimulatedModel, ledger: readonly {request: string}[]) =>
  ledger.reduce((sum, {request}) => sum + (model.requestCounters(request)?.tokensSent ?? 0), 0);

test('with one of two endpoints gone every request is answered, and settled once at what the other sent', async t => {
  t.timeout(120_000);
  const first = await serve('pair');
  const second = await serve('pair');
  await register(t.context, 'pair', [first.url, second.url]);
  const tenant = await t.context.admin.createTenant('Pair');
  const ask = asker(t.context, tenant.apiKey);
  await first.close();
  const statuses = await Promise.all(
    Array.from({length: 40}, async (_, index) => {
      const response = await ask('pair', {stream: index % 2 === 0});
      await response.arrayBuffer();
      return response.status;
    }),
  );
  t.deepEqual([...new Set(statuses)], [200]);
  await wholeBooks(t.context.sluice.dataFolder, tenant.org, {timeoutMs: 60_000});
  const {ledger} = await readBooks(t.context.sluice.dataFolder, tenant.org);
  t.is(ledger.length, 40);
  t.is(
    ledger.reduce((sum, {outputTokens}) => sum + outputTokens, 0),
    sentFor(second, ledger),
  );
});

test('when no endpoint answers, the fallback does, charged at its price under an id of its own', async t => {
  t.timeout(120_000);
  const dear = await serve('dear');
  const cheap = await serve('cheap');
  await register(t.context, 'cheap', [cheap.url], {
    price: {inputPerMillion: '0.10', outputPerMillion: '0.20'},
  });
  await register(t.context, 'dear', [dear.url], {fallbacks: ['cheap']});
  const tenant = await t.context.admin.createTenant('Fallback');
  await dear.close();
  const response = await asker(t.context, tenant.apiKey)('dear', {stream: true});
  t.is(response.status, 200);
  t.is(response.headers.get('x-sluice-model'), 'cheap');
  t.true((await response.text()).includes('[DONE]'));
  await wholeBooks(t.context.sluice.dataFolder, tenant.org, {timeoutMs: 60_000});
  const rows = await ledgerOf(t.context, tenant.org);
  t.is(rows.length, 2);
  const charged = rows.find(({request}) => request === response.headers.get('x-request-id'));
  t.deepEqual(
    rows.filter(row => row !== charged).map(({cost, outputTokens}) => [Number(cost), outputTokens]),
    [[0, 0]],
  );
  const nanos = (charged?.inputTokens ?? 0) * 100 + (charged?.outputTokens ?? 0) * 200;
  t.is(Math.round(Number(charged?.cost) * 1e9), nanos);
});

test('with everything down the client is told so, and nothing is charged', async t => {
  t.timeout(120_000);
  const lone = await serve('lone');
  await register(t.context, 'lone', [lone.url], {fallbacks: ['not-there']});
  const tenant = await t.context.admin.createTenant('Down');
  const ask = asker(t.context, tenant.apiKey);
  await lone.close();
  const statuses = new Set<number>();
  for (let index = 0; index < 8; index++) {
    statuses.add((await ask('lone')).status);
  }
  // The first ones are sent out in vain; then the circuit is open.
  t.deepEqual([...statuses].sort(), [502, 503]);
  await wholeBooks(t.context.sluice.dataFolder, tenant.org, {timeoutMs: 60_000});
  const {ledger} = await readBooks(t.context.sluice.dataFolder, tenant.org);
  t.deepEqual([...new Set(ledger.map(({costNanos}) => costNanos))], [0]);
});

test('a model that scaled to zero is waited for, and each request is settled once', async t => {
  t.timeout(120_000);
  const port = await freePort();
  await register(t.context, 'asleep', [`http://127.0.0.1:${port}`], {
    startSeconds: 60,
    contextLength: 8_192,
  });
  const tenant = await t.context.admin.createTenant('Asleep');
  const ask = asker(t.context, tenant.apiKey);
  const answers = Promise.all(
    Array.from({length: 10}, async (_, index) => {
      const response = await ask('asleep', {stream: index % 2 === 0});
      return [response.status, (await response.text()).includes('chat.completion')] as const;
    }),
  );
  // All are held: their intents are in the log, and no result.
  await eventually(
    async () => {
      const {open} = await readBooks(t.context.sluice.dataFolder, tenant.org);
      assert.ok(open >= 10, `${open} are open`);
    },
    {timeoutMs: 30_000},
  );
  const model = await serve('asleep', {port});
  t.deepEqual([...new Set((await answers).map(String))], ['200,true']);
  await wholeBooks(t.context.sluice.dataFolder, tenant.org, {timeoutMs: 60_000});
  const {ledger} = await readBooks(t.context.sluice.dataFolder, tenant.org);
  t.is(ledger.length, 10);
  t.is(
    ledger.reduce((sum, {outputTokens}) => sum + outputTokens, 0),
    sentFor(model, ledger),
  );
});
