import test from 'ava';
import {type Dependency, type Missing, waitFor} from '../../events/wait-for/wait-for.ts';

/** A clock that only sleeping and checks advance. */
const virtualTime = () => {
  let time = 0;
  return {
    now: () => time,
    sleep: async (ms: number) => {
      time += ms;
    },
    pass: (ms: number) => {
      time += ms;
    },
  };
};

const failing = (name: string, times: number, say: (attempt: number) => string): Dependency => {
  let attempt = 0;
  return {
    name,
    check: async () => {
      attempt += 1;
      if (attempt <= times) {
        throw new Error(say(attempt));
      }
    },
  };
};

test('what answers at once is not waited for', async t => {
  const {now, sleep} = virtualTime();
  t.deepEqual(await waitFor([failing('one', 0, String)], {now, sleep}), []);
  t.is(now(), 0);
});

test('what answers later is waited for, and told of once a reason', async t => {
  const {now, sleep} = virtualTime();
  const told: Missing[] = [];
  const one = failing('one', 4, attempt => (attempt < 3 ? 'refused' : 'starting up'));
  const onMissing = (missing: Missing) => told.push(missing);
  t.deepEqual(await waitFor([one], {now, sleep, onMissing, intervalMs: 100}), []);
  t.is(now(), 400);
  t.deepEqual(told, [
    {name: 'one', reason: 'refused'},
    {name: 'one', reason: 'starting up'},
  ]);
});

test('after the deadline those that are missing are named with their last reason, and no other', async t => {
  const {now, sleep} = virtualTime();
  const missing = await waitFor(
    [failing('one', 3, String), failing('two', Number.POSITIVE_INFINITY, () => 'refused')],
    {now, sleep, deadlineMs: 1_000, intervalMs: 100},
  );
  t.deepEqual(missing, [{name: 'two', reason: 'refused'}]);
  t.true(now() <= 1_000);
});

test('a check is given no more time than there is until the deadline', async t => {
  const {now, sleep, pass} = virtualTime();
  const given: number[] = [];
  const silent: Dependency = {
    name: 'silent',
    check: async withinMs => {
      given.push(withinMs);
      pass(withinMs);
      throw new Error('no answer');
    },
  };
  await waitFor([silent], {now, sleep, deadlineMs: 5_000, attemptMs: 3_000, intervalMs: 500});
  t.deepEqual(given, [3_000, 1_500]);
});

test('one attempt is made, however short the deadline is', async t => {
  const {now, sleep} = virtualTime();
  t.deepEqual(await waitFor([failing('one', 0, String)], {now, sleep, deadlineMs: 0}), []);
});

test('what failed at several addresses says so of each', async t => {
  const {now, sleep} = virtualTime();
  const check = () =>
    Promise.reject(new AggregateError([new Error('refused at ::1'), new Error('at 127.0.0.1')]));
  const [missing] = await waitFor([{name: 'one', check}], {now, sleep, deadlineMs: 1});
  t.is(missing?.reason, 'refused at ::1; at 127.0.0.1');
});
