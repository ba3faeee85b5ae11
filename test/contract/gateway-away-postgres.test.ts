/** PostgreSQL away, with and without Kafka: served on leases and caches, or refused at once; never a hang, and nothing is lost. */
import assert from 'node:assert/strict';
import test from 'ava';
import {
  answeredAtOnce,
  assertAnswered,
  assertClear,
  assertLogged,
  longestMs,
} from '../helpers/away-assert.ts';
import {type Asked, type AwayWorld, openAwayWorld} from '../helpers/away-world.ts';
import {eventually} from '../helpers/eventually.ts';

/** The log is given up after 4 s; a busy machine adds to that, another wait of the same length would be too much. */
const foundMs = 7_500;
/** Asked a second later. */
const behindMs = 5_500;
/** Nobody waits for what is known to be away: less than any of the waits. */
const atOnceMs = 1_500;
const bounds = {atOnceMs, worstMs: foundMs};
/** Long enough for what is asked while leases last, on a busy machine too. */
const leaseTtlMs = 20_000;

const streamsOf = (...asked: readonly (readonly Asked[])[]) =>
  asked.flat().map(({stream}) => stream);

test.serial(
  'PostgreSQL frozen: known keys are served by Kafka and leases, leases end, an unknown key is refused in time',
  async t => {
    t.timeout(240_000);
    const world = await openAwayWorld(t, {
      withKafka: true,
      env: {LEASE_TTL_MS: String(leaseTtlMs)},
    });
    const {keys, open, ask, askMany, inStates, health, postgres} = world;
    const before = [await ask(keys.free), await ask(keys.budgeted)];
    assertAnswered(before, 200, 30_000);
    const running = [await open(keys.free, 300), await open(keys.budgeted, 300)];

    postgres.freeze();
    const early = [
      ...(await answeredAtOnce(() => askMany(keys.budgeted, 10), 200, bounds)),
      ...(await answeredAtOnce(() => askMany(keys.free, 10), 200, bounds)),
    ];
    await inStates(['postgres-away', 'changes-stale'], 200);
    // Not known: its look-up has a bound of its own.
    const unknown = await askMany(keys.unknown, 5);
    assertAnswered(unknown, 503, foundMs);
    await inStates(['postgres-away', 'leases-over', 'changes-stale'], 200, 60_000);
    const late = await askMany(keys.budgeted, 10);
    assertAnswered(late, 503, foundMs);
    const free = await answeredAtOnce(() => askMany(keys.free, 10), 200, bounds);
    t.deepEqual(await Promise.all(running.map(({ended}) => ended)), ['whole', 'whole']);
    const [since] = (await health()).degraded ?? [];
    t.true(Date.parse(since?.since ?? '') <= Date.now() - leaseTtlMs);
    t.log({
      longestMs: {early: longestMs(early), unknown: longestMs(unknown), late: longestMs(late)},
    });

    postgres.thaw();
    await inStates([], 200);
    const after = await eventually(
      async () => {
        const asked = [await ask(keys.budgeted), await ask(keys.unknown)];
        assertAnswered(asked, 200, foundMs);
        return asked;
      },
      {timeoutMs: 60_000},
    );
    await assertLogged(world.logged, [
      ...running,
      ...streamsOf(before, early, unknown, late, free, after),
    ]);
  },
);

/** Both are away: found within the bound, then at once; what ran ends, its results wait. */
const bothAway = async (
  world: AwayWorld,
  states: readonly string[],
  freezeKafka: () => unknown,
) => {
  const {keys, open, ask, askMany, inStates, health, metric, postgres} = world;
  const before = [await ask(keys.free), await ask(keys.budgeted)];
  assertAnswered(before, 200, 30_000);
  const running = [await open(keys.free, 400), await open(keys.budgeted, 400)];
  await freezeKafka();
  postgres.freeze();
  const asked = askMany(keys.free, 10);
  await eventually(async () => assert.ok((await health()).states.includes('changes-stale')));
  // These are gathered behind those, and do not wait for the same once more.
  const beganMs = performance.now();
  const first = asked.then(found => ({found, endedMs: performance.now()}));
  const behind = await askMany(keys.free, 10);
  const {found, endedMs} = await first;
  // Or soon after those, where the machine was slow with both.
  assertClear(behind, Math.max(behindMs, endedMs - beganMs + atOnceMs));
  assertClear(found, foundMs);
  await inStates(states, 503);
  const refused = [
    ...(await answeredAtOnce(() => askMany(keys.free, 20), 503, bounds)),
    ...(await answeredAtOnce(() => askMany(keys.unknown, 5), 503, bounds)),
  ];
  assert.deepEqual(await Promise.all(running.map(({ended}) => ended)), ['whole', 'whole']);
  await eventually(async () =>
    assert.ok(((await metric('sluice_results_waiting')) ?? 0) >= running.length),
  );
  return {
    streams: [...running, ...streamsOf(before, found, behind, refused)],
    first: found,
    refused,
  };
};

const emptied = ({metric}: AwayWorld) =>
  eventually(async () => assert.equal(await metric('sluice_results_waiting'), 0), {
    timeoutMs: 60_000,
    intervalMs: 100,
  });

test.serial(
  'PostgreSQL frozen where it is the log: refused at once, what ran ends, its results are sent when it is back',
  async t => {
    t.timeout(240_000);
    const world = await openAwayWorld(t, {withKafka: false});
    const states = ['postgres-away', 'log-away', 'changes-stale'];
    const {streams, first, refused} = await bothAway(world, states, () => {});
    t.log({longestMs: [longestMs(first), longestMs(refused)]});
    world.postgres.thaw();
    await emptied(world);
    await world.inStates([], 200);
    const after = await world.askMany(world.keys.unknown, 5);
    assertAnswered(after, 200, foundMs);
    await assertLogged(world.logged, [...streams, ...streamsOf(after)]);
    t.pass();
  },
);

test.serial('both away, Kafka is back first: it takes the results, and requests again', async t => {
  t.timeout(240_000);
  const world = await openAwayWorld(t, {withKafka: true});
  const {kafka, keys} = world;
  const states = ['kafka-away', 'postgres-away', 'log-away', 'changes-stale'];
  const {streams, first, refused} = await bothAway(world, states, () => kafka?.kill());
  t.log({longestMs: [longestMs(first), longestMs(refused)]});
  await kafka?.start();
  await emptied(world);
  await world.inStates(['postgres-away', 'changes-stale'], 200);
  const between = await world.askMany(keys.free, 5);
  assertAnswered(between, 200, foundMs);
  world.postgres.thaw();
  await world.inStates([], 200);
  await assertLogged(world.logged, [...streams, ...streamsOf(between)]);
  t.pass();
});

test.serial(
  'both away, PostgreSQL is back first: the outbox takes the results, and requests again',
  async t => {
    t.timeout(240_000);
    const world = await openAwayWorld(t, {withKafka: true});
    const {kafka, keys} = world;
    const pid = kafka?.pid() as number;
    const states = ['kafka-away', 'postgres-away', 'log-away', 'changes-stale'];
    const {streams, first, refused} = await bothAway(world, states, () =>
      process.kill(pid, 'SIGSTOP'),
    );
    t.log({longestMs: [longestMs(first), longestMs(refused)]});
    world.postgres.thaw();
    await emptied(world);
    await world.inStates(['kafka-away'], 200);
    const between = await world.askMany(keys.budgeted, 5);
    assertAnswered(between, 200, foundMs);
    process.kill(pid, 'SIGCONT');
    await eventually(
      async () => {
        between.push(await world.ask(keys.free));
        assert.deepEqual((await world.health()).states, []);
      },
      {timeoutMs: 60_000, intervalMs: 200},
    );
    await assertLogged(world.logged, [...streams, ...streamsOf(between)]);
    t.pass();
  },
);
