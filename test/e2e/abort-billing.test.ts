import assert from 'node:assert/strict';
import anyTest, {type TestFn} from 'ava';
import {
  type SimulatedModel,
  type SimulatedModelOptions,
  startSimulatedModel,
} from '../../knative/local/simulated-model/server.ts';
import {type Admin, createAdmin} from '../helpers/admin.ts';
import {asSuperuser, wholeBooks} from '../helpers/books.ts';
import {
  type Cut,
  createRandom,
  cutStream,
  integerFrom,
  type Random,
} from '../helpers/cut-streams.ts';
import {eventually} from '../helpers/eventually.ts';
import {type Sluice, startSluice} from '../helpers/sluice.ts';

type Context = {sluice: Sluice; admin: Admin};
const test = anyTest as TestFn<Context>;
const ends: (() => unknown)[] = [];
const teardown = {teardown: (end: () => unknown) => void ends.unshift(end)};

/** By the same seed clients go at the same places; `SEED=7 npm run test:only -- …` repeats a run as far as that goes. */
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1_000_000));
const atOnce = 40;
const maxTokens = 100;

test.before(async t => {
  t.timeout(240_000);
  const sluice = await startSluice(teardown);
  t.context = {sluice, admin: createAdmin(sluice)};
});
test.after.always(async () => {
  for (const end of ends) {
    await end();
  }
});

const register = async (
  {sluice, admin}: Context,
  name: string,
  options: SimulatedModelOptions,
): Promise<SimulatedModel> => {
  const model = await startSimulatedModel({models: [{name, maxModelLength: 200_000}], ...options});
  ends.unshift(model.close);
  const {endpoints} = await admin.post<{endpoints: {usage: string}[]}>('/models', {
    name,
    environment: sluice.environment,
    endpoints: [model.url],
    price: {inputPerMillion: '0.50', outputPerMillion: '1.50'},
  });
  assert.equal(endpoints[0]?.usage, options.usage ?? 'every-chunk');
  return model;
};

type Row = Readonly<{
  request: string;
  inputTokens: number;
  outputTokens: number;
  estimated: boolean;
}>;

const ledgerOf = ({sluice}: Context, org: string): Promise<Row[]> =>
  asSuperuser(sluice.dataFolder, async client => {
    const {rows} = await client.query<Row>(
      `select request, input_tokens::float8 as "inputTokens", output_tokens::float8 as "outputTokens", estimated
       from ledger where org_id = $1`,
      [org],
    );
    return rows;
  });

/** Most clients go in the middle, some before there is anything, some with the last events, some after they stopped reading. */
const drawCut = (random: Random): Cut => {
  const at = random();
  if (at < 0.25) {
    return {kind: 'time', ms: integerFrom(random, 0, 300)};
  }
  if (at < 0.65) {
    return {kind: 'bytes', count: integerFrom(random, 1, 28_000)};
  }
  if (at < 0.85) {
    return {kind: 'events', count: integerFrom(random, maxTokens - 4, maxTokens + 2)};
  }
  if (at < 0.95) {
    return {kind: 'stalled', count: integerFrom(random, 1, 20_000), ms: integerFrom(random, 1, 80)};
  }
  return {kind: 'never'};
};

const cutAll = async (
  {sluice}: Context,
  apiKey: string,
  models: readonly string[],
  {count, random, draw = drawCut}: {count: number; random: Random; draw?: (random: Random) => Cut},
) => {
  const plans = Array.from({length: count}, (_, index) => ({
    ...sluice,
    apiKey,
    model: models[index % models.length] as string,
    maxTokens,
    choices: random() < 0.1 ? 2 : 1,
    cut: draw(random),
  }));
  const waiting = [...plans];
  await Promise.all(
    Array.from({length: atOnce}, async () => {
      for (let next = waiting.pop(); next; next = waiting.pop()) {
        await cutStream(next);
      }
    }),
  );
};

/** The ledger when everything is over, beside what the model servers say of each of its requests. */
const compare = async (context: Context, org: string, models: readonly SimulatedModel[]) => {
  await eventually(
    () =>
      assert.equal(
        models.reduce((sum, model) => sum + model.counters().running, 0),
        0,
      ),
    {timeoutMs: 30_000},
  );
  await wholeBooks(context.sluice.dataFolder, org, {timeoutMs: 60_000});
  const rows = await ledgerOf(context, org);
  return rows.map(row => {
    const counted = models.map(model => model.requestCounters(row.request)).find(Boolean);
    return {
      ...row,
      reached: counted !== undefined,
      sent: counted?.tokensSent ?? 0,
      generated: counted?.tokensGenerated ?? 0,
      prompt: counted?.promptTokens ?? 0,
    };
  });
};

type Compared = Awaited<ReturnType<typeof compare>>[number];

const sumOf = (rows: readonly Compared[], name: 'sent' | 'generated' | 'outputTokens') =>
  rows.reduce((sum, row) => sum + row[name], 0);

/** Sums, and how far single requests are off. */
const summary = (rows: readonly Compared[]) => ({
  seed,
  requests: rows.length,
  charged: sumOf(rows, 'outputTokens'),
  sent: sumOf(rows, 'sent'),
  generated: sumOf(rows, 'generated'),
  estimated: rows.filter(({estimated}) => estimated).length,
  differing: rows.filter(({outputTokens, sent}) => outputTokens !== sent).length,
  nothingSent: rows.filter(({sent}) => sent === 0).length,
});

test.serial(
  '1,200 streams cut at random places are charged what the model server says it sent, to the token',
  async t => {
    t.timeout(300_000);
    const {admin} = t.context;
    const models = [
      await register(t.context, 'every-fast', {}),
      await register(t.context, 'every-paced', {tokenDelayMs: 2, firstTokenDelayMs: 20}),
      await register(t.context, 'every-slow', {tokenDelayMs: 7, firstTokenDelayMs: 100}),
    ];
    const before = models.map(model => model.counters().tokensSent);
    const tenant = await admin.createTenant('Cut', {limit: '100'});
    const random = createRandom(seed);
    const names = ['every-fast', 'every-paced', 'every-slow'];
    await cutAll(t.context, tenant.apiKey, names, {count: 1_200, random});
    const rows = await compare(t.context, tenant.org, models);
    const sent = models.reduce(
      (sum, model, index) => sum + model.counters().tokensSent - (before[index] ?? 0),
      0,
    );
    t.log(summary(rows));
    t.is(sumOf(rows, 'sent'), sent, 'every request of a model is in the ledger');
    t.deepEqual(
      rows.filter(row => row.outputTokens !== row.sent),
      [],
    );
    t.is(sumOf(rows, 'outputTokens'), sent);
    // A report that came names the prompt too; where none came, nothing was sent.
    t.deepEqual(
      rows.filter(row =>
        row.estimated ? row.sent > 0 : row.reached && row.inputTokens !== row.prompt,
      ),
      [],
    );
    // A quarter go after a time, at which a slow machine may not have heard of them.
    t.true(rows.length > 850);
    t.true(rows.filter(row => row.sent > 0 && row.sent < maxTokens).length > 300);
  },
);

/** Long enough that every buffer between the model server and a client that does not read is full. */
const longTokens = 150_000;
const stalledCount = 4;
/** It is in every chunk. */
const longName = 'l'.repeat(200);

test.serial(
  'clients that stopped reading and then go are charged for what the model server had sent, in whoever’s buffer it was',
  async t => {
    t.timeout(300_000);
    const {admin, sluice} = t.context;
    const model = await register(t.context, longName, {});
    const before = model.counters();
    const tenant = await admin.createTenant('Stalled', {limit: '100'});
    const cut = Promise.withResolvers<void>();
    const streams = Array.from({length: stalledCount}, () =>
      cutStream({
        ...sluice,
        apiKey: tenant.apiKey,
        model: longName,
        maxTokens: longTokens,
        choices: 1,
        cut: {kind: 'stalled', count: 10_000, until: cut.promise},
      }),
    );
    let seen = -1;
    await eventually(
      () => {
        const {tokensSent, running} = model.counters();
        const last = seen;
        seen = tokensSent;
        assert.equal(running, stalledCount);
        assert.equal(tokensSent, last, 'the model server still writes');
      },
      {timeoutMs: 60_000, intervalMs: 500},
    );
    cut.resolve();
    await Promise.all(streams);
    const rows = await compare(t.context, tenant.org, [model]);
    t.log(summary(rows));
    t.is(rows.length, stalledCount);
    t.true(rows.every(({sent}) => sent > 1_000 && sent < longTokens));
    t.is(sumOf(rows, 'sent'), model.counters().tokensSent - before.tokensSent);
    t.deepEqual(
      rows.filter(row => row.outputTokens !== row.sent),
      [],
    );
  },
);

for (const usage of ['last-chunk', 'none'] as const) {
  test.serial(
    `on an endpoint that reports ${usage === 'none' ? 'nothing' : 'in its last chunk only'}, a stream that is cut is charged by its chunks, marked estimated`,
    async t => {
      t.timeout(300_000);
      const {admin} = t.context;
      const model = await register(t.context, `usage-${usage}`, {
        usage,
        tokenDelayMs: 3,
        firstTokenDelayMs: 20,
      });
      const tenant = await admin.createTenant(`Cut, ${usage}`, {limit: '100'});
      const random = createRandom(seed + usage.length);
      await cutAll(t.context, tenant.apiKey, [`usage-${usage}`], {count: 200, random});
      const rows = await compare(t.context, tenant.org, [model]);
      const off = rows.map(({outputTokens, sent}) => outputTokens - sent);
      t.log({...summary(rows), off: [Math.min(...off), Math.max(...off)]});
      const isWhole = (row: Compared) => row.sent > 0 && row.sent % maxTokens === 0;
      t.deepEqual(
        rows.filter(row => row.reached && !row.estimated && (usage === 'none' || !isWhole(row))),
        [],
      );
      t.true(rows.some(row => row.estimated && row.sent > 0));
      // The simulated server puts one token into a chunk; one that puts in several would be charged for fewer.
      t.deepEqual(
        rows.filter(row => row.outputTokens !== row.sent),
        [],
      );
    },
  );
}
