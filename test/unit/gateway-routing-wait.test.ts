import test from 'ava';
import {createServiceTimes} from '../../functions/gateway/routing/wait.ts';

const after = (...tooksMs: number[]) => {
  const times = createServiceTimes();
  for (const tookMs of tooksMs) {
    times.add(tookMs);
  }
  return times;
};
const repeat = (tookMs: number, count: number) => Array.from({length: count}, () => tookMs);

test('nothing is said of a wait before eight requests have ended', t => {
  t.is(after(...repeat(1_000, 7)).waitMs(10, 1), 0);
  t.is(after(...repeat(1_000, 8)).waitMs(9, 1), 10_000);
});

test('a wait is what those ahead need and one that runs, divided among the places; who is next does not wait by it', t => {
  const times = after(...repeat(1_000, 20));
  t.is(times.waitMs(0, 1), 0);
  t.is(times.waitMs(7, 4), 2_000);
  t.is(times.waitMs(8, Number.POSITIVE_INFINITY), 0);
  t.is(times.waitMs(8, 0), 0);
});

test('the last requests count: what they take is learned in a hundred', t => {
  const times = after(...repeat(10_000, 100), ...repeat(1_000, 120));
  const waitMs = times.waitMs(1, 2);
  t.true(waitMs >= 1_000 && waitMs < 1_300, String(waitMs));
});

test('the first requests have equal parts', t => {
  t.is(Math.round(after(...repeat(1_000, 4), ...repeat(3_000, 4)).waitMs(1, 2)), 2_000);
});
