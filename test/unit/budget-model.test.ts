import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import {check, checkEnd} from '../helpers/budget-checks.ts';
import {createSteps, end, type Steps} from '../helpers/budget-steps.ts';
import {createWorld, type Seed} from '../helpers/budget-world.ts';

type Name = keyof Steps;
type Step = readonly [name: Name, ...numbers: number[]];

/** How often each is chosen, beside the others. */
const weights: Record<Name, number> = {
  acquire: 30,
  flow: 14,
  tick: 14,
  finish: 12,
  read: 10,
  pass: 6,
  write: 4,
  acknowledge: 4,
  send: 3,
  reach: 3,
  answer: 3,
  hear: 3,
  jump: 3,
  sweep: 3,
  relay: 3,
  wake: 3,
  calm: 2,
  lose: 2,
  stray: 2,
  readAgain: 2,
  limit: 2,
  freeze: 2,
  topUp: 1,
  pause: 1,
  kill: 1,
  suspend: 1,
  stepClock: 1,
  failIntent: 1,
  loseResult: 1,
  land: 1,
  long: 2,
  lie: 1,
  external: 1,
};

const seeds: fc.Arbitrary<Seed> = fc.record({
  gateways: fc.integer({min: 2, max: 4}),
  limits: fc.tuple(
    fc.integer({min: 50, max: 2_000}),
    fc.integer({min: 50, max: 2_000}),
    fc.integer({min: 50, max: 2_000}),
  ),
  sliceMax: fc.integer({min: 1, max: 500}),
  minutesLeft: fc.integer({min: 1, max: 40}),
});
const names = Object.entries(weights).map(([name, weight]) => ({
  weight,
  arbitrary: fc.constant(name as Name),
}));
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.tuple(fc.oneof(...names), fc.nat(999), fc.nat(999), fc.nat(999)),
  {minLength: 1, maxLength: 200, size: 'max'},
);

const run = async (seed: Seed, list: readonly Step[]) => {
  const world = createWorld(seed);
  const step = createSteps(world);
  for (const [name, ...numbers] of list) {
    await (step[name] as (...numbers: number[]) => unknown)(...numbers);
    check(world);
  }
  await end(world);
  check(world);
  checkEnd(world);
  return world;
};

test('whatever happens in whatever order, no window is overspent, no money is lost, and nobody is refused what is there', async t => {
  t.timeout(600_000);
  await fc.assert(
    fc.asyncProperty(seeds, steps, async (seed, list) => {
      await run(seed, list);
    }),
    {numRuns: Number(process.env.SLUICE_TEST_MODEL_RUNS ?? 400), includeErrorInReport: true},
  );
  t.pass();
});

/** What was found and mended. */
const found = test.macro<Step[]>({
  exec: async (t, ...list: Step[]) => {
    await run({gateways: 2, limits: [50, 50, 50], sliceMax: 1, minutesLeft: 1}, list);
    t.pass();
  },
  title: (title = '') => title,
});

test(
  'a lease that an answer names lives on also where nothing was left to grant',
  found,
  ['acquire', 0, 99, 3],
  ['tick', 0],
  ['jump', 7],
  ['acquire', 0, 0, 3],
  ['tick', 0],
  ['jump', 7],
);
test(
  'a hold that was taken before its window ended is covered as long as any other',
  found,
  ['pass', 7],
  ['acquire', 0, 0, 0],
  ['tick', 0],
  ['jump', 8],
  ['sweep'],
);
test(
  'an answer that was long on its way counts from when it was asked for',
  found,
  ['acquire', 0, 0, 0],
  ['send', 0],
  ['reach', 0, 1],
  ['jump', 8],
  ['answer', 0],
  ['jump', 5],
);
test(
  'a lease ends with a request that is never settled, also when a grant is on its way to it',
  found,
  ['acquire', 0, 0, 0],
  ['tick', 0],
  ['acquire', 0, 0, 0],
  ['send', 0],
  ['finish', 0, 0],
  ['loseResult', 0],
);
test(
  'a result that is durable after its request was settled by policy returns nothing of its hold',
  found,
  ['acquire', 0, 0, 0],
  ['tick', 0],
  ['flow', 0],
  ['read', 7],
  ...Array.from({length: 6}, (): Step => ['pass', 12]),
  ['sweep'],
  ['relay'],
  ['flow', 0],
  ['tick', 0],
  ['read', 7],
  ['read', 7],
);

/** Every test above proves something only if what it is about happens often. */
test('the steps lead to everything that the rules are about', async t => {
  t.timeout(600_000);
  const met = new Map<string, number>();
  const count = (what: string, times: number) => met.set(what, (met.get(what) ?? 0) + times);
  for (const [seed, list] of fc.sample(fc.tuple(seeds, steps), {numRuns: 100, seed: 1})) {
    const {store, requests, log} = await run(seed, list);
    const leases = [...store.state.leases.values()];
    const entries = [...store.state.ledger.values()];
    const {charges} = {charges: entries.flatMap(entry => entry.charges)};
    count('requests', requests.length);
    count('leases', leases.length);
    count('fences', leases.filter(({state}) => state === 'fenced').length);
    count(
      'fences with costs',
      leases.filter(one => one.state === 'fenced' && one.settled > 0n).length,
    );
    count('results', entries.filter(({entry}) => entry === 'result').length);
    count('unsettled', entries.filter(({entry}) => entry === 'unsettled').length);
    count('corrections', entries.filter(({entry}) => entry === 'correction').length);
    count('external', entries.filter(({entry}) => entry === 'external').length);
    count('overage', charges.filter(({overage}) => overage > 0n).length);
    count('windows of a second day', store.state.windows.size - 3);
    count('late writes', requests.filter(({isLate}) => isLate).length);
    count('events', log.length);
  }
  t.log(Object.fromEntries(met));
  for (const [what, times] of met) {
    assert.ok(times >= 10, `${what}: ${times}`);
  }
  t.pass();
});
