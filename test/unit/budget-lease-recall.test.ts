import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import type {Demand, Taken} from '../../functions/budget/leases/account.ts';
import {createLeaseBook, type Refusal} from '../../functions/budget/leases/lease-book.ts';
import type {LeaseAnswer, LeaseWork} from '../../functions/budget/leases/lease-work.ts';
import {eventually} from '../helpers/eventually.ts';

const demand = (tokens: number): Demand => ({
  budgets: [{id: 'b', unit: 'tokens'}],
  price: {
    free: true,
    inputPerMillion: 0,
    outputPerMillion: 0,
    inputGpuMsPerMillion: 0,
    outputGpuMsPerMillion: 0,
  },
  promptTokens: 0,
  copies: 1,
  maxTokens: tokens,
  minTokens: tokens,
});

type Grant = LeaseAnswer['grants'][number];

/** A store that does what the test says next: by default it gives 100 of 1,000 on one lease. */
const setUp = (t: ExecutionContext, options: {recallMs?: number; sliceMax?: number} = {}) => {
  const works: LeaseWork[] = [];
  const says: {grant: Partial<Grant>; recalled: boolean; gateways: number; meanwhile: () => void} =
    {grant: {}, recalled: false, gateways: 1, meanwhile: () => {}};
  const clock = {monotonicMs: 1_000, wallMs: 1_000_000};
  const work = async (todo: LeaseWork): Promise<LeaseAnswer> => {
    works.push(todo);
    says.meanwhile();
    return {
      gateways: says.gateways,
      renewals: todo.renewals.map(lease => ({lease, granted: 100, recalled: says.recalled})),
      grants: todo.grants.map(({budget}) => ({
        budget,
        window: 'w',
        lease: 'one',
        granted: 100,
        slice: 100,
        remaining: 1_000,
        available: 900,
        paused: false,
        startsInMs: 0,
        endsInMs: null,
        ...says.grant,
      })),
    };
  };
  const book = createLeaseBook({
    work,
    clocks: () => ({...clock}),
    ttlMs: 60_000,
    marginMs: 5_000,
    waitMs: 1_000,
    recallMs: 100,
    tickMs: 1,
    ...options,
    sliceMax: {usd: 100, tokens: options.sliceMax ?? 100, gpu_ms: 100},
  });
  t.teardown(() => book.close());
  const pass = (ms: number) => {
    clock.monotonicMs += ms;
    clock.wallMs += ms;
  };
  return {
    book,
    works,
    says,
    pass,
    returned: () => works.flatMap(({returns}) => returns),
    asked: () => works.flatMap(({grants}) => grants),
  };
};

const taken = async (outcome: Taken | Promise<Taken | Refusal>): Promise<Taken> => {
  const found = await outcome;
  assert.ok('holds' in found, `refused: ${'refused' in found ? found.refused : ''}`);
  return found;
};
const refused = async (outcome: Taken | Promise<Taken | Refusal>) => {
  const found = await outcome;
  return 'refused' in found ? found.refused : 'taken';
};

test('what a recalled lease does not use is returned at once, what it holds stays covered', async t => {
  const {book, returned} = setUp(t);
  const found = await taken(book.acquire(demand(10)));
  book.recall(['another', 'one']);
  await eventually(() => assert.deepEqual(returned(), [{lease: 'one', total: 90}]));
  t.true(found.usable());
  found.settle([4]);
  await eventually(() => assert.deepEqual(returned().at(-1), {lease: 'one', total: 96}));
});

test('a lease with nothing to return is closed all the same, or the next grant would enlarge it unseen', async t => {
  const {book, returned} = setUp(t);
  await taken(book.acquire(demand(100)));
  book.recall(['one']);
  await eventually(() => assert.deepEqual(returned(), [{lease: 'one', total: 0}]));
  t.pass();
});

test('a lease that is recalled and enlarged in the same answer keeps what it holds', async t => {
  const {book, says, pass} = setUp(t);
  await taken(book.acquire(demand(60)));
  says.recalled = true;
  pass(30_000);
  const second = book.acquire(demand(60));
  says.grant = {granted: 130};
  t.is((await taken(second)).holds[0]?.lease, 'one');
  t.is(await refused(book.acquire(demand(11))), 'busy', '130 less 60 and 60');
});

test('after a change of its budget a lease gives nothing more before the store was asked again', async t => {
  const {book, says, works, pass} = setUp(t);
  await taken(book.acquire(demand(10)));
  book.change(['another']);
  t.false(book.acquire(demand(10)) instanceof Promise);
  book.change(['b']);
  pass(1);
  says.grant = {lease: null, granted: null, available: 0, paused: true};
  t.is(await refused(book.acquire(demand(10))), 'paused');
  const asked = works.length;
  t.is(await refused(book.acquire(demand(10))), 'paused');
  t.is(works.length, asked, 'for a moment the answer holds');
  book.change('all');
  pass(1);
  says.grant = {lease: 'two'};
  t.is((await taken(book.acquire(demand(10)))).holds[0]?.lease, 'two');
});

test('what was granted before a change that came while the answer was on its way goes back', async t => {
  const {book, says, returned, pass} = setUp(t);
  says.meanwhile = () => {
    says.meanwhile = () => {
      says.grant = {lease: 'two'};
    };
    book.change(['b']);
    pass(1);
  };
  t.is((await taken(book.acquire(demand(10)))).holds[0]?.lease, 'two');
  await eventually(() => assert.partialDeepStrictEqual(returned()[0], {total: 100}));
});

test('who lacks money waits for what is settled here, and goes on when it is enough', async t => {
  const {book, says} = setUp(t, {recallMs: 10_000});
  says.grant = {available: 0};
  const running = await taken(book.acquire(demand(100)));
  const waiting = book.acquire(demand(50));
  running.settle([20]);
  t.is((await taken(waiting)).holds[0]?.hold, 50);
});

test('a request whose money others hold waits as long as they may need to return it, not longer', async t => {
  const {book, says, pass} = setUp(t);
  says.grant = {lease: null, granted: null, available: 0};
  const waiting = book.acquire(demand(50));
  await eventually(() => assert.equal(book.state().waiting, 1));
  pass(300);
  t.is(await refused(waiting), 'busy');
});

test('an idle lease goes back after half its life, and after a second when its budget is nearly all leased', async t => {
  for (const [available, idleMs] of [
    [900, 30_001],
    [399, 1_001],
  ] as const) {
    const {book, says, pass, returned} = setUp(t);
    says.grant = {available};
    const found = await taken(book.acquire(demand(10)));
    found.settle([10]);
    pass(idleMs - 100);
    await book.tick();
    t.deepEqual(returned(), []);
    pass(1_100);
    await book.tick();
    t.deepEqual(returned(), [{lease: 'one', total: 90}]);
  }
});

test("the next window's money is asked for before this window ends, and used from its start", async t => {
  const {book, says, pass, asked} = setUp(t);
  says.grant = {endsInMs: 60_000};
  await taken(book.acquire(demand(10)));
  pass(50_000);
  await book.tick();
  await taken(book.acquire(demand(10)));
  t.false(asked().some(({after}) => after !== undefined));
  says.grant = {window: 'x', lease: 'next', startsInMs: 2_000, endsInMs: 60_000};
  pass(8_000);
  await book.tick();
  t.like(asked().at(-1), {after: 'w', needed: 0});
  t.is((await taken(book.acquire(demand(10)))).holds[0]?.lease, 'one', 'not before');
  pass(2_000);
  const now = book.acquire(demand(10));
  t.false(now instanceof Promise, 'nobody waits at midnight');
  t.is((await taken(now)).holds[0]?.window, 'x');
});

test('a lease that has ended is renewed while it holds, so that nobody fences it', async t => {
  const {book, works, pass} = setUp(t);
  const found = await taken(book.acquire(demand(10)));
  book.recall(['one']);
  await eventually(() => assert.equal(book.state().leases, 0));
  for (let round = 0; round < 4; round += 1) {
    pass(25_000);
    await book.tick();
    t.deepEqual(works.at(-1)?.renewals, ['one']);
    t.true(found.usable());
  }
  found.settle([10]);
  const before = works.length;
  pass(25_000);
  await book.tick();
  t.deepEqual(
    works.slice(before).flatMap(({renewals}) => renewals),
    [],
  );
});

test('a result that is lost ends its lease, so that the store frees what nobody settles', async t => {
  const {book, says, returned} = setUp(t);
  const found = await taken(book.acquire(demand(10)));
  found.abandon();
  found.settle([10]);
  says.grant = {lease: 'two'};
  t.is((await taken(book.acquire(demand(10)))).holds[0]?.lease, 'two');
  await eventually(() => assert.deepEqual(returned(), [{lease: 'one', total: 90}]));
});

test('the more gateways there are, the rarer each asks', async t => {
  const {book, says, works, pass} = setUp(t);
  says.gateways = 4;
  says.grant = {slice: 10, granted: 10};
  await taken(book.acquire(demand(10)));
  const second = book.acquire(demand(10));
  says.grant = {slice: 10, granted: 20};
  // The clock of the book stands still, so its timer has to pass by itself.
  await taken(second);
  t.is(works.length, 2);
  pass(0);
  const started = performance.now();
  says.grant = {slice: 10, granted: 30};
  await taken(book.acquire(demand(10)));
  t.true(performance.now() - started > 40, 'at least 1 s ÷ 65 for each of 4');
});
