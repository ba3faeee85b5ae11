import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import anyTest, {type TestFn} from 'ava';
import {formatUsd} from '../../events/money.ts';
import {messageBytes, perItemTokens} from '../../functions/gateway/admission/message-bytes.ts';
import {type Admin, createAdmin} from '../helpers/admin.ts';
import {type Books, readBooks, wholeBooks} from '../helpers/books.ts';
import {eventually} from '../helpers/eventually.ts';
import {type Sluice, startSluice} from '../helpers/sluice.ts';
import {messages, openStream, type Stream} from '../helpers/streams.ts';

type Context = {sluice: Sluice; admin: Admin};
const test = anyTest as TestFn<Context>;
const ends: (() => unknown)[] = [];

test.before(async t => {
  const sluice = await startSluice(
    {teardown: end => void ends.unshift(end)},
    {env: {LEASE_TTL_MS: '8000', DEFAULT_TOKENS: '5000', TOKEN_DELAY_MS: '10'}},
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
