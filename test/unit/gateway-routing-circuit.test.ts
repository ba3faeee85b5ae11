import test from 'ava';
import fc from 'fast-check';
import {
  afterFailure,
  allows,
  type Circuit,
  circuitRules,
  closed,
  isOpen,
  onTrial,
  openNow,
  reopensMs,
  withoutTrial,
} from '../../functions/gateway/routing/circuit.ts';

const failed = (circuit: Circuit, times: number, nowMs: number, isTrial = false) =>
  Array.from({length: times}).reduce<Circuit>(
    before => afterFailure(before, isTrial, nowMs),
    circuit,
  );

test('four failures in a row leave it closed, the fifth opens it for a second', t => {
  t.false(isOpen(failed(closed, 4, 0)));
  t.true(allows(failed(closed, 4, 0), 0));
  const open = failed(closed, 5, 0);
  t.true(isOpen(open));
  t.false(allows(open, 999));
  t.true(allows(open, 1_000));
});

test('a request is let through as a trial, and no other until it has said something or is forgotten', t => {
  const trial = onTrial(failed(closed, 5, 0), 1_000);
  t.false(allows(trial, 1_001));
  t.false(allows(trial, 1_000 + circuitRules.trialMs - 1));
  t.true(allows(trial, 1_000 + circuitRules.trialMs));
  t.true(allows(withoutTrial(trial), 1_001), 'its client went: the next may try');
});

test('each trial that fails doubles the time, up to half a minute', t => {
  let circuit = failed(closed, 5, 0);
  const times: number[] = [];
  for (let trial = 0; trial < 7; trial += 1) {
    const now = reopensMs(circuit);
    circuit = afterFailure(onTrial(circuit, now), true, now);
    times.push(reopensMs(circuit) - now);
  }
  t.deepEqual(times, [2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

test('requests that began before it opened do not make it longer', t => {
  const open = failed(closed, 5, 0);
  t.is(failed(open, 100, 500), open);
});

test('after it has closed again it takes five failures, and a second, anew', t => {
  t.false(isOpen(failed(closed, 4, 99_000)));
  t.is(reopensMs(failed(closed, 5, 99_000)), 100_000);
});

test('one that is opened by knowledge is due for a trial at once', t => {
  const open = openNow(5);
  t.true(isOpen(open));
  t.true(allows(open, 5));
  t.is(reopensMs(afterFailure(onTrial(open, 5), true, 5)), 5 + 2_000);
});

test('whatever happens it is never open for longer than half a minute without letting one through', t => {
  const step = fc.record({ms: fc.nat({max: 40_000}), isTrial: fc.boolean()});
  fc.assert(
    fc.property(fc.array(step, {maxLength: 60}), steps => {
      let now = 0;
      let circuit = closed;
      for (const {ms, isTrial} of steps) {
        now += ms;
        circuit = afterFailure(
          isTrial && allows(circuit, now) && isOpen(circuit) ? onTrial(circuit, now) : circuit,
          isTrial,
          now,
        );
        if (!allows(circuit, now + circuitRules.openMaxMs)) {
          return false;
        }
      }
      return true;
    }),
  );
  t.pass();
});
