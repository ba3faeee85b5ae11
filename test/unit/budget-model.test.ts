import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import {createWorld, type World} from '../helpers/budget-world.ts';

const weights = {
  grant: 8,
  start: 16,
  finish: 14,
  read: 8,
  readAgain: 2,
  giveBack: 2,
  fence: 2,
  wait: 2,
  settleDue: 2,
  startLate: 1,
  lie: 1,
  kill: 1,
};
type Name = keyof typeof weights;
type Step = readonly [name: Name, ...numbers: [number, number, number]];

/** `wait` makes results late, `startLate` is a process that froze, `lie` a model server that does. */
const all = Object.keys(weights) as Name[];
const orderly = all.filter(name => !['wait', 'settleDue', 'startLate', 'lie'].includes(name));

const steps = (allowed: readonly Name[]) =>
  fc.array(
    fc.tuple(
      fc.oneof(...allowed.map(name => ({weight: weights[name], arbitrary: fc.constant(name)}))),
      fc.nat(999),
      fc.nat(999),
      fc.nat(999),
    ),
    {minLength: 20, maxLength: 120, size: 'max'},
  );

/** Few gateways, so that steps meet. */
const take = (world: World, [name, one, other, third]: Step) => {
  const perGateway =
    name === 'grant' || name === 'start' || name === 'startLate' || name === 'kill';
  return world.step[name](perGateway ? one % 2 : one, other, third);
};

const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);

/** Nothing negative and spent + leased <= ceiling are constraints of the store in memory itself. */
const checkWindows = ({store: {state}}: World) => {
  const charges = [...state.ledger.values()].flatMap(entry => entry.charges);
  for (const window of state.windows.values()) {
    const charged = sum(
      charges.filter(charge => charge.window === window.id).map(charge => charge.amount),
    );
    assert.equal(
      charged,
      window.spent + window.overage,
      'the ledger is what the window was charged',
    );
    const leases = [...state.leases.values()].filter(lease => lease.window === window.id);
    const leased = sum(leases.map(lease => lease.granted - lease.settled - lease.returned));
    assert.equal(leased, window.leased, 'what is leased is what the leases have');
    assert.ok(window.ceiling >= window.limit);
  }
};

const isExplained = ({store: {state}, happened, results}: World) =>
  happened.lateIntent ||
  happened.implausible ||
  [...state.ledger.values()].some(
    ({entry, request}) => entry === 'unsettled' && results.has(request),
  );

const checkOverage = (world: World) => {
  if (!isExplained(world)) {
    assert.equal(sum([...world.store.state.windows.values()].map(window => window.overage)), 0n);
    assert.equal(world.happened.short, 0);
  }
};

const checkEnd = ({store: {state}, log, results}: World) => {
  assert.equal(state.requests.size, 0, 'no request is open for ever');
  assert.deepEqual(
    [...state.windows.values()].map(window => window.leased),
    [...state.windows.values()].map(() => 0n),
  );
  assert.equal(state.deadLetters.size, 0);
  const requests = new Set(
    log.flatMap(({event}) => (event.id.endsWith('/started') ? [event.id.slice(0, 36)] : [])),
  );
  for (const request of requests) {
    const entries = [...state.ledger.values()].filter(entry => entry.request === request);
    const kinds = entries.map(({entry}) => entry).join(' ');
    assert.match(kinds, results.has(request) ? /^(result|unsettled correction)$/ : /^unsettled$/);
    const cost = entries.reduce((total, entry) => total + entry.costNanos, 0);
    assert.equal(cost, results.get(request) ?? cost, 'a request costs what its result says');
    const amounts = Map.groupBy(
      entries.flatMap(({charges}) => charges),
      charge => charge.window,
    );
    for (const charges of amounts.values()) {
      assert.equal(
        sum(charges.map(charge => charge.amount)),
        BigInt(cost),
        'and every budget is charged that',
      );
    }
  }
};

const holds = async (allowed: readonly Name[], numRuns: number) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({min: 50, max: 1_000}), {minLength: 1, maxLength: 2}),
      steps(allowed),
      async (limits, list) => {
        const world = createWorld(limits);
        for (const step of list) {
          await take(world, step);
          checkWindows(world);
          checkOverage(world);
        }
        await world.end();
        checkWindows(world);
        checkOverage(world);
        checkEnd(world);
      },
    ),
    {numRuns},
  );
};

test('whatever happens in whatever order, no window is overspent and no money is lost', async t => {
  await holds(all, 400);
  t.pass();
});

test('as long as nothing freezes or lies and every result is in time, nothing is overage', async t => {
  await holds(orderly, 400);
  t.pass();
});
