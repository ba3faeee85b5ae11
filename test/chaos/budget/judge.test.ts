/** The rules of the storm, without one: what is planned, what is a false refusal, what breaks a promise, what proves nothing. */
import {readFileSync} from 'node:fs';
import test from 'ava';
import type {Books, Entry} from './books.ts';
import {breakNames, breaks, planted} from './breaks.ts';
import type {Outcome} from './call.ts';
import {costOf} from './cost.ts';
import {readHistory} from './history.ts';
import {type Findings, judge} from './judge.ts';
import type {LogEvent} from './log.ts';
import {planOf} from './plan.ts';
import {unproved} from './proof.ts';
import {falseRefusals} from './refusals.ts';

const budget = 'budget';
const request = (number: number) => `request-${number}`;

const event = (
  noun: string,
  atMs: number,
  data: Partial<LogEvent['data']> & {request?: string},
): LogEvent => ({
  ...{partition: 0, offset: 0},
  atMs,
  timeMs: atMs,
  id: `${data.request ?? data.lease}/${noun}`,
  type: `dev.sluice.${noun}.v1`,
  data: {
    request: '',
    lease: '',
    dueBefore: '',
    deadline: '2026-11-21T10:00:00Z',
    startedAt: '',
    budgets: [],
    ...data,
  },
});

const held = (hold: number, amount?: number, lease = 'lease') => [
  {budget, window: 'window', lease, unit: 'usd', hold, ...(amount === undefined ? {} : {amount})},
];

const started = (number: number, atMs: number, hold: number, lease?: string) =>
  event('inference.started', atMs, {
    request: request(number),
    budgets: held(hold, undefined, lease),
  });
const finished = (number: number, atMs: number, hold: number, amount: number, lease?: string) =>
  event('inference.finished', atMs, {request: request(number), budgets: held(hold, amount, lease)});
const fenced = (atMs: number, lease = 'lease') => event('lease.fenced', atMs, {lease});

const leases = (granted: bigint) => new Map([['lease', {granted, state: 'open'}]]);
const historyOf = (log: readonly LogEvent[], granted = 100n, ledger: readonly Entry[] = []) =>
  readHistory(log, {ledger, leases: leases(granted)}, budget);

test('a seed is a plan, and every plan has what a run must meet', t => {
  t.deepEqual(planOf({seed: 7, gateways: 4}), planOf({seed: 7, gateways: 4}));
  t.notDeepEqual(planOf({seed: 7, gateways: 4}), planOf({seed: 8, gateways: 4}));
  for (let seed = 0; seed < 50; seed += 1) {
    const plan = planOf({seed, gateways: 4});
    const kinds = plan.map(({kind}) => kind);
    for (const kind of [
      'kill-gateway',
      'freeze-gateway',
      'step-clock',
      'kill',
      'restart-kafka',
      'restart-redis',
      'restart-postgres',
    ]) {
      t.true(kinds.includes(kind as (typeof kinds)[number]), `${kind} in ${seed}`);
    }
    t.is(plan.filter(act => act.kind === 'restart-postgres' && act.backUp).length, 1);
    t.is(new Set(plan.flatMap(act => (act.kind === 'kill' ? [act.who] : []))).size, 5);
    t.deepEqual(
      plan.map(({atMs}) => atMs),
      plan.map(({atMs}) => atMs).sort((one, other) => one - other),
    );
  }
});

test('every break finds the text that it takes the place of, once, in the product as it is', t => {
  for (const name of breakNames) {
    for (const {file} of breaks[name]) {
      const source = readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');
      t.not(planted(name, file, source), source);
    }
  }
  t.throws(() => planted('reap-frees-all', 'functions/budget/window.ts', ''), {
    message: /not once/,
  });
});

test('a cost is a millionth, rounded half to even', t => {
  t.is(costOf(1_499_999n), 1n);
  t.is(costOf(1_500_000n), 2n);
  t.is(costOf(2_500_000n), 2n);
  t.is(costOf(2_500_001n), 3n);
});

test('a lease that has more settled and open than it was granted is overdrawn', t => {
  const proper = [
    started(1, 10, 60),
    finished(1, 20, 60, 10),
    started(2, 30, 60),
    finished(2, 40, 60, 10),
  ];
  t.deepEqual(historyOf(proper).overdrawn, []);
  const early = [
    started(1, 10, 60),
    started(2, 15, 60),
    finished(1, 20, 60, 10),
    finished(2, 40, 60, 10),
  ];
  t.is(historyOf(early).overdrawn.length, 1);
  // It stood in the outbox, where its money was given back and nobody who reads the log could see it.
  const late = [
    started(1, 10, 60),
    started(2, 15, 60),
    {...finished(1, 900, 60, 10), timeMs: 14},
    finished(2, 940, 60, 10),
  ];
  t.deepEqual(historyOf(late).overdrawn, []);
  const doubled = [
    started(1, 10, 60),
    started(1, 11, 60),
    finished(1, 20, 60, 10),
    started(1, 21, 60),
  ];
  t.deepEqual(historyOf(doubled).overdrawn, []);
});

test('a fence tells what was open, and an intent after it has no cover', t => {
  const history = historyOf([started(1, 10, 60), fenced(20), fenced(21), started(2, 30, 60)]);
  t.is(history.fences, 1);
  t.is(history.openFences, 1);
  t.deepEqual(
    history.lives.map(({uncovered}) => uncovered),
    [false, true],
  );
  t.is(historyOf([started(1, 10, 60), finished(1, 15, 60, 1), fenced(20)]).openFences, 0);
});

const refusalsAt = (atMs: number, changes: object = {}) =>
  falseRefusals({
    refusals: [{atMs, status: 429}],
    history: historyOf([started(1, 1_000, 900), finished(1, 2_000, 900, 600)]),
    samples: [],
    lags: [],
    struck: [],
    limit: 1_000n,
    holdMax: 10n,
    gateways: 4,
    ttlMs: 500,
    ...changes,
  });

test('a refusal is false when more is free than all gateways may hold in slices', t => {
  // All of 1,000 is free, and half of it may lie in slices.
  t.is(refusalsAt(900).broken.length, 1);
  t.is(refusalsAt(1_500).count, 0);
  // 400 are left, of which 200 may lie in slices.
  t.is(refusalsAt(2_600).broken.length, 1);
  // It was decided before the money came back.
  t.is(refusalsAt(2_100).count, 0);
  // Twelve gateways that are not fenced yet: 2 × 12 holds of 10.
  t.is(
    refusalsAt(2_600, {
      holdMax: 20n,
      samples: [{atMs: 0, spent: 0n, leased: 0n, overage: 0n, gateways: 12}],
    }).count,
    0,
  );
});

test('what a late result added to the charge is not free', t => {
  const history = historyOf([started(1, 1_000, 900), finished(1, 2_000, 900, 600)]);
  const corrected = (atMs: number) => ({
    history: {...history, corrections: [{atMs, amount: 350n}]},
  });
  t.is(refusalsAt(2_900, corrected(2_400)).count, 0);
  t.is(refusalsAt(2_900, corrected(3_000)).count, 1);
});

test('within one lease life after a kill a false refusal is counted, and breaks nothing', t => {
  const {count, broken} = refusalsAt(2_600, {struck: [{atMs: 2_000, backMs: 2_200}]});
  t.is(count, 1);
  t.is(broken.length, 0);
  t.is(refusalsAt(3_200, {struck: [{atMs: 2_000, backMs: 2_200}]}).broken.length, 1);
});

test('while the machine stands still a false refusal is counted apart', t => {
  const lags = [{atMs: 2_500, lagMs: 700}];
  t.is(refusalsAt(2_600, {lags}).starved.length, 1);
  t.is(refusalsAt(2_600, {lags}).broken.length, 0);
  t.is(refusalsAt(2_600, {lags: [{atMs: 2_500, lagMs: 400}]}).broken.length, 1);
  t.is(refusalsAt(5_100, {lags}).broken.length, 1);
});

const entry = (changes: Partial<Entry> = {}): Entry => ({
  request: request(1),
  entry: 'result',
  input: 10n,
  cached: 0n,
  output: 20n,
  cost: 30n,
  outcome: 'completed',
  settledMs: 0,
  millionths: 30_000_000n,
  charges: [
    {
      budget,
      window: 'window',
      lease: 'lease',
      unit: 'usd',
      hold: 50n,
      amount: 30n,
      covered: 30n,
      overage: 0n,
    },
  ],
  ...changes,
});

const books: Books = {
  ledger: [entry()],
  records: new Map([[request(1), {input: 10n, output: 20n, cost: 30n, times: 1n}]]),
  hourly: {requests: 1n, input: 10n, output: 20n, cost: 30n},
  daily: {requests: 1n, input: 10n, output: 20n, cost: 30n},
  windows: [{id: 'window', budget, limit: 30n, spent: 30n, leased: 0n, overage: 0n}],
  leases: new Map(),
  ...{open: 0, outbox: 0, deadLetters: 0},
};

const answered: Outcome = {
  target: 0,
  kind: 'whole',
  startedMs: 0,
  endedMs: 1,
  status: 200,
  request: request(1),
  bytes: 9,
  ended: 'whole',
  retryAfterMs: 0,
  code: undefined,
  shared: undefined,
  usage: {prompt_tokens: 10, completion_tokens: 20},
};

const good: Findings = {
  ...{limit: 30n, budget, outcomes: [answered], books},
  history: {lives: [], corrections: [], fences: 1, openFences: 1, overdrawn: []},
  refusals: {count: 0, spans: [], starved: [], broken: []},
  struck: [
    {what: 'kill -9 of a gateway', atMs: 0, backMs: 1, open: 1},
    {what: 'freeze of a gateway', atMs: 0, backMs: 1, open: 1},
    {what: 'kill -9 of PostgreSQL', atMs: 0, backMs: 1, inTransaction: true},
  ],
  ...{duplicates: 100, undrained: [], restored: []},
};

const complaints = (changes: Partial<Findings>) => judge({...good, ...changes});
const ofBooks = (changes: Partial<Books>) => complaints({books: {...books, ...changes}});

test('what is whole breaks no promise', t => {
  t.deepEqual(judge(good), []);
});

test('each promise that is broken is named', t => {
  const overage = entry({
    charges: [{...(entry().charges[0] as Entry['charges'][0]), covered: 20n, overage: 10n}],
  });
  t.regex(ofBooks({ledger: [overage]}).join(), /beyond the cap without a reason/);
  t.regex(
    ofBooks({windows: [{...(books.windows[0] as Books['windows'][0]), overage: 5n}]}).join(),
    /35/,
  );
  t.regex(
    ofBooks({windows: [{...(books.windows[0] as Books['windows'][0]), leased: 5n}]}).join(),
    /leased for ever/,
  );
  t.regex(ofBooks({ledger: []}).join(), /no settlement/);
  t.regex(
    ofBooks({ledger: [entry(), entry({entry: 'unsettled'})]}).join(),
    /not settled exactly once/,
  );
  t.regex(ofBooks({records: new Map()}).join(), /no usage record/);
  t.regex(
    ofBooks({
      records: new Map([[request(1), {input: 10n, output: 21n, cost: 30n, times: 1n}]]),
    }).join(),
    /differ from the ledger/,
  );
  t.regex(ofBooks({hourly: {...books.hourly, cost: 31n}}).join(), /hourly rollup/);
  t.regex(ofBooks({ledger: [entry({millionths: 31_000_000n})]}).join(), /not what the tokens cost/);
  t.regex(ofBooks({deadLetters: 1}).join(), /dead letters/);
  t.regex(
    complaints({
      outcomes: [{...answered, usage: {prompt_tokens: 10, completion_tokens: 19}}],
    }).join(),
    /another usage/,
  );
  t.regex(complaints({undrained: ['leased: 3']}).join(), /still under way/);
  t.regex(complaints({restored: ['a row']}).join(), /of a restored backup differ/);
  const span = {
    fromMs: 0,
    toMs: 1,
    refusals: 1,
    freeNanos: 1n,
    boundNanos: 0n,
    unleasedNanos: 0n,
    gateways: 4,
    leases: 'none',
  };
  t.regex(
    complaints({refusals: {count: 1, spans: [span], starved: [], broken: [span]}}).join(),
    /false refusals/,
  );
  t.regex(
    complaints({history: {...good.history, overdrawn: ['lease']}}).join(),
    /than a lease was granted/,
  );
});

test('overage has a reason where a process was frozen or a result came late, and never beyond its hold', t => {
  const beyond = (changes: Partial<Entry>, overage: bigint) =>
    entry({
      ...changes,
      charges: [{...(entry().charges[0] as Entry['charges'][0]), covered: 30n - overage, overage}],
    });
  const life = {request: request(1), startMs: 0, endMs: 1, hold: 50n, cost: 30n, uncovered: true};
  const frozen = {...good.history, lives: [life]};
  t.deepEqual(complaints({history: frozen, books: {...books, ledger: [beyond({}, 30n)]}}), []);
  t.regex(
    complaints({history: frozen, books: {...books, ledger: [beyond({}, 51n)]}}).join(),
    /without a reason/,
  );
});

test('a run that did not meet what it is for proves nothing', t => {
  const correction = {
    ...books,
    ledger: [entry({entry: 'unsettled', cost: 0n}), entry({entry: 'correction'})],
  };
  t.deepEqual(unproved({...good, books: correction}), []);
  t.deepEqual(unproved(good), ['a result after its unsettled']);
  const missing = (changes: Partial<Findings>) =>
    unproved({...good, books: correction, ...changes});
  t.is(missing({struck: []}).length, 3);
  t.is(missing({duplicates: 99}).length, 1);
  t.is(missing({history: {...good.history, openFences: 0}}).length, 1);
  t.is(missing({limit: 32n}).length, 1);
});
