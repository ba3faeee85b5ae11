import test from 'ava';
import type {Ask} from '../../functions/gateway/limits/bucket.ts';
import type {Limit} from '../../functions/gateway/limits/limit.ts';
import {
  createMemory,
  createMemoryLimits,
  type LimitStore,
} from '../../functions/gateway/limits/store.ts';
import {enterAll, isEntered, limitOf, virtualBook} from '../helpers/limits.ts';

const open = (gateways = 1) => {
  const clock = {ms: 0};
  const memory = createMemory();
  const asked: Ask[][] = [];
  const books = Array.from({length: gateways}, (_, index) => {
    const store = createMemoryLimits({memory, gateway: String(index), nowMs: () => clock.ms});
    const watched: LimitStore = {
      ...store,
      async exchange(asks, count) {
        asked.push([...asks]);
        return store.exchange(asks, count);
      },
    };
    return virtualBook(
      watched,
      () => clock.ms,
      () => gateways,
    );
  });
  return {clock, books, book: books[0] as (typeof books)[number], asked};
};
const admitted = async (...parameters: Parameters<typeof enterAll>) =>
  (await enterAll(...parameters)).filter(isEntered).length;

test('what was granted is spent without asking', async t => {
  const {book, asked} = open();
  const limits = [limitOf('requests', 1_000)];
  t.is(await admitted(book, limits), 1);
  const before = asked.length;
  for (let turn = 0; turn < 60; turn += 1) {
    t.false(book.enter([{limit: limits[0] as Limit, amount: 1}]) instanceof Promise);
  }
  t.is(asked.length, before);
});

test('a limit lets in what it is, and says when the next may come', async t => {
  const {book, clock} = open();
  const limits = [limitOf('requests', 60)];
  const outcomes = await enterAll(book, limits, {count: 100});
  t.is(outcomes.filter(isEntered).length, 60);
  for (const refused of outcomes.filter(outcome => !isEntered(outcome))) {
    t.like(refused, {limit: limits[0] as Limit, retryAfterMs: 1_000});
  }
  // As its timer does: what was spent makes room for the refill from when it is told.
  await book.tick({looking: false});
  clock.ms += 999;
  t.is(await admitted(book, limits), 0);
  clock.ms += 101;
  t.is(await admitted(book, limits, {count: 2}), 1);
});

test('a limit that is spent is not asked for by every request', async t => {
  const {book, asked} = open();
  const limits = [limitOf('requests', 10)];
  await enterAll(book, limits, {count: 11});
  const before = asked.length;
  t.is(await admitted(book, limits, {count: 1_000}), 0);
  t.is(asked.length, before);
});

test('who is refused by one limit takes nothing of the others', async t => {
  const {book} = open();
  const [wide, narrow] = [limitOf('requests', 100, 'wide'), limitOf('requests', 5, 'narrow')];
  t.is(await admitted(book, [wide, narrow], {count: 50}), 5);
  t.is(book.quota(wide).remaining, 95);
  t.is(await admitted(book, [wide], {count: 100}), 95);
});

test('tokens are taken by the bound and what was not used comes back when the request ends', async t => {
  const {book} = open();
  const limits = [limitOf('tokens', 1_000)];
  const [first] = await enterAll(book, limits, {tokens: 900});
  t.is(await admitted(book, limits, {tokens: 200}), 0);
  if (first && isEntered(first)) {
    first.end(300);
    first.end(0);
  }
  t.is(book.quota(limits[0] as Limit).remaining, 700);
  t.is(await admitted(book, limits, {tokens: 700}), 1);
  t.is(await admitted(book, limits, {tokens: 1}), 0);
});

test('what comes back beyond what is held covers nobody until the store has it: the bucket may be full without it', async t => {
  const {books, clock} = open(2);
  const [one, two] = books as [(typeof books)[number], (typeof books)[number]];
  const limit = limitOf('tokens', 1_000);
  const [first] = (await enterAll(one, [limit], {tokens: 900})).filter(isEntered);
  for (clock.ms = 250; clock.ms <= 60_000; clock.ms += 250) {
    await one.tick();
  }
  first?.end(0);
  // 900 came back to a bucket that was full again: it does not hold 1,900.
  t.is(await admitted(one, [limit], {count: 20, tokens: 100}), 10);
  t.is(await admitted(two, [limit], {count: 20, tokens: 100}), 0);
});

test('what comes back while it is held covers the next without asking', async t => {
  const {book, asked} = open();
  const limit = limitOf('tokens', 10_000);
  const [first] = (await enterAll(book, [limit], {tokens: 900})).filter(isEntered);
  const before = asked.length;
  first?.end(100);
  t.is(await admitted(book, [limit], {tokens: 800}), 1);
  t.is(asked.length, before);
});

test('the most that is let in too much is what was given back and not told while the bucket was full', async t => {
  const {books, clock} = open(2);
  const [one, two] = books as [(typeof books)[number], (typeof books)[number]];
  const limit = limitOf('tokens', 1_000);
  const [first] = (await enterAll(one, [limit], {tokens: 900})).filter(isEntered);
  for (clock.ms = 250; clock.ms <= 60_000; clock.ms += 250) {
    await one.tick();
  }
  first?.end(0);
  t.is(await admitted(two, [limit], {count: 20, tokens: 100}), 10);
  await two.tick({looking: false});
  // One bucket would have been full, and this lost. It reaches the store in half a second; then it has what was used.
  t.is(await admitted(one, [limit], {count: 20, tokens: 100}), 9);
  t.is(await admitted(two, [limit], {count: 20, tokens: 100}), 0);
});

test('a busy tenant whose requests use less than their bound has its whole limit, from four gateways for ten minutes', async t => {
  t.timeout(120_000);
  const {books, clock} = open(4);
  const capacity = 60_000;
  const limit = limitOf('tokens', capacity);
  const bound = 900;
  let used = 0;
  const running: {atMs: number; end: () => void}[] = [];
  const minutes = 10;
  for (; clock.ms <= minutes * 60_000; clock.ms += 50) {
    while (running[0] && running[0].atMs <= clock.ms) {
      running.shift()?.end();
    }
    for (const [index, book] of books.entries()) {
      const found = (await enterAll(book, [limit], {count: 2, tokens: bound})).filter(isEntered);
      for (const entered of found) {
        const tokens = 30 + ((clock.ms / 50 + index * 37) % 150);
        running.push({
          atMs: clock.ms + 3_000,
          end() {
            used += tokens;
            entered.end(tokens);
          },
        });
      }
      await book.tick({looking: clock.ms % 250 === 0});
    }
  }
  const share = used / (capacity * minutes);
  t.log(`${(100 * share).toFixed(1)} % of the limit`);
  t.true(share >= 0.97 && used <= capacity * (minutes + 1), String(share));
});

test('what a request used above its bound is taken as well', async t => {
  const {book, clock} = open();
  const limits = [limitOf('tokens', 1_000)];
  const [first] = await enterAll(book, limits, {tokens: 100});
  if (first && isEntered(first)) {
    first.end(1_000);
  }
  clock.ms += 250;
  await book.tick();
  t.is(await admitted(book, limits, {tokens: 10}), 0);
});

test('a request that is larger than the whole limit can never be let in, and is told so', async t => {
  const {book} = open();
  const limits = [limitOf('tokens', 1_000)];
  const [outcome] = await enterAll(book, limits, {tokens: 1_001});
  t.deepEqual(outcome, {limit: limits[0] as Limit, amount: 1_001, retryAfterMs: undefined});
});

test('a request that ended before it began has used no tokens, but was a request', async t => {
  const {book} = open();
  const [requests, tokens] = [limitOf('requests', 10), limitOf('tokens', 1_000)];
  const [outcome] = await enterAll(book, [requests, tokens], {tokens: 500});
  if (outcome && isEntered(outcome)) {
    outcome.end();
  }
  t.is(book.quota(tokens).remaining, 1_000);
  t.is(book.quota(requests).remaining, 9);
});

test('requests at once are let in again as others end', async t => {
  const {book} = open();
  const limits = [limitOf('parallel', 3)];
  const outcomes = await enterAll(book, limits, {count: 10});
  const running = outcomes.filter(isEntered);
  t.is(running.length, 3);
  t.is(await admitted(book, limits), 0);
  running[0]?.end();
  running[0]?.end();
  t.is(await admitted(book, limits, {count: 2}), 1);
});

test('what a gateway does not use is there for the others soon', async t => {
  const {books, clock} = open(4);
  const limits = [limitOf('requests', 6_000), limitOf('parallel', 400)];
  for (const book of books) {
    for (const outcome of await enterAll(book, limits)) {
      if (isEntered(outcome)) {
        outcome.end();
      }
    }
  }
  // After the first second each keeps what the next two may need by what it spent; after the second it has spent nothing.
  for (const second of [1, 2]) {
    clock.ms = second * 1_000;
    for (const book of books) {
      await book.tick();
    }
  }
  clock.ms += 100;
  const [one] = books as [(typeof books)[number]];
  t.is(await admitted(one, [limits[0] as Limit], {count: 7_000}), 6_000);
  t.is(await admitted(one, [limits[1] as Limit], {count: 500}), 400);
});

test('four gateways under load let in the limit and a minute’s refill in a minute, less what lies idle at its end', async t => {
  const {books, clock} = open(4);
  const capacity = 1_200;
  const limit = limitOf('requests', capacity);
  let found = 0;
  for (; clock.ms <= 60_000; clock.ms += 50) {
    for (const book of books) {
      found += await admitted(book, [limit], {count: 10});
    }
    if (clock.ms % 250 === 0) {
      await Promise.all(books.map(book => book.tick()));
    }
  }
  const most = 2 * capacity;
  t.true(found <= most, `${found} of ${most}`);
  // Refused for a tenth of a second at most after the store had none; and one slice a gateway.
  const idle = capacity / 600 + 4;
  t.true(found >= most - idle, `${found} of ${most}`);
});

test('a bound of tokens that fits no rest does not keep smaller ones out', async t => {
  const {book} = open();
  const limits = [limitOf('tokens', 1_000)];
  t.is(await admitted(book, limits, {tokens: 600}), 1);
  const uses = (amount: number) => [{limit: limits[0] as Limit, amount}];
  const both = Promise.all([book.enter(uses(700)), book.enter(uses(300))]);
  while (book.state().waiting > 0) {
    await book.tick({looking: false});
  }
  t.deepEqual((await both).map(isEntered), [false, true]);
});

test('permits that lapsed while a gateway was frozen are not spent when it wakes', async t => {
  const {books, clock} = open(2);
  const [one, two] = books as [(typeof books)[number], (typeof books)[number]];
  const limits = [limitOf('requests', 600)];
  t.is(await admitted(one, limits), 1);
  clock.ms += 2_000;
  // 540: the other may have spent its 60 at the end of their life, so the bucket was full all the time.
  t.is(await admitted(two, limits, {count: 700}), 540);
  t.is(await admitted(one, limits), 0);
});

test('slots that lapsed while a gateway was frozen are the others’; what runs is counted all the same', async t => {
  const {books, clock} = open(2);
  const [one, two] = books as [(typeof books)[number], (typeof books)[number]];
  const limits = [limitOf('parallel', 40)];
  t.is(await admitted(one, limits, {count: 3}), 3);
  const others = await enterAll(one, limits, {count: 2});
  for (const outcome of others.filter(isEntered)) {
    outcome.end();
  }
  clock.ms += 15_000;
  const found = await enterAll(two, limits, {count: 50});
  t.is(found.filter(isEntered).length, 40);
  await one.tick();
  t.is(await admitted(one, limits), 0);
  for (const outcome of found.filter(isEntered).slice(0, 5)) {
    outcome.end();
  }
  clock.ms += 1_000;
  await two.tick();
  clock.ms += 1_000;
  await two.tick();
  // 35 there, 3 here.
  t.is(await admitted(one, limits, {count: 5}), 2);
});

test('permits that the store does not know any more are gone, but for what it granted anew', async t => {
  const clock = {ms: 0};
  const state = {kept: 5};
  const book = virtualBook(
    {
      exchange: async asks => ({
        answers: asks.map(({kept, needed}) => ({
          kept: Math.min(kept, state.kept),
          granted: needed > 0 ? needed + 4 : 0,
          level: 0,
        })),
        gateways: 1,
      }),
      close: async () => {},
    },
    () => clock.ms,
  );
  const limit = limitOf('tokens', 600);
  await enterAll(book, [limit], {tokens: 1});
  t.is(book.quota(limit).remaining, 4);
  state.kept = 0;
  // It lacks two, is granted six, and the four are void.
  await enterAll(book, [limit], {tokens: 6});
  t.is(book.quota(limit).remaining, 0);
});

test('what is known of a limit that nobody uses is forgotten', async t => {
  const {book, clock} = open();
  await enterAll(book, [limitOf('requests', 10)]);
  for (let second = 0; second < 70; second += 1) {
    clock.ms += 1_000;
    await book.tick();
  }
  t.is(book.state().limits, 0);
});

test('at its end a gateway gives everything back that no request uses', async t => {
  const {books} = open(2);
  const [one, two] = books as [(typeof books)[number], (typeof books)[number]];
  const limits = [limitOf('requests', 1_000), limitOf('parallel', 100)];
  const [outcome] = await enterAll(one, limits);
  if (outcome && isEntered(outcome)) {
    outcome.end();
  }
  await one.close();
  t.is(await admitted(two, [limits[0] as Limit], {count: 2_000}), 999);
  t.is(await admitted(two, [limits[1] as Limit], {count: 200}), 100);
});
