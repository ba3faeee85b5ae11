import test from 'ava';
import {type Candidate, choose} from '../../functions/gateway/routing/choose.ts';
import {randomFrom} from '../chaos/random.ts';

const one = (rank: Candidate['rank'], load = 0, hasRoom = true): Candidate => ({
  rank,
  load,
  hasRoom,
});
const draws = (candidates: readonly (Candidate | undefined)[], count = 200) => {
  const random = randomFrom(7);
  return new Set(Array.from({length: count}, () => choose(candidates, random)));
};

test('none is chosen of none, and of those that were tried', t => {
  t.deepEqual(draws([]), new Set(['none'] as const));
  t.deepEqual(draws([undefined, undefined]), new Set(['none'] as const));
});

test('healthy before unknown before unhealthy, however much there is to do', t => {
  t.deepEqual(draws([one(2), one(1), one(0, 99)]), new Set([2]));
  t.deepEqual(draws([one(2), one(1, 99)]), new Set([1]));
  t.deepEqual(draws([one(2, 99), undefined]), new Set([0]));
});

test('an unknown one is chosen where the healthy are full, an unhealthy one only where there is no other', t => {
  t.deepEqual(draws([one(0, 3, false), one(1)]), new Set([1]));
  t.deepEqual(draws([one(0, 3, false), one(2)]), new Set(['full'] as const));
  t.deepEqual(draws([one(2, 3, false), one(2)]), new Set([1]));
});

test('of two the one with less to do is chosen, of equal ones each', t => {
  t.deepEqual(draws([one(0, 2), one(0, 1)]), new Set([1]));
  t.deepEqual(draws([one(0, 2), one(0, 2)]), new Set([0, 1]));
});

test('of many, the one with most to do never is, and each other one is now and then', t => {
  t.deepEqual(draws([one(0, 9), one(0, 1), one(0, 2), one(0, 3)]), new Set([1, 2, 3]));
});

/** Requests come at `rate` a ms to servers that work on all they have at once, each slower by as much. */
const simulate = (
  pick: (loads: readonly number[], random: () => number) => number,
  {speeds, requests, seed}: {speeds: readonly number[]; requests: number; seed: number},
) => {
  const random = randomFrom(seed);
  const loads = speeds.map(() => 0);
  const taken = speeds.map(() => 0);
  let waits = 0;
  let peak = 0;
  for (let arrived = 0; arrived < requests; ) {
    // The next event of a Poisson process: an arrival, or one of the servers that are busy is done with one.
    const rates = [1, ...speeds.map((speed, index) => ((loads[index] as number) > 0 ? speed : 0))];
    let at = random() * rates.reduce((sum, rate) => sum + rate, 0);
    const event = rates.findIndex(rate => {
      at -= rate;
      return at < 0;
    });
    if (event > 0) {
      loads[event - 1] = (loads[event - 1] as number) - 1;
      continue;
    }
    const index = pick(loads, random);
    waits += (loads[index] as number) / (speeds[index] as number);
    loads[index] = (loads[index] as number) + 1;
    taken[index] = (taken[index] as number) + 1;
    peak = Math.max(peak, loads[index] as number);
    arrived += 1;
  }
  return {waits: waits / requests, peak, share: (taken[0] as number) / requests};
};

const byTwoChoices = (loads: readonly number[], random: () => number) =>
  choose(
    loads.map(load => one(0, load)),
    random,
  ) as number;
const byChance = (loads: readonly number[], random: () => number) =>
  Math.floor(random() * loads.length);

test('two endpoints of which one is three times as fast get what they can do, and requests wait a tenth of what chance makes them', t => {
  for (const seed of [1, 2, 3]) {
    const world = {speeds: [0.9, 0.3], requests: 20_000, seed};
    const two = simulate(byTwoChoices, world);
    const chance = simulate(byChance, world);
    t.true(two.share > 0.6 && two.share < 0.85, `the fast one got ${two.share}`);
    t.true(two.waits < chance.waits / 10, `${two.waits} against ${chance.waits}`);
    t.true(two.peak < chance.peak / 10, `${two.peak} against ${chance.peak}`);
  }
});

test('eight equal endpoints are never as uneven as chance makes them', t => {
  const world = {speeds: Array.from({length: 8}, () => 0.15), requests: 20_000, seed: 4};
  t.true(simulate(byTwoChoices, world).waits < simulate(byChance, world).waits * 0.6);
});
