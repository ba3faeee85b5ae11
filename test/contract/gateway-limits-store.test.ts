/** One suite for the limits' stores: Redis and its twin in memory. Time is the test's own, but for the lives of gateways that died. */
import test, {type ExecutionContext} from 'ava';
import fc from 'fast-check';
import {Redis} from 'ioredis';
import {redisAt} from '../../events/redis.ts';
import type {Ask} from '../../functions/gateway/limits/bucket.ts';
import {createLimitBook} from '../../functions/gateway/limits/limit-book.ts';
import {
  createMemory,
  createMemoryLimits,
  type LimitStore,
} from '../../functions/gateway/limits/store.ts';
import {createRedisLimits} from '../../functions/gateway/limits/store-redis.ts';
import {createIdealBucket, enterAll, isEntered, limitOf, virtualBook} from '../helpers/limits.ts';
import {testRedis} from '../helpers/redis.ts';

type Open = (gateway: string) => LimitStore;
/** For a first connection on a busy machine. */
const patient = {connectMs: 30_000};

type World = Readonly<{clock: {ms: number}; open: Open}>;

const inMemory = (): World => {
  const clock = {ms: 0};
  const memory = createMemory();
  return {
    clock,
    open: gateway => createMemoryLimits({memory, gateway, nowMs: () => clock.ms}),
  };
};

const inRedis = (t: ExecutionContext): World => {
  const clock = {ms: 1_000_000};
  const {url, prefix} = testRedis(t);
  const open: Open = gateway => {
    const store = createRedisLimits({
      ...patient,
      redis: redisAt(url),
      gateway,
      prefix,
      nowMs: () => clock.ms,
    });
    t.teardown(store.close);
    return store;
  };
  return {clock, open};
};

const asking = (more: Partial<Ask> = {}): Ask => ({
  limit: 'key:one:requests',
  kind: 'minute',
  capacity: 60,
  kept: 0,
  released: 0,
  given: 0,
  needed: 0,
  least: 0,
  max: 0,
  level: 60,
  ...more,
});
const one = async (store: LimitStore, more: Partial<Ask>) =>
  (await store.exchange([asking(more)], 2)).answers[0];

for (const [name, openWorld] of [
  ['memory', inMemory],
  ['Redis', inRedis],
] as const) {
  test(`${name}: a bucket gives what it has, refills all the time, and not beyond what others hold`, async t => {
    const {clock, open} = openWorld(t);
    const [a, b] = [open('a'), open('b')];
    t.deepEqual(await one(a, {needed: 50, least: 1, max: 5}), {kept: 0, granted: 50, level: 10});
    t.deepEqual(await one(b, {needed: 20, least: 1}), {kept: 0, granted: 10, level: 0});
    clock.ms += 1_500;
    t.deepEqual(await one(b, {needed: 2, least: 2}), {kept: 0, granted: 0, level: 0});
    clock.ms += 100;
    t.deepEqual(await one(b, {}), {kept: 0, granted: 0, level: 0.1});
    t.deepEqual(await one(a, {released: 45, kept: 5}), {kept: 5, granted: 0, level: 45.1});
    clock.ms += 1_999;
    t.deepEqual(await one(b, {given: 100}), {kept: 0, granted: 0, level: 55});
    clock.ms += 1;
    t.deepEqual(await one(b, {}), {kept: 0, granted: 0, level: 55});
    clock.ms += 1;
    t.deepEqual(await one(b, {}), {kept: 0, granted: 0, level: 55.001});
  });

  test(`${name}: an unknown bucket is as full as its asker believes, and what is owed is not forgiven`, async t => {
    const {clock, open} = openWorld(t);
    const a = open('a');
    t.deepEqual(await one(a, {level: 7.5}), {kept: 0, granted: 0, level: 7.5});
    t.deepEqual(await one(a, {given: -1_000}), {kept: 0, granted: 0, level: -60});
    clock.ms += 90_000;
    t.deepEqual(await one(a, {needed: 40, least: 1, level: 60}), {kept: 0, granted: 30, level: 0});
  });

  test(`${name}: what a gateway holds that died is free after its life, and its slots too`, async t => {
    const {clock, open} = openWorld(t);
    const [dead, alive] = [open('dead'), open('alive')];
    const slots = {limit: 'key:one:parallel', kind: 'parallel', capacity: 4} as const;
    t.is((await one(dead, {...slots, needed: 3, least: 1}))?.granted, 3);
    t.is((await one(alive, {...slots, needed: 3, least: 1}))?.granted, 1);
    clock.ms += 14_999;
    t.is((await one(alive, {...slots, kept: 1, needed: 3, least: 1}))?.granted, 0);
    clock.ms += 1;
    t.is((await one(alive, {...slots, kept: 1, needed: 3, least: 1}))?.granted, 3);
    t.deepEqual(await one(dead, {...slots, kept: 3}), {kept: 3, granted: 0, level: -3});
  });

  test(`${name}: gateways are counted that were heard of within their life`, async t => {
    const {clock, open} = openWorld(t);
    const [a, b] = [open('a'), open('b')];
    t.is((await a.exchange([], 1)).gateways, 1);
    t.is((await b.exchange([], 1)).gateways, 2);
    clock.ms += 14_000;
    await a.exchange([], 1);
    clock.ms += 1_000;
    t.is((await a.exchange([], 1)).gateways, 1);
  });

  test(`${name}: more limits than one run takes are answered in their order`, async t => {
    const {open} = openWorld(t);
    const asks = Array.from({length: 501}, (_, index) =>
      asking({
        limit: `key:${index}:requests`,
        capacity: 1_000,
        level: 1_000,
        needed: index,
        least: 1,
      }),
    );
    const {answers} = await open('a').exchange(asks, 1);
    t.deepEqual(
      answers.map(({granted}) => granted),
      asks.map(({needed}) => needed),
    );
  });

  test(`${name}: four gateways under load admit the limit and its refill in a minute, and never more than one bucket would`, async t => {
    t.timeout(240_000);
    const {clock, open} = openWorld(t);
    const startMs = clock.ms;
    const capacity = 1_200;
    const limit = limitOf('requests', capacity);
    const ideal = createIdealBucket(capacity);
    const books = ['a', 'b', 'c', 'd'].map(gateway =>
      virtualBook(
        open(gateway),
        () => clock.ms,
        () => 4,
      ),
    );
    let found = 0;
    for (; clock.ms <= startMs + 60_000; clock.ms += 100) {
      const outcomes = await Promise.all(books.map(book => enterAll(book, [limit], {count: 10})));
      const admitted = outcomes.flat().filter(isEntered).length;
      found += admitted;
      t.true(ideal.spend(admitted, clock.ms - startMs) > -1e-3);
      await Promise.all(books.map(book => book.tick()));
    }
    const most = 2 * capacity;
    // A tenth of a second after the store had none, and one until it is told what was spent; one slice a gateway.
    const idle = 2 * (capacity / 600) + 4;
    t.true(found <= most && found >= most - idle, `${found} of ${most}`);
    t.log(`${found} of ${most}, at least ${most - idle}`);
  });
}

test('Redis says what its twin says, whatever is asked', async t => {
  t.timeout(240_000);
  const redis = inRedis(t);
  const memory = inMemory();
  const names = ['a', 'b', 'c'];
  const stores = new Map(names.map(name => [name, [redis.open(name), memory.open(name)] as const]));
  const startMs = redis.clock.ms;
  let run = 0;
  const step = fc.record({
    waitMs: fc.nat({max: 4_000}),
    gateway: fc.constantFrom(...names),
    asks: fc.array(
      fc.record({
        kind: fc.constantFrom('minute' as const, 'parallel' as const),
        capacity: fc.constantFrom(1, 7, 600, 1_000_000_000),
        kept: fc.nat({max: 100}),
        released: fc.nat({max: 100}),
        given: fc.integer({min: -100, max: 100}),
        needed: fc.nat({max: 300}),
        least: fc.nat({max: 10}),
        max: fc.nat({max: 60}),
        level: fc.nat({max: 1_000}),
      }),
      {maxLength: 3},
    ),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, {maxLength: 25}), async steps => {
      run += 1;
      for (const {waitMs, gateway, asks} of steps) {
        memory.clock.ms += waitMs;
        redis.clock.ms = startMs + memory.clock.ms;
        const wanted = asks.map((ask, index) =>
          asking({...ask, limit: `${run}:${index}:${ask.kind}:${ask.capacity}`}),
        );
        const [ours, twins] = await Promise.all(
          (stores.get(gateway) ?? []).map(store => store.exchange(wanted, 3)),
        );
        t.is(ours?.answers.length, wanted.length);
        for (const [index, {kept, granted, level}] of (ours?.answers ?? []).entries()) {
          const twin = twins?.answers[index];
          t.like(twin, {kept, granted});
          t.true(Math.abs((twin?.level ?? 0) - level) < 0.01);
        }
      }
    }),
    {numRuns: 40},
  );
});

test('Redis: by its own clock a bucket refills, and what it keeps goes by itself', async t => {
  const {url, prefix} = testRedis(t);
  const store = createRedisLimits({...patient, redis: redisAt(url), gateway: 'a', prefix});
  t.teardown(store.close);
  const capacity = 600_000;
  const all = {capacity, level: capacity, needed: capacity, least: 1};
  // From before the first question: its answer may be a while on its way.
  const began = performance.now();
  t.is((await one(store, all))?.granted, capacity);
  const granted = (await one(store, all))?.granted ?? 0;
  t.true(granted <= (performance.now() - began + 50) * 10);
  const client = new Redis(url);
  t.teardown(() => client.disconnect());
  for (const key of await client.keys(`${prefix}*`)) {
    const ms = await client.pttl(key);
    t.true(ms > 0 && ms <= 120_000, `${key}: ${ms}`);
  }
});

test('Redis: four gateways in real time, at several times the limit, are never over it and hardly under it', async t => {
  t.timeout(120_000);
  const {url, prefix} = testRedis(t);
  const capacity = 1_200;
  const limit = limitOf('requests', capacity);
  const counts = {exchanges: 0, admitted: 0, asked: 0};
  const books = ['a', 'b', 'c', 'd'].map(gateway => {
    const store = createRedisLimits({...patient, redis: redisAt(url), gateway, prefix});
    const book = createLimitBook({
      exchange: async asks => {
        counts.exchanges += 1;
        return (await store.exchange(asks, 4)).answers;
      },
    });
    t.teardown(async () => {
      await book.close();
      await store.close();
    });
    return book;
  });
  const began = performance.now();
  let firstMs = 0;
  let emptyMs = Number.POSITIVE_INFINITY;
  let longestMs = 0;
  // On a slow machine it takes a while to ask for so much.
  for (let last = began; last - began < Math.max(3_000, emptyMs + 1_000); ) {
    const outcomes = await Promise.all(
      books.flatMap(book => Array.from({length: 10}, () => book.enter([{limit, amount: 1}]))),
    );
    counts.asked += outcomes.length;
    counts.admitted += outcomes.filter(isEntered).length;
    await new Promise(resolve => setTimeout(resolve, 5));
    const now = performance.now();
    firstMs ||= now - began;
    if (outcomes.length > outcomes.filter(isEntered).length) {
      emptyMs = Math.min(emptyMs, now - began);
    }
    longestMs = Math.max(longestMs, now - last);
    last = now;
  }
  const refillOf = (ms: number) => (ms * capacity) / 60_000;
  const most = capacity + refillOf(performance.now() - began);
  t.true(counts.admitted <= most, `${counts.admitted} of ${most}`);
  // What a tenth of a second refills, for who asks again only then; a slice of each; what is refilled before there is a bucket, and in
  // a pause of the machine.
  const least = most - 30 - refillOf(firstMs) - refillOf(longestMs);
  t.true(counts.admitted >= least, `${counts.admitted} of ${most}, at least ${least}`);
  t.log(`${counts.admitted} of ${most}, ${counts.asked} asked in ${counts.exchanges} exchanges`);
});
