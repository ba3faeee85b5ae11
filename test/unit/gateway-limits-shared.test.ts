import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import type {Ask} from '../../functions/gateway/limits/bucket.ts';
import {createSharedLimits} from '../../functions/gateway/limits/shared-limits.ts';
import {
  createMemory,
  createMemoryLimits,
  type LimitStore,
} from '../../functions/gateway/limits/store.ts';
import {eventually} from '../helpers/eventually.ts';

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

const open = (t: ExecutionContext, {hasStore = true, gateways = 4, storeMs = 250} = {}) => {
  const clock = {ms: 0};
  const state = {broken: false as false | 'fails' | 'hangs', asked: 0};
  const memory = createMemory();
  const inner = createMemoryLimits({memory, gateway: 'a', nowMs: () => clock.ms});
  const store: LimitStore = {
    ...inner,
    exchange(asks, count) {
      state.asked += 1;
      if (state.broken === 'hangs') {
        return new Promise(() => {});
      }
      return state.broken
        ? Promise.reject(new Error('connection refused'))
        : inner.exchange(asks, count);
    },
  };
  const lines: string[] = [];
  const log = (_: unknown, message?: string) => void lines.push(String(message));
  const shared = createSharedLimits({
    store: hasStore ? store : undefined,
    gateway: 'a',
    gateways: () => gateways,
    storeMs,
    retryMs: 20,
    nowMs: () => clock.ms,
    logger: {warn: log, info: log} as never,
  });
  t.teardown(shared.close);
  const one = async (more: Partial<Ask>) => (await shared.exchange([asking(more)]))[0];
  return {clock, state, shared, one, lines, memory};
};

test('without a store every gateway has its share, and it is not called away', async t => {
  const {one, shared} = open(t, {hasStore: false});
  t.is((await one({needed: 60, least: 1}))?.granted, 15);
  t.is((await one({needed: 60, least: 1}))?.granted, 0);
  t.false(shared.isAway());
});

test('a share is one at least, so that somebody is let in', async t => {
  const {one} = open(t, {hasStore: false, gateways: 100});
  t.is((await one({needed: 2, least: 1}))?.granted, 1);
});

for (const how of ['fails', 'hangs'] as const) {
  test(`a store that ${how} is waited for once, and then everybody has a share of what was known to be left`, async t => {
    const storeMs = 3_000;
    const {one, shared, state, lines, clock} = open(t, {storeMs});
    await one({needed: 20, least: 1});
    state.broken = how;
    const began = performance.now();
    t.is((await one({needed: 60, least: 1, level: 40}))?.granted, 10);
    t.true(performance.now() - began < 5 * storeMs);
    t.true(shared.isAway());
    const again = performance.now();
    clock.ms += 4_000;
    t.is((await one({needed: 60, least: 1, level: 40}))?.granted, 1);
    t.true(performance.now() - again < storeMs - 100, 'nobody waits a second time');
    state.broken = false;
    await eventually(() => assert.equal(shared.isAway(), false));
    t.deepEqual(lines, [
      'limits are per process: their store is away',
      'limits are counted over all gateways again',
    ]);
  });
}

test('what was taken while the store was away is taken out of it when it is back', async t => {
  const {one, shared, state, clock} = open(t);
  t.is((await one({needed: 10, least: 1}))?.level, 50);
  state.broken = 'fails';
  t.is((await one({needed: 12, least: 1, level: 50}))?.granted, 12);
  state.broken = false;
  await eventually(() => assert.equal(shared.isAway(), false));
  clock.ms += 4_000;
  // 50 less 12, and 4 are refilled.
  t.is((await one({}))?.level, 42);
  t.is((await one({}))?.level, 42, 'once');
});

test('what was given up again while the store was away is not taken out of it', async t => {
  const {one, shared, state, clock} = open(t);
  t.is((await one({needed: 10, least: 1}))?.level, 50);
  state.broken = 'fails';
  t.is((await one({needed: 12, least: 1, level: 50}))?.granted, 12);
  t.is((await one({kept: 2, released: 10, level: 50}))?.kept, 2);
  state.broken = false;
  await eventually(() => assert.equal(shared.isAway(), false));
  clock.ms += 4_000;
  // 50 less 2, and 4 are refilled.
  t.is((await one({}))?.level, 52);
});

test('what runs at once is told to the store when it is back, whatever it then adds up to', async t => {
  const {one, shared, state} = open(t);
  const slots = {limit: 'key:one:parallel', kind: 'parallel', capacity: 8} as const;
  await one({...slots, needed: 3, least: 1});
  state.broken = 'fails';
  t.is((await one({...slots, kept: 3, needed: 5, least: 1}))?.granted, 0);
  t.is((await one({...slots, kept: 1, needed: 5, least: 1}))?.granted, 1);
  state.broken = false;
  await eventually(() => assert.equal(shared.isAway(), false));
  t.deepEqual(await one({...slots, kept: 2}), {kept: 2, granted: 0, level: 6});
});
