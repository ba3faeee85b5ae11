import test from 'ava';
import {
  correct,
  fence,
  type Lease,
  openHold,
  settle,
  type Window,
} from '../../functions/budget/window.ts';

const lease = (fields: Partial<Lease> = {}): Lease => ({
  state: 'open',
  granted: 100n,
  settled: 0n,
  returned: 0n,
  open: 60n,
  ...fields,
});
const window = (fields: Partial<Window> = {}): Window => ({
  limit: 1_000n,
  ceiling: 1_000n,
  spent: 0n,
  leased: 100n,
  overage: 0n,
  ...fields,
});

const settles = test.macro({
  title: (title = '') => title,
  exec(
    t,
    before: {lease?: Partial<Lease>; window?: Partial<Window>},
    settlement: Parameters<typeof settle>[2],
    after: {lease: Partial<Lease>; window: Partial<Window>; short?: bigint},
  ) {
    const outcome = settle(lease(before.lease), window(before.window), settlement);
    t.like(outcome.lease, after.lease);
    t.like(outcome.window, after.window);
    t.is(outcome.covered + outcome.overage, settlement.amount);
    t.is(outcome.short, after.short ?? 0n);
  },
});

test(
  'a cost moves from leased to spent, and what its hold did not need stays with the holder',
  settles,
  {},
  {hold: 60n, amount: 25n, cover: 'intent'},
  {lease: {settled: 25n, open: 0n, returned: 0n}, window: {spent: 25n, leased: 75n, overage: 0n}},
);

test(
  'a cost above its hold is overage even when its lease has room',
  settles,
  {},
  {hold: 60n, amount: 90n, cover: 'intent'},
  {lease: {settled: 60n, open: 0n}, window: {spent: 60n, leased: 40n, overage: 30n}},
);

test(
  'a closed lease still covers',
  settles,
  {lease: {state: 'closed', returned: 40n}, window: {leased: 60n}},
  {hold: 60n, amount: 60n, cover: 'intent'},
  {lease: {settled: 60n, open: 0n, returned: 40n}, window: {spent: 60n, leased: 0n, overage: 0n}},
);

test(
  'a lease that is being fenced still covers, and keeps the remainder until its marker',
  settles,
  {lease: {state: 'fencing'}},
  {hold: 60n, amount: 10n, cover: 'intent'},
  {lease: {settled: 10n, open: 0n, returned: 0n}, window: {spent: 10n, leased: 90n}},
);

test(
  'a fenced lease frees what the settled hold did not need',
  settles,
  {lease: {state: 'fenced', returned: 40n}, window: {leased: 60n}},
  {hold: 60n, amount: 10n, cover: 'intent'},
  {lease: {settled: 10n, open: 0n, returned: 90n}, window: {spent: 10n, leased: 0n, overage: 0n}},
);

test(
  'a hold that no lease covers is overage and touches no lease',
  settles,
  {},
  {hold: 60n, amount: 25n, cover: 'nobody'},
  {lease: {settled: 0n, open: 60n}, window: {spent: 0n, leased: 100n, overage: 25n}},
);

test(
  'a result before its intent is covered and leaves the open holds alone',
  settles,
  {},
  {hold: 40n, amount: 30n, cover: 'unannounced'},
  {lease: {settled: 30n, open: 60n}, window: {spent: 30n, leased: 70n, overage: 0n}},
);

test(
  'a result before its intent is covered no further than its lease goes',
  settles,
  {lease: {settled: 50n, returned: 20n, open: 0n}, window: {spent: 50n, leased: 30n}},
  {hold: 40n, amount: 40n, cover: 'unannounced'},
  {
    lease: {settled: 80n, returned: 20n},
    window: {spent: 80n, leased: 0n, overage: 10n},
    short: 10n,
  },
);

test(
  'a hold on a lease that gave too much back is covered by what is left, and counted',
  settles,
  {lease: {returned: 70n}, window: {leased: 30n}},
  {hold: 60n, amount: 50n, cover: 'intent'},
  {
    lease: {settled: 30n, returned: 70n, open: 0n},
    window: {spent: 30n, leased: 0n, overage: 20n},
    short: 20n,
  },
);

test(
  'a ceiling above the limit sinks with what a fenced lease frees, and never under what is spent and leased',
  settles,
  {lease: {state: 'fenced', returned: 40n}, window: {limit: 20n, ceiling: 60n, leased: 60n}},
  {hold: 60n, amount: 30n, cover: 'intent'},
  {lease: {returned: 70n}, window: {spent: 30n, leased: 0n, ceiling: 30n}},
);

test(
  'overage stays a number that a row can keep',
  settles,
  {window: {overage: 2n ** 63n - 5n}},
  {hold: 0n, amount: 10n, cover: 'nobody'},
  {lease: {settled: 0n}, window: {overage: 2n ** 63n - 1n}},
);

test('an unknown lease covers nothing', t => {
  const outcome = settle(undefined, window(), {hold: 60n, amount: 25n, cover: 'intent'});
  t.is(outcome.lease, undefined);
  t.like(outcome.window, {spent: 0n, leased: 100n, overage: 25n});
});

test('an intent opens its hold', t => {
  t.like(openHold(lease(), 15n), {open: 75n, settled: 0n});
});

test('a marker frees what no open hold needs', t => {
  const after = fence(
    lease({state: 'fencing', settled: 10n, returned: 5n, open: 60n}),
    window({spent: 10n, leased: 85n}),
  );
  t.like(after?.lease, {state: 'fenced', returned: 30n, settled: 10n, open: 60n});
  t.like(after?.window, {leased: 60n, spent: 10n});
});

test('a marker frees nothing while open holds need more than is left', t => {
  const after = fence(lease({state: 'fencing', returned: 90n, open: 60n}), window({leased: 10n}));
  t.like(after?.lease, {state: 'fenced', returned: 90n});
  t.like(after?.window, {leased: 10n});
});

for (const state of ['open', 'closed', 'fenced'] as const) {
  test(`a marker is void on a lease that is ${state}`, t => {
    t.is(fence(lease({state}), window()), undefined);
  });
}

const corrects = test.macro({
  title: (title = '') => title,
  exec(t, before: Partial<Window>, difference: bigint, after: Partial<Window>, covered: bigint) {
    const outcome = correct(window(before), difference);
    t.like(outcome.window, after);
    t.is(outcome.covered, covered);
    t.is(outcome.covered + outcome.overage, difference);
  },
});

test(
  'a request that cost more is spent where the limit has room',
  corrects,
  {spent: 50n},
  30n,
  {spent: 80n, overage: 0n},
  30n,
);
test(
  'a request that cost more than the limit has room for is overage',
  corrects,
  {spent: 880n, overage: 10n},
  30n,
  {spent: 890n, leased: 100n, overage: 30n},
  10n,
);
test(
  'a request that cost more in a window over its limit is all overage',
  corrects,
  {limit: 50n, spent: 60n, leased: 0n, ceiling: 60n},
  30n,
  {spent: 60n, overage: 30n, ceiling: 60n},
  0n,
);
test(
  'a request that cost less lowers overage first, then what was spent',
  corrects,
  {spent: 50n, overage: 10n},
  -30n,
  {spent: 30n, overage: 0n},
  -20n,
);
test(
  'a request that cost less lets the ceiling sink towards a lowered limit',
  corrects,
  {limit: 120n, ceiling: 150n, spent: 50n},
  -40n,
  {spent: 10n, leased: 100n, ceiling: 120n},
  -40n,
);
test(
  'a correction of nothing changes nothing',
  corrects,
  {spent: 50n},
  0n,
  {spent: 50n, overage: 0n},
  0n,
);
