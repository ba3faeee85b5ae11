/**
The gate of a function whose process is played by the test: who enters, who waits, who is refused, and when it may rest.
*/
import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import fc from 'fast-check';
import {admit, mayRest, type Standing} from '../../knative/local/activator/admission.ts';
import {
  createGate,
  type Entered,
  type Gate,
  type GateOptions,
} from '../../knative/local/activator/gate.ts';
import {enterBy, rulesOf} from '../../knative/local/activator/gates.ts';
import {sendThrough} from '../../knative/local/activator/send-through.ts';
import type {Child, ChildState} from '../../knative/local/processes.ts';
import {eventually} from '../helpers/eventually.ts';

type Played = {state: ChildState; crashes: number; processes: number};

/** What the process does is said by `become`. */
const open = (t: ExecutionContext, options: Partial<GateOptions> = {}) => {
  const played: Played = {state: 'listening', crashes: 0, processes: 1};
  const calls: string[] = [];
  let hooks: Parameters<GateOptions['startChild']>[0] | undefined;
  const child: Child = {
    name: 'demo',
    url: () => (played.state === 'listening' ? 'http://demo' : undefined),
    pid: () => undefined,
    state: () => played.state,
    crashes: () => played.crashes,
    processes: () => played.processes,
    ready: Promise.resolve(),
    wake() {
      if (played.state === 'resting') {
        calls.push('wake');
        Object.assign(played, {state: 'starting', processes: played.processes + 1});
      }
    },
    rest() {
      calls.push('rest');
      played.state = 'resting';
    },
    async stop() {
      calls.push('stop');
      played.state = 'stopped';
    },
    kill() {
      played.state = 'stopped';
    },
  };
  const gate = createGate({
    name: 'demo',
    rules: {concurrency: 0, holds: true, mayBeZero: true, ...options.rules},
    timeouts: options.timeouts ?? {totalMs: 60_000},
    idleMs: options.idleMs ?? 60_000,
    restMs: 1_000,
    startChild: given => {
      hooks = given;
      return child;
    },
  });
  t.teardown(gate.kill);
  return {
    gate,
    calls,
    onCrash: () => hooks?.onCrash(),
    become(next: Partial<Played>) {
      Object.assign(played, next);
      hooks?.onChange();
    },
  };
};

const enter = async (gate: Gate): Promise<Entered> => {
  const entry = await gate.enter();
  assert.equal(entry.kind, 'entered');
  return entry as Entered;
};

/** The reason, or that it was let in. */
const reasonOf = async (entering: ReturnType<Gate['enter']>) => {
  const entry = await entering;
  return entry.kind === 'refused' ? entry.reason : 'entered';
};

const rules = {concurrency: 3, holds: true, mayBeZero: true};

test('with a concurrency of n, n are inside, ten times n wait, and one more is told that the queue is full', async t => {
  const {gate} = open(t, {rules: {...rules, concurrency: 2}});
  const inside = [await enter(gate), await enter(gate)];
  const waiting = Array.from({length: 20}, () => enter(gate));
  t.like(gate.look(), {inside: 2, waiting: 20});
  t.deepEqual(await gate.enter(), {
    kind: 'refused',
    reason: 'full',
    message: 'the function demo: pending request queue full',
  });
  inside[0]?.release();
  inside[0]?.release();
  t.like(gate.look(), {inside: 2, waiting: 19}, 'a place is given back once');
  inside[1]?.release();
  for (const entering of waiting) {
    (await entering).release();
  }
  t.like(gate.look(), {inside: 0, waiting: 0});
});

test('who waits is let in in the order of coming, and nobody overtakes', async t => {
  const {gate} = open(t, {rules: {...rules, concurrency: 1}});
  const first = await enter(gate);
  const order: number[] = [];
  const others = [1, 2, 3].map(async number => {
    const entry = await enter(gate);
    order.push(number);
    entry.release();
  });
  first.release();
  await Promise.all([...others, enter(gate).then(({release}) => release())]);
  t.deepEqual(order, [1, 2, 3]);
});

test('without a limit nobody waits', async t => {
  const {gate} = open(t);
  await Promise.all(Array.from({length: 5_000}, () => enter(gate)));
  t.like(gate.look(), {inside: 5_000, waiting: 0});
});

test('a sender that goes away leaves the queue, and takes no place afterwards', async t => {
  const {gate} = open(t, {rules: {...rules, concurrency: 1}});
  const inside = await enter(gate);
  const gone = new AbortController();
  const left = gate.enter({signal: gone.signal});
  const stays = enter(gate);
  gone.abort();
  t.is(await reasonOf(left), 'left');
  t.is(gate.look().waiting, 1);
  inside.release();
  await stays;
  t.like(gate.look(), {inside: 1, waiting: 0});
  t.is(await reasonOf(gate.enter({signal: gone.signal})), 'left');
});

test('while the function starts requests are held, and all let in when it listens', async t => {
  const {gate, become} = open(t);
  become({state: 'starting'});
  const held = Array.from({length: 50}, () => enter(gate));
  t.like(gate.look(), {inside: 0, waiting: 50, held: true});
  become({state: 'listening'});
  await Promise.all(held);
  t.like(gate.look(), {inside: 50, waiting: 0});
});

test('what is held has a bound in number', async t => {
  const {gate, become} = open(t, {rules: {...rules, heldMax: 5}});
  become({state: 'starting'});
  const held = Array.from({length: 5}, () => gate.enter());
  t.is(await reasonOf(gate.enter()), 'full');
  gate.kill();
  t.deepEqual(new Set(await Promise.all(held.map(reasonOf))), new Set(['ended']));
});

test('what is held has a bound in time: that which the function has for a request', async t => {
  const {gate, become} = open(t, {timeouts: {totalMs: 30}});
  become({state: 'starting'});
  t.is(await reasonOf(gate.enter()), 'late');
  t.is(gate.look().waiting, 0);
});

test('the wait is taken off what is left for the answer', async t => {
  let now = 1_000;
  const gate = createGate({
    name: 'demo',
    rules,
    timeouts: {totalMs: 500},
    idleMs: 1_000,
    restMs: 1,
    now: () => now,
    startChild: () =>
      ({
        url: () => 'http://demo',
        pid: () => 1,
        state: () => 'listening',
        crashes: () => 0,
        processes: () => 1,
        ready: Promise.resolve(),
        wake() {},
        kill() {},
      }) as unknown as Child,
  });
  t.teardown(gate.kill);
  const [first] = [await enter(gate), await enter(gate), await enter(gate)];
  const waits = enter(gate);
  now += 200;
  first?.release();
  t.is((await waits).leftMs(), 300);
  now += 1_000;
  t.is((await waits).leftMs(), 1);
});

test('where nothing goes to zero a function that is away is said to be at once', async t => {
  const {gate, become} = open(t, {rules: {...rules, holds: false, concurrency: 1}});
  const inside = await enter(gate);
  const waits = gate.enter();
  become({state: 'away', crashes: 1});
  t.is(await reasonOf(waits), 'away');
  t.is(await reasonOf(gate.enter()), 'away');
  inside.release();
  become({state: 'listening'});
  await enter(gate);
  t.pass();
});

test('one crash is waited for; a function that crashes again and again is away', async t => {
  const {gate, become} = open(t);
  become({state: 'away', crashes: 1});
  const held = gate.enter();
  become({state: 'away', crashes: 2});
  t.is(gate.look().waiting, 1);
  become({state: 'away', crashes: 3});
  t.is(await reasonOf(held), 'away');
  t.is(await reasonOf(gate.enter()), 'away');
  t.false(gate.look().held);
  become({state: 'listening'});
  await enter(gate);
});

test('it rests when nobody was inside for the time, and the next request wakes it', async t => {
  const {gate, calls, become} = open(t, {idleMs: 1});
  const inside = await enter(gate);
  become({});
  inside.release();
  await eventually(() => assert.deepEqual(calls, ['rest']));
  t.is(gate.look().url, undefined);
  const [one, two] = [enter(gate), enter(gate)];
  t.deepEqual(calls, ['rest', 'wake']);
  become({state: 'listening'});
  (await one).release();
  t.like(gate.look(), {inside: 1});
  (await two).release();
});

test('it does not rest while somebody is inside, nor when its manifest keeps a pod', async t => {
  const busy = open(t, {idleMs: 1});
  const inside = await enter(busy.gate);
  const kept = open(t, {idleMs: 1, rules: {...rules, mayBeZero: false}});
  (await enter(kept.gate)).release();
  // Another gate's rest, begun later with the same time, comes after theirs would have.
  const witness = open(t, {idleMs: 5});
  (await enter(witness.gate)).release();
  await eventually(() => assert.deepEqual(witness.calls, ['rest']));
  t.deepEqual([busy.calls, kept.calls], [[], []]);
  inside.release();
});

test('it does not rest again before the process that drains is gone: there are never three', async t => {
  const {gate, calls, become} = open(t, {idleMs: 1});
  (await enter(gate)).release();
  await eventually(() => assert.deepEqual(calls, ['rest']));
  const next = enter(gate);
  become({state: 'listening'});
  t.is(gate.look().processes, 2);
  (await next).release();
  const witness = open(t, {idleMs: 5});
  (await enter(witness.gate)).release();
  await eventually(() => assert.deepEqual(witness.calls, ['rest']));
  t.deepEqual(calls, ['rest', 'wake']);
  become({processes: 1});
  await eventually(() => assert.deepEqual(calls, ['rest', 'wake', 'rest']));
});

test('a crash while nobody is inside is forgiven; one that broke an answer, or that somebody waits for, is not', async t => {
  const {gate, onCrash, become} = open(t);
  t.is(onCrash(), 'forgive');
  const inside = await enter(gate);
  t.is(onCrash(), 'restart');
  inside.release('broken');
  t.is(onCrash(), 'rest');
  become({state: 'starting'});
  const held = enter(gate);
  t.is(onCrash(), 'restart');
  become({state: 'listening'});
  (await held).release();
  const kept = open(t, {rules: {...rules, mayBeZero: false}});
  t.is(kept.onCrash(), 'restart');
});

test('at the end who waits is let in first, nobody else, and then it is told to stop', async t => {
  const {gate, calls, become} = open(t);
  become({state: 'starting'});
  const held = enter(gate);
  const stopped = gate.stop(1_000);
  t.is(await reasonOf(gate.enter()), 'ended');
  t.deepEqual(calls, []);
  become({state: 'listening'});
  await held;
  await stopped;
  t.deepEqual(calls, ['stop']);
});

test('whatever comes and goes, no more are inside than may, and each is told once', async t => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({min: 1, max: 4}),
      fc.array(fc.constantFrom('enter', 'leave', 'abort', 'crash', 'listen'), {maxLength: 120}),
      async (concurrency, steps) => {
        const {gate, become} = open(t, {rules: {...rules, concurrency}});
        const inside: Entered[] = [];
        const aborts: AbortController[] = [];
        let asked = 0;
        let answered = 0;
        for (const step of steps) {
          if (step === 'enter') {
            const gone = new AbortController();
            aborts.push(gone);
            asked += 1;
            void gate.enter({signal: gone.signal}).then(entry => {
              answered += 1;
              if (entry.kind === 'entered') {
                inside.push(entry);
              }
            });
          } else if (step === 'leave') {
            inside.shift()?.release();
          } else if (step === 'abort') {
            aborts.shift()?.abort();
          } else {
            become({state: step === 'crash' ? 'away' : 'listening'});
          }
          await Promise.resolve();
          const look = gate.look();
          assert.ok(look.inside <= concurrency && look.inside >= 0, `${look.inside} are inside`);
          assert.ok(look.waiting === 0 || look.inside === concurrency || look.url === undefined);
        }
        gate.kill();
        await eventually(() => assert.equal(answered, asked));
        for (const entry of inside) {
          entry.release();
        }
        assert.equal(gate.look().inside, 0);
      },
    ),
    {numRuns: 100},
  );
  t.pass();
});

test('the rules are those of the manifest', t => {
  const plan = {
    name: 'demo',
    timeoutSeconds: 60,
    containerConcurrency: 4,
    minScale: 0,
  };
  t.deepEqual(rulesOf(plan, undefined), {
    rules: {concurrency: 4, holds: false, mayBeZero: false},
    timeouts: {totalMs: 60_000, responseStartMs: undefined, idleMs: undefined},
    idleMs: 0,
  });
  t.deepEqual(rulesOf({...plan, minScale: 1, idleTimeoutSeconds: 5}, 30_000), {
    rules: {concurrency: 4, holds: true, mayBeZero: false},
    timeouts: {totalMs: 60_000, responseStartMs: undefined, idleMs: 5_000},
    idleMs: 30_000,
  });
  t.true(rulesOf(plan, 30_000).rules.mayBeZero);
});

test('a sender of its own patience gives its place back whatever comes of it', async t => {
  const {gate, become} = open(t);
  const through = (send: () => Promise<string>, timeoutMs = 60_000) =>
    sendThrough({
      enter: enterBy(name => (name === 'demo' ? gate : undefined)),
      functionName: 'demo',
      timeoutMs,
      send,
    });
  t.is(await through(async () => 'answer'), 'answer');
  await t.throwsAsync(
    through(async () => {
      throw new Error('broke');
    }),
    {message: 'broke'},
  );
  t.is(gate.look().inside, 0);
  become({state: 'starting'});
  t.like(await through(async () => 'answer', 10), {kind: 'refused', reason: 'left'});
  t.is(gate.look().waiting, 0);
  t.like(await enterBy(() => undefined)('nobody'), {kind: 'refused', reason: 'away'});
});

const standing: Standing = {state: 'listening', crashes: 0, processes: 1, inside: 0, waiting: 0};

test('the verdicts', t => {
  t.is(admit(standing, rules), 'enter');
  t.is(admit({...standing, inside: 3}, rules), 'wait');
  t.is(admit({...standing, inside: 3, waiting: 29}, rules), 'wait');
  t.is(admit({...standing, inside: 3, waiting: 30}, rules), 'full');
  t.is(admit({...standing, state: 'starting', waiting: 9_999}, rules), 'wait');
  t.is(admit({...standing, state: 'starting', waiting: 10_000}, rules), 'full');
  t.is(admit({...standing, state: 'stopped'}, rules), 'away');
  t.true(mayRest(standing, rules));
  t.false(mayRest({...standing, state: 'starting'}, rules));
  t.false(mayRest({...standing, waiting: 1}, rules));
  t.false(mayRest({...standing, processes: 2}, rules));
});
