import test from 'ava';
import fc from 'fast-check';
import {type Ask, exchangeOne, grantOf, newBucket} from '../../functions/gateway/limits/bucket.ts';
import {createIdealBucket} from '../helpers/limits.ts';

const ask = (more: Partial<Ask> = {}): Ask => ({
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
const at = (nowMs: number, gateway = 'a') => ({gateway, gateways: 2, nowMs, lifeMs: 2_000});

test('a slice is what is needed, and beyond it a share of what is left up to a maximum', t => {
  t.is(grantOf({needed: 1, least: 1, max: 10}, 800, 4), 10);
  t.is(grantOf({needed: 1, least: 1, max: 100}, 800, 4), 50);
  t.is(grantOf({needed: 70, least: 1, max: 100}, 800, 4), 70);
  t.is(grantOf({needed: 1, least: 1, max: 100}, 8, 4), 1);
});

test('where less is left than all lack together, it covers some; where it covers none, none is given', t => {
  t.is(grantOf({needed: 9, least: 3, max: 10}, 5.9, 1), 5);
  t.is(grantOf({needed: 9, least: 6, max: 10}, 5.9, 1), 0);
  t.is(grantOf({needed: 0, least: 0, max: 10}, -3, 1), 0);
});

test('a bucket begins with what its asker knows, and refills with its limit in a minute', t => {
  const bucket = newBucket(ask({level: 10}), 0);
  t.is(exchangeOne(bucket, ask({needed: 20, least: 20}), at(0)).granted, 0);
  t.is(exchangeOne(bucket, ask({needed: 20, least: 20}), at(9_999)).granted, 0);
  t.is(exchangeOne(bucket, ask({needed: 20, least: 20}), at(10_000)).granted, 20);
});

test('what others hold is not refilled: they may spend it all in one moment', t => {
  const bucket = newBucket(ask(), 0);
  exchangeOne(bucket, ask({needed: 20, least: 20}), at(0, 'b'));
  t.is(exchangeOne(bucket, ask(), at(1_999)).level, 40);
  t.is(exchangeOne(bucket, ask(), at(2_001)).level, 40.001, 'its permits lapsed a moment ago');
});

test('what is spent in the moment before it is told made no room for the time before', t => {
  const capacity = 7_852;
  const bucket = newBucket(ask({capacity, level: capacity}), 0);
  exchangeOne(bucket, ask({capacity, needed: 490, least: 490}), at(0));
  // 323 of 490 are spent at 23 ms: until then the bucket was full, and what would have flowed in is lost.
  const told = exchangeOne(bucket, ask({capacity, kept: 167}), at(23));
  t.is(told.level, capacity - 490);
  t.is(
    exchangeOne(bucket, ask({capacity, kept: 167}), at(24)).level,
    told.level + capacity / 60_000,
  );
});

test('what is given up was not spent, and goes back into a bucket that is full without it', t => {
  const bucket = newBucket(ask(), 0);
  exchangeOne(bucket, ask({needed: 20, least: 20}), at(0));
  t.is(exchangeOne(bucket, ask({kept: 5, released: 10}), at(1_000)).level, 50);
  t.is(exchangeOne(bucket, ask({released: 99}), at(1_000)).level, 55, 'no more than was held');
});

test('what lapsed may have been spent at the end of its life: only the time since then refills its room', t => {
  const bucket = newBucket(ask(), 0);
  exchangeOne(bucket, ask({needed: 20, least: 20}), at(0, 'b'));
  exchangeOne(bucket, ask({needed: 10, least: 10}), at(500, 'c'));
  // Full at 30 until the second lapsed at 2.5 s.
  t.is(exchangeOne(bucket, ask(), at(4_500)).level, 32);
});

test('permits that have lapsed are not kept, whatever their holder says', t => {
  const bucket = newBucket(ask(), 0);
  t.is(exchangeOne(bucket, ask({needed: 5, least: 5}), at(0)).granted, 5);
  t.is(exchangeOne(bucket, ask({kept: 9}), at(1_999)).kept, 5);
  t.is(exchangeOne(bucket, ask({kept: 5}), at(3_999)).kept, 0);
});

test('what was used above the bound is owed, for two minutes at most', t => {
  const bucket = newBucket(ask(), 0);
  t.is(exchangeOne(bucket, ask({given: -1_000_000}), at(0)).level, -60);
  t.is(exchangeOne(bucket, ask(), at(60_000)).level, 0);
});

test('a share that is smaller than a request lets one in when it is full, and owes it', t => {
  const bucket = newBucket(ask({level: 60}), 0);
  const large = ask({needed: 100, least: 100, mayOwe: true});
  t.is(exchangeOne(bucket, large, at(0)).granted, 100);
  t.is(exchangeOne(bucket, ask(), at(0)).level, -40, 'spent');
  t.is(exchangeOne(bucket, large, at(90_000)).granted, 0);
  t.is(exchangeOne(bucket, large, at(100_000)).granted, 100);
  t.is(exchangeOne(newBucket(ask(), 0), {...large, mayOwe: false}, at(0)).granted, 0);
});

test('slots at once are what nobody holds; what runs is held although it is too much', t => {
  const slots = (more: Partial<Ask>) => ask({kind: 'parallel', capacity: 3, ...more});
  const bucket = newBucket(slots({}), 0);
  t.is(exchangeOne(bucket, slots({needed: 2, least: 1}), at(0)).granted, 2);
  t.is(exchangeOne(bucket, slots({needed: 2, least: 1}), at(0, 'b')).granted, 1);
  t.is(exchangeOne(bucket, slots({kept: 2, needed: 1, least: 1}), at(1_000)).granted, 0);
  t.like(exchangeOne(bucket, slots({kept: 5}), at(1_000)), {kept: 5, level: -3});
  t.is(exchangeOne(bucket, slots({kept: 0, needed: 1, least: 1}), at(3_000, 'c')).granted, 1);
});

type Step = Readonly<
  | {do: 'wait'; ms: number}
  | {do: 'exchange'; gateway: number; needed: number; max: number; share: number}
  | {do: 'spend'; gateway: number; amount: number}
  | {do: 'die'; gateway: number}
>;
const gateway = fc.nat({max: 3});
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('wait' as const),
    ms: fc.oneof(fc.nat({max: 50}), fc.nat({max: 3_000})),
  }),
  fc.record({
    do: fc.constant('exchange' as const),
    gateway,
    needed: fc.nat({max: 40}),
    max: fc.nat({max: 40}),
    share: fc.double({min: 0, max: 1, noNaN: true}),
  }),
  fc.record({do: fc.constant('spend' as const), gateway, amount: fc.nat({max: 60})}),
  fc.record({do: fc.constant('die' as const), gateway}),
);

test('whatever gateways do, in no span of time is more admitted than by one bucket that all could ask', t => {
  fc.assert(
    fc.property(
      fc.array(step, {minLength: 20, maxLength: 300}),
      fc.integer({min: 1, max: 300}),
      (steps, capacity) => {
        const ideal = createIdealBucket(capacity);
        const bucket = newBucket(ask({capacity, level: capacity}), 0);
        const held = [0, 1, 2, 3].map(() => ({permits: 0, untilMs: 0}));
        let nowMs = 0;
        for (const next of steps) {
          if (next.do === 'wait') {
            nowMs += next.ms;
            continue;
          }
          const mine = held[next.gateway] as {permits: number; untilMs: number};
          mine.permits = nowMs < mine.untilMs ? mine.permits : 0;
          if (next.do === 'die') {
            mine.permits = 0;
          } else if (next.do === 'spend') {
            const amount = Math.min(next.amount, mine.permits);
            mine.permits -= amount;
            t.true(ideal.spend(amount, nowMs) >= -1e-6);
          } else {
            const kept = Math.floor(mine.permits * next.share);
            const {needed, max} = next;
            const asked = ask({
              capacity,
              kept,
              released: mine.permits - kept,
              needed,
              least: Math.min(needed, 1),
              max,
            });
            const answer = exchangeOne(bucket, asked, at(nowMs, String(next.gateway)));
            mine.permits = Math.min(kept, answer.kept) + answer.granted;
            mine.untilMs = nowMs + 2_000;
          }
        }
      },
    ),
    {numRuns: 300},
  );
});
