import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import anyTest, {type TestFn} from 'ava';
import {formatUsd} from '../../events/money.ts';
import {messageBytes, perItemTokens} from '../../functions/gateway/message-bytes.ts';
import {type Admin, createAdmin} from '../helpers/admin.ts';
import {asSuperuser, type Books, readBooks, wholeBooks} from '../helpers/books.ts';
import {eventually} from '../helpers/eventually.ts';
import {
  addressesOf,
  brokerOf,
  digestTables,
  forge,
  type Ids,
  postEvent,
} from '../helpers/outsider.ts';
import {type Sluice, startSluice} from '../helpers/sluice.ts';
import {messages, openStream, type Stream} from '../helpers/streams.ts';

type Context = {sluice: Sluice; admin: Admin};
const test = anyTest as TestFn<Context>;
const ends: (() => unknown)[] = [];

test.before(async t => {
  const sluice = await startSluice(
    {teardown: end => void ends.unshift(end)},
    {env: {LEASE_TTL_MS: '4000', DEFAULT_TOKENS: '5000', TOKEN_DELAY_MS: '10'}},
  );
  t.context = {sluice, admin: createAdmin(sluice)};
});
test.after.always(async () => {
  for (const end of ends) {
    await end();
  }
});

/** Sixty requests of 11 tokens in and 40 out. */
const limitNanos = 60 * (11 * 500 + 40 * 1_500);
const limitTokens = 60 * (11 + 40);
/** What the gateway holds for the prompt, in tokens: the smallest request needs that and one more. */
const promptBound = messageBytes(messages[0]) + perItemTokens;
const limits = {usd: limitNanos, tokens: limitTokens};
const step = {usd: 1_500, tokens: 1};
const smallest = {usd: promptBound * 500 + 1_500, tokens: promptBound + 1};

const burst = async ({url, model}: Sluice, apiKey: string, count = 200) => {
  const streams = await Promise.all(
    Array.from({length: count}, (_, index) =>
      openStream({url, model, apiKey, maxTokens: 40, stream: index % 2 === 0}),
    ),
  );
  await Promise.all(streams.map(({ended}) => ended));
  return streams;
};

/** Small requests, one after the other, until one is refused for good. How many were served. */
const spendTheRest = async ({url, model}: Sluice, apiKey: string): Promise<number> => {
  for (let served = 0; ; ) {
    const {status, ended} = await openStream({url, model, apiKey, maxTokens: 1, stream: false});
    await ended;
    if (status === 402) {
      return served;
    }
    assert.ok(status === 200 || status === 429, `a request that fits got ${status}`);
    served += status === 200 ? 1 : 0;
  }
};

const statusesOf = (streams: readonly Stream[]) => {
  const counts: Record<number, number> = {};
  for (const {status} of streams) {
    counts[status] = (counts[status] ?? 0) + 1;
  }
  return counts;
};

/** No budget was passed, nobody was charged for nothing, and every answer is in the books. */
const assertWithin = (books: Books, served: readonly string[]) => {
  for (const {limit, spent, overage} of books.windows) {
    assert.equal(overage, 0);
    assert.ok(spent <= limit, `${spent} of ${limit}`);
  }
  assert.deepEqual(
    books.ledger.map(({request}) => request),
    [...served].sort(),
  );
};

const servedOf = (streams: readonly Stream[]) =>
  streams.filter(({status}) => status === 200).map(({request}) => request);

for (const [unit, limit] of [
  ['usd', formatUsd(BigInt(limitNanos))],
  ['tokens', String(limitTokens)],
] as const) {
  test.serial(
    `200 requests at once on a budget in ${unit} for 60: none too many, no money left behind`,
    async t => {
      const {sluice, admin} = t.context;
      const tenant = await admin.createTenant(`Burst in ${unit}`, {limit, unit});
      const streams = await burst(sluice, tenant.apiKey);
      const {200: served = 0, 402: spent = 0, 429: busy = 0, ...others} = statusesOf(streams);
      t.deepEqual(others, {});
      t.log({served, spent, busy});
      // What fits at once is served; what goes back meanwhile serves a few more.
      t.true(served >= Math.floor(limits[unit] / (smallest[unit] + 39 * step[unit])));
      t.true(served < 90);
      t.true(streams.every(({status, text}) => status !== 200 || text().length > 0));

      const books = await wholeBooks(sluice.dataFolder, tenant.org);
      assertWithin(books, servedOf(streams));
      const more = await spendTheRest(sluice, tenant.apiKey);
      const after = await wholeBooks(sluice.dataFolder, tenant.org);
      t.is(after.ledger.length, served + more);
      const [window] = after.windows;
      t.is(window?.overage, 0);
      const left = (window?.limit ?? 0) - (window?.spent ?? 0);
      t.true(
        left >= 0 && left < smallest[unit],
        `${left} are left, and ${smallest[unit]} would be served`,
      );
    },
  );
}

test.serial(
  'three budgets at once: the tightest decides, all are charged alike, and none is passed',
  async t => {
    const {sluice, admin} = t.context;
    const tenant = await admin.createTenant('Three', {limit: '0.02'});
    await admin.post('/budgets', {
      project: tenant.project,
      unit: 'tokens',
      limit: String(limitTokens * 2),
      period: 'day',
    });
    const tight = await admin.post<{id: string}>('/budgets', {
      key: tenant.keyId,
      unit: 'usd',
      limit: '0.00393',
      period: 'none',
    });
    await eventually(async () => {
      const probe = await openStream({...sluice, apiKey: tenant.apiKey, maxTokens: 1});
      await probe.ended;
      const {windows} = await readBooks(sluice.dataFolder, tenant.org);
      assert.equal(windows.length, 3);
    });
    const before = (await wholeBooks(sluice.dataFolder, tenant.org)).ledger.map(
      ({request}) => request,
    );
    const streams = await burst(sluice, tenant.apiKey);
    const {200: served = 0, 402: spent = 0, 429: busy = 0, ...others} = statusesOf(streams);
    t.deepEqual(others, {});
    t.log({served, spent, busy});
    t.true(served >= 30 && served < 90, String(served));
    const books = await wholeBooks(sluice.dataFolder, tenant.org);
    assertWithin(books, [...before, ...servedOf(streams)]);
    const more = await spendTheRest(sluice, tenant.apiKey);
    t.true(more >= 0);
    const after = await wholeBooks(sluice.dataFolder, tenant.org);
    const of = (id: string) => after.windows.find(window => window.budget === id);
    const [ledger, tokens] = after.ledger.reduce(
      ([cost, sum], row) => [cost + row.costNanos, sum + row.inputTokens + row.outputTokens],
      [0, 0],
    );
    // The budgets of project and key came after the first requests may have been served.
    t.is(of(tenant.budget)?.spent, ledger);
    t.true((of(tight.id)?.spent ?? 0) <= limitNanos);
    t.true((after.windows.find(({unit}) => unit === 'tokens')?.spent ?? 0) <= tokens);
    const left = limitNanos - (of(tight.id)?.spent ?? 0);
    t.true(left < smallest.usd, `${left} nano-USD are left`);
  },
);

const counterOf = async ({dataFolder}: Sluice, name: string): Promise<number> => {
  const {port} = JSON.parse(await readFile(join(dataFolder, 'simulated-model.json'), 'utf8'));
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return text
    .split('\n')
    .filter(line => line.startsWith(`${name}{`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
};

test.serial(
  '200 streams whose client vanishes: the model stops, every hold is settled, only what was made is charged',
  async t => {
    const {sluice, admin} = t.context;
    const tenant = await admin.createTenant('Vanishing');
    const generated = await counterOf(sluice, 'simulated_tokens_generated_total');
    const streams = await Promise.all(
      Array.from({length: 200}, () =>
        openStream({...sluice, apiKey: tenant.apiKey, maxTokens: 4_000}),
      ),
    );
    t.deepEqual(
      statusesOf(streams),
      {200: 200},
      streams.find(({status}) => status !== 200)?.text(),
    );
    for (const stream of streams) {
      stream.destroy();
    }
    await eventually(async () => {
      assert.equal(await counterOf(sluice, 'vllm:num_requests_running'), 0);
    });
    const made = (await counterOf(sluice, 'simulated_tokens_generated_total')) - generated;
    const books = await wholeBooks(sluice.dataFolder, tenant.org, {free: true});
    assertWithin(books, servedOf(streams));
    t.is(books.ledger.length, 200);
    const charged = books.ledger.reduce((sum, {outputTokens}) => sum + outputTokens, 0);
    t.true(charged > 0 && charged <= made, `${charged} of ${made} tokens`);
    // What came through to the client was charged: a report is in every chunk.
    const received = streams.reduce((sum, stream) => sum + stream.tokens(), 0);
    t.true(charged >= received, `${charged} charged, ${received} received`);
  },
);

test.serial(
  'an outsider posts every type of event to every function and to the Broker: nothing changes',
  async t => {
    const {sluice, admin} = t.context;
    const tenant = await admin.createTenant('Victim');
    const streams = await Promise.all(
      Array.from({length: 3}, () => openStream({...sluice, apiKey: tenant.apiKey, maxTokens: 5})),
    );
    await Promise.all(streams.map(({ended}) => ended));
    await wholeBooks(sluice.dataFolder, tenant.org, {free: true});
    const ids = await idsOf(sluice, tenant);
    const functions = addressesOf(sluice);
    t.true(Object.keys(functions).length >= 8, Object.keys(functions).join());
    const broker = await brokerOf(sluice);
    const before = await digestTables(sluice.dataFolder);

    const accepted: string[] = [];
    for (const {type, event} of [...forge({}), ...forge(ids)]) {
      for (const [name, url] of Object.entries(functions)) {
        for (const mode of ['structured', 'batch'] as const) {
          // Once without a token, once with one that is good for something else.
          const token = mode === 'batch' ? `Bearer ${tenant.apiKey}` : '';
          const status = await postEvent(url, event, mode, {authorization: token});
          t.true(status < 500, `${type} to ${name}: ${status}`);
          if (['budget', 'usage'].includes(name)) {
            t.is(status, 401, `${type} to ${name}`);
          } else if (name === 'deadletter') {
            t.is(status, 204, `${type} to ${name}`);
          } else if (status < 300) {
            accepted.push(`${name} ${type}`);
          }
        }
      }
      t.is(await postEvent(broker, event, 'structured'), 202, type);
      t.true((await postEvent(sluice.url, event, 'structured')) !== 202);
    }
    // Hints, whose handlers look for themselves.
    t.deepEqual([...new Set(accepted)].sort(), [
      'hello dev.sluice.hello.requested.v1',
      'registry dev.sluice.endpoint.suspected.v1',
      'world dev.sluice.hello.greeted.v1',
    ]);
    await eventually(async () => {
      assert.equal((await readBooks(sluice.dataFolder, tenant.org)).open, 0);
    });
    t.deepEqual(await digestTables(sluice.dataFolder), before);
  },
);

/** Everything of the victim that an event could name. */
const idsOf = async (
  {dataFolder}: Sluice,
  {org, project, keyId, budget}: {org: string; project: string; keyId: string; budget: string},
): Promise<Ids> =>
  asSuperuser(dataFolder, async client => {
    const {rows} = await client.query<Record<string, unknown>>(
      `select l.request, l.model_id as "modelId", l.model, l.environment, l.price_version as "priceVersion",
         c ->> 'window' as window, c ->> 'lease' as lease, e.id as "endpointId", e.url as endpoint
       from ledger l, jsonb_array_elements(l.charges) c, endpoints e
       where l.org_id = $1 and e.model_id = l.model_id limit 1`,
      [org],
    );
    const {endpointId, modelId, ...found} = rows[0] as Record<string, unknown>;
    const one = Object.entries(found).map(([name, value]) => [name, [value]]);
    return {
      ...Object.fromEntries(one),
      orgid: [org],
      project: [project],
      key: [keyId],
      budget: [budget],
      modelId: [modelId],
      model: [found.model, modelId],
      endpoint: [found.endpoint, endpointId],
      dueBefore: ['2100-01-01T00:00:00.000Z'],
    };
  });
