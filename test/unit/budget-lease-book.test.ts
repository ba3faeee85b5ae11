import test from 'ava';
import type {Price} from '../../functions/budget/cost.ts';
import type {Demand, Taken} from '../../functions/budget/leases/account.ts';
import {createLeaseBook, type Refusal} from '../../functions/budget/leases/lease-book.ts';
import {createMemoryLeases} from '../helpers/memory-leases.ts';

const price: Price = {
  free: false,
  inputPerMillion: 1_000_000,
  outputPerMillion: 1_000_000,
  inputGpuMsPerMillion: 0,
  outputGpuMsPerMillion: 0,
};
const demand = (tokens: number, more: Partial<Demand> = {}): Demand => ({
  budgets: [{id: 'b', unit: 'usd'}],
  price,
  promptTokens: 0,
  copies: 1,
  maxTokens: tokens,
  minTokens: 1,
  ...more,
});

const createBook = (
  t: {teardown(work: () => Promise<void>): void},
  limits: Record<string, number>,
  options = {},
) => {
  const store = createMemoryLeases(limits);
  const clock = {monotonicMs: 1_000, wallMs: 1_000_000};
  const book = createLeaseBook({
    work: store.work,
    clocks: () => ({...clock}),
    ttlMs: 60_000,
    marginMs: 5_000,
    waitMs: 300,
    tickMs: 1,
    sliceMax: {usd: 100, tokens: 100, gpu_ms: 100},
    ...options,
  });
  t.teardown(() => book.close());
  return {book, store, clock};
};

const taken = async (outcome: Taken | Promise<Taken | Refusal>): Promise<Taken> => {
  const found = await outcome;
  if ('refused' in found) {
    throw new Error(`refused: ${found.refused}`);
  }
  return found;
};
const refused = async (outcome: Taken | Promise<Taken | Refusal>) => {
  const found = await outcome;
  return 'refused' in found ? found.refused : 'taken';
};

test('the first request waits for a lease, the next takes from it at once', async t => {
  const {book, store} = createBook(t, {b: 1_000});
  const first = book.acquire(demand(10));
  t.true(first instanceof Promise);
  t.is((await taken(first)).holds[0]?.hold, 10);
  t.false(book.acquire(demand(10)) instanceof Promise);
  t.is(store.state.works.filter(({grants}) => grants.length > 0).length, 1);
});

test('a request that touches several budgets takes all holds or none', async t => {
  const {book} = createBook(t, {a: 1_000, b: 5});
  const both = demand(10, {
    budgets: [
      {id: 'a', unit: 'usd'},
      {id: 'b', unit: 'usd'},
    ],
    minTokens: 10,
  });
  t.is(await refused(book.acquire(both)), 'exhausted');
  t.is(
    (await taken(book.acquire(demand(100, {budgets: [{id: 'a', unit: 'usd'}]})))).holds[0]?.hold,
    100,
    'nothing of a is held',
  );
});

test('the first request of several budgets waits for one answer about all of them', async t => {
  const {book, store} = createBook(t, {a: 1_000, b: 1_000});
  const budgets = [
    {id: 'a', unit: 'usd'},
    {id: 'b', unit: 'usd'},
  ] as const;
  await taken(book.acquire(demand(10, {budgets})));
  t.deepEqual(
    store.state.works.map(({grants}) => grants.length),
    [2],
  );
});

test('what is left uncharged decides between spent and busy', async t => {
  const {book, store} = createBook(t, {b: 10});
  const running = await taken(book.acquire(demand(10)));
  t.is(await refused(book.acquire(demand(10))), 'busy');
  running.settle([10]);
  store.spend('b');
  t.is(await refused(book.acquire(demand(10))), 'exhausted');
});

test('where the money does not cover the bound, the answer is clamped to what it covers', async t => {
  const {book} = createBook(t, {b: 7});
  const found = await taken(book.acquire(demand(10)));
  t.is(found.maxTokens, 7);
  t.is(found.holds[0]?.hold, 7);
});

test('an answer is never clamped below its minimum', async t => {
  const {book} = createBook(t, {b: 7});
  t.is(await refused(book.acquire(demand(10, {minTokens: 8}))), 'exhausted');
});

test('what a request did not need is free again once it is settled, and not before', async t => {
  const {book} = createBook(t, {b: 10});
  const first = await taken(book.acquire(demand(10)));
  t.is(await refused(book.acquire(demand(6))), 'busy');
  first.settle([4]);
  first.settle([0]);
  t.is((await taken(book.acquire(demand(6)))).holds[0]?.hold, 6);
});

test('a thousand requests at once take no more than the limit', async t => {
  const {book} = createBook(t, {b: 95}, {waitMs: 2_000});
  const outcomes = await Promise.all(
    Array.from({length: 1_000}, () => book.acquire(demand(10, {minTokens: 10}))),
  );
  const held = outcomes
    .flatMap(outcome => ('holds' in outcome ? outcome.holds : []))
    .reduce((sum, {hold}) => sum + hold, 0);
  t.is(held, 90);
});

test('a lease is unusable when either clock says that its life is over, or the wall clock stepped back', async t => {
  for (const step of [
    {monotonicMs: 55_000, wallMs: 0},
    {monotonicMs: 0, wallMs: 55_000},
    {monotonicMs: 10, wallMs: -1},
  ]) {
    const {book, clock} = createBook(t, {b: 1_000});
    const found = await taken(book.acquire(demand(10)));
    t.true(found.usable());
    clock.monotonicMs += step.monotonicMs;
    clock.wallMs += step.wallMs;
    t.false(found.usable());
    t.true(book.acquire(demand(1)) instanceof Promise, 'a new hold needs a new lease');
  }
});

test('a lease that the store no longer renews gives no more holds', async t => {
  const {book, store, clock} = createBook(t, {b: 1_000});
  const found = await taken(book.acquire(demand(10)));
  store.state.void = true;
  clock.monotonicMs += 30_000;
  clock.wallMs += 30_000;
  await book.tick();
  t.false(found.usable());
});

test('a renewal keeps a lease alive', async t => {
  const {book, clock} = createBook(t, {b: 1_000});
  const found = await taken(book.acquire(demand(10)));
  for (let step = 0; step < 5; step += 1) {
    clock.monotonicMs += 30_000;
    clock.wallMs += 30_000;
    await book.tick();
  }
  t.true(found.usable());
});

test('while the store is away, leases go on, and who needs a new one is told so', async t => {
  const {book, store} = createBook(t, {b: 1_000, c: 1_000});
  await taken(book.acquire(demand(10)));
  store.state.away = true;
  t.false(book.acquire(demand(10)) instanceof Promise);
  t.is(await refused(book.acquire(demand(10, {budgets: [{id: 'c', unit: 'usd'}]}))), 'away');
});

test('closing gives back everything that nothing holds, and the rest when it is settled', async t => {
  const {book, store} = createBook(t, {b: 1_000});
  const found = await taken(book.acquire(demand(10)));
  await book.close();
  t.is(store.leasedOf('b'), 10);
  found.settle([4]);
  await book.tick();
  t.is(store.leasedOf('b'), 4, 'the cost stays leased until it is debited');
});

test('a lease that is given back or recalled still covers what was taken from it', async t => {
  const {book, clock, store} = createBook(t, {b: 1_000});
  const found = await taken(book.acquire(demand(10)));
  store.state.recalled = true;
  clock.monotonicMs += 30_000;
  clock.wallMs += 30_000;
  await book.tick();
  t.true(found.usable());
  t.true(book.acquire(demand(1)) instanceof Promise, 'but nothing new is taken from it');
});
