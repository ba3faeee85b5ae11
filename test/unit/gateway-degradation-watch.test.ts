/** What is known of the outbox and of PostgreSQL between two looks, and since when a state holds. */
import assert from 'node:assert/strict';
import test from 'ava';
import {limits} from '../../events/limits.ts';
import {createMetrics} from '../../events/metrics.ts';
import {createMemoryLog} from '../../events/outbox.ts';
import {createSharedClaims} from '../../functions/gateway/idempotency/shared-claims.ts';
import {createMemoryClaims} from '../../functions/gateway/idempotency/store-memory.ts';
import {createLogs} from '../../functions/gateway/log/logs.ts';
import {watchOutbox} from '../../functions/gateway/log/outbox-watch.ts';
import {type Known, stateNames} from '../../functions/gateway/observe/degradation.ts';
import {watchDegradation} from '../../functions/gateway/observe/degradation-watch.ts';
import {eventually} from '../helpers/eventually.ts';

type Outbox = {rows: number; ageMs: number};

/** A PostgreSQL that answers, fails or hangs, as it is told. */
const createDatabase = (outbox: Outbox) => {
  const state = {mode: 'answers' as 'answers' | 'fails' | 'hangs', looks: 0};
  let go = () => {};
  const pool = {
    async query() {
      state.looks += 1;
      if (state.mode === 'fails') {
        throw new Error('connection refused');
      }
      if (state.mode === 'hangs') {
        await new Promise<void>(resolve => {
          go = resolve;
        });
      }
      return {rows: [{waiting: BigInt(outbox.rows), age_ms: BigInt(outbox.ageMs)}]};
    },
  } as never;
  return {pool, state, go: () => go()};
};

const start = (
  t: {teardown(end: () => void): void},
  options: {outbox?: Outbox; regularMs?: number} = {},
) => {
  const database = createDatabase(options.outbox ?? {rows: 0, ageMs: 0});
  const trouble = {suspicious: false, added: 0};
  const told: string[] = [];
  const watch = watchOutbox({
    pool: database.pool,
    addedEvents: () => trouble.added,
    isSuspicious: () => trouble.suspicious,
    rowsMax: 100,
    regularMs: options.regularMs ?? 3_600_000,
    answerMs: 50,
    tickMs: 1,
    onAway: ({message}) => told.push(message),
  });
  t.teardown(watch.close);
  return {watch, database, trouble, told};
};

const looked = (database: ReturnType<typeof createDatabase>, more: number) =>
  eventually(() => assert.ok(database.state.looks >= more), {intervalMs: 1});

test('what this process adds between two looks counts at once; a tenth of the bound makes it look again', async t => {
  const outbox = {rows: 40, ageMs: 7};
  const {watch, database, trouble} = start(t, {outbox});
  await watch.look();
  t.deepEqual(watch.backlog(), {rows: 40, ageMs: 7});
  trouble.added = 10;
  t.is(watch.backlog().rows, 50);
  const {looks} = database.state;
  outbox.rows = 45;
  trouble.added = 11;
  await looked(database, looks + 1);
  await eventually(() => assert.deepEqual(watch.backlog(), {rows: 45, ageMs: 7}));
  t.is(database.state.looks, looks + 1, 'and no more than once');
});

test('it looks regularly when nothing is wrong, and without a pause while something speaks for trouble', async t => {
  const calm = start(t, {regularMs: 5});
  await looked(calm.database, 4);
  const {watch, database, trouble} = start(t);
  await watch.look();
  trouble.suspicious = true;
  await looked(database, 10);
  trouble.suspicious = false;
  await watch.look();
  const {looks} = database.state;
  watch.suspect();
  await looked(database, looks + 1);
  t.is(watch.awayMs(), undefined);
});

test('a PostgreSQL that refuses is away until it answers, and that is told once', async t => {
  const {watch, database, told} = start(t);
  await watch.look();
  t.is(watch.awayMs(), undefined);
  database.state.mode = 'fails';
  watch.suspect();
  await eventually(() => assert.notEqual(watch.awayMs(), undefined));
  await looked(database, database.state.looks + 3);
  t.deepEqual(told, ['connection refused']);
  database.state.mode = 'answers';
  await eventually(() => assert.equal(watch.awayMs(), undefined));
});

test('a PostgreSQL that hangs is away within the bound, is not asked again meanwhile, and its late answer ends it', async t => {
  const {watch, database, told} = start(t);
  await watch.look();
  database.state.mode = 'hangs';
  watch.suspect();
  await eventually(() => assert.notEqual(watch.awayMs(), undefined));
  t.deepEqual(told, ['PostgreSQL did not answer within 50 ms']);
  t.true((watch.awayMs() ?? 0) >= 45, 'counted from when it was asked');
  const {looks} = database.state;
  database.state.mode = 'answers';
  t.is(database.state.looks, looks);
  database.go();
  await eventually(() => assert.equal(watch.awayMs(), undefined));
});

test('without Kafka the logs are the outbox, and count what it took', async t => {
  const outbox = createMemoryLog();
  const logs = createLogs({
    kafka: undefined,
    outbox,
    logger: {} as never,
    metrics: createMetrics(),
    sendMs: 1,
  });
  const event = {specversion: '1.0', id: '1', source: '/s', type: 't'} as const;
  await logs.intents.append([event]);
  await logs.results.append([event, event]);
  outbox.state.fail = true;
  await t.throwsAsync(logs.results.append([event]));
  t.deepEqual(logs.state(), {kafka: 'none', outboxEvents: 3});
});

const well: Known = {
  kafka: 'there',
  postgresAwayMs: undefined,
  changesAgeMs: 0,
  outbox: {rows: 0, ageMs: 0},
  resultsWaiting: 0,
  claimsAway: false,
};

test('health names each state with its beginning; the metric has every state always; the log one line at each turn', t => {
  const metrics = createMetrics();
  const lines: string[] = [];
  const log = (_: unknown, line: string) => void lines.push(line);
  let known = well;
  let now = Date.parse('2026-11-21T10:00:00Z');
  const watch = watchDegradation({
    know: () => known,
    bounds: limits,
    logger: {warn: log, info: log} as never,
    metrics,
    tickMs: 3_600_000,
    nowMs: () => now,
  });
  t.teardown(watch.close);
  const values = () =>
    Object.fromEntries(
      [...metrics.text().matchAll(/^sluice_degraded\{state="(.*)"\} (\d)$/gm)].map(
        ([, state, value]) => [state, Number(value)],
      ),
    );
  const zeros = Object.fromEntries(stateNames.map(name => [name, 0]));
  t.deepEqual(values(), zeros);
  t.deepEqual(watch.health(false), {status: 'ok', function: 'gateway'});

  known = {...well, kafka: 'away'};
  watch.health(false);
  now += 60_000;
  known = {...known, outbox: {rows: 3, ageMs: 5_000}};
  t.deepEqual(watch.health(false), {
    status: 'degraded',
    function: 'gateway',
    reason: 'kafka-away: intents and results go to the outbox',
    degraded: [
      {
        state: 'kafka-away',
        since: '2026-11-21T10:00:00.000Z',
        detail: 'intents and results go to the outbox',
      },
    ],
  });
  t.deepEqual(values(), {...zeros, 'kafka-away': 1});
  t.is(watch.refusal(), undefined);

  known = {...known, postgresAwayMs: 1};
  t.is(watch.refusal(), 'requests cannot be recorded');
  t.is(watch.health(false).status, 'unavailable');
  t.deepEqual(values(), {...zeros, 'kafka-away': 1, 'postgres-away': 1, 'log-away': 1});

  known = well;
  t.is(watch.health(false).status, 'ok');
  t.deepEqual(values(), zeros);
  t.is(lines.filter(line => line.startsWith('degraded')).length, 3);
  t.is(lines.filter(line => line === 'no longer degraded').length, 3);
  t.like(watch.health(true), {status: 'unavailable', reason: 'draining'});
});

test('claims that hold per process are shared again as soon as their store answers, though nobody asks', async t => {
  const memory = createMemoryClaims();
  const fail = async (): Promise<never> => {
    throw new Error('away');
  };
  const state = {away: true, asked: 0};
  const claims = createSharedClaims({
    store: {
      ...memory,
      take: asked => (state.away ? fail() : memory.take(asked)),
      release: held => {
        state.asked += 1;
        return state.away ? fail() : memory.release(held);
      },
    },
    storeMs: 1_000,
    retryMs: 1,
    logger: {warn() {}, info() {}} as never,
  });
  t.teardown(() => claims.close());
  const asked = {id: 'i', org: 'o', project: 'p', hash: 'h', fence: 'f', holdMs: 1_000};
  t.is((await claims.take(asked)).found.state, 'taken');
  t.true(claims.isAway());
  await eventually(() => assert.ok(state.asked >= 2), {intervalMs: 1});
  t.true(claims.isAway());
  state.away = false;
  await eventually(() => assert.equal(claims.isAway(), false), {intervalMs: 1});
});
