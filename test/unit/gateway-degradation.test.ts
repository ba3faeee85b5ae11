/** Which states hold, what they mean for new requests, and that the table of the README names each. */
import {readFile} from 'node:fs/promises';
import test from 'ava';
import {limits} from '../../events/limits.ts';
import {
  type Known,
  refusalOf,
  type StateName,
  stateNames,
  statesOf,
} from '../../functions/gateway/observe/degradation.ts';

const well: Known = {
  kafka: 'there',
  postgresAwayMs: undefined,
  changesAgeMs: 200,
  outbox: {rows: 0, ageMs: 0},
  resultsWaiting: 0,
  claimsAway: false,
};
const full = {rows: limits.outboxRows + 1, ageMs: 0};

const degraded = test.macro<[Partial<Known>, StateName[], {taken: boolean}]>({
  exec(t, change, states, {taken}) {
    const known = {...well, ...change};
    const found = statesOf(known, limits);
    t.deepEqual(
      found.map(({state}) => state),
      states,
    );
    t.is(refusalOf(known, limits) === undefined, taken);
    t.is(!found.some(({refuses}) => refuses), taken);
    t.true(found.every(({detail}) => detail.length > 10 && !/NaN|Infinity|undefined/.test(detail)));
  },
  title: (given = '', _change, _states, {taken}) =>
    `${given}: new requests are ${taken ? 'taken' : 'refused'}`,
});

test('all is well', degraded, {}, [], {taken: true});
test('without Kafka the outbox is the log', degraded, {kafka: 'none'}, [], {taken: true});
test('Kafka is away', degraded, {kafka: 'away'}, ['kafka-away'], {taken: true});
test('Kafka answers again', degraded, {kafka: 'answering'}, ['kafka-away'], {taken: true});
test('PostgreSQL is away', degraded, {postgresAwayMs: 1}, ['postgres-away'], {taken: true});
test(
  'both are away',
  degraded,
  {kafka: 'away', postgresAwayMs: 1, resultsWaiting: 7},
  ['kafka-away', 'postgres-away', 'log-away'],
  {taken: false},
);
test(
  'PostgreSQL is away, and Kafka answers again',
  degraded,
  {kafka: 'answering', postgresAwayMs: 1},
  ['kafka-away', 'postgres-away'],
  {taken: true},
);
test(
  'PostgreSQL is away, and it is the log',
  degraded,
  {kafka: 'none', postgresAwayMs: 1},
  ['postgres-away', 'log-away'],
  {taken: false},
);
test(
  'PostgreSQL is away for longer than leases live',
  degraded,
  {postgresAwayMs: limits.leaseTtlMs + 1, changesAgeMs: limits.staleMaxMs},
  ['postgres-away', 'leases-over', 'changes-stale'],
  {taken: true},
);
test(
  'PostgreSQL is away for longer than the keys may be served',
  degraded,
  {postgresAwayMs: limits.leaseTtlMs + 1, changesAgeMs: limits.staleMaxMs + 1},
  ['postgres-away', 'leases-over', 'changes-stale', 'changes-expired'],
  {taken: false},
);
test('models cannot be read', degraded, {modelsFailing: true}, ['models-unread'], {taken: true});
test(
  'models cannot be read because PostgreSQL is away',
  degraded,
  {modelsFailing: true, postgresAwayMs: 1},
  ['postgres-away'],
  {taken: true},
);
test(
  'changes were never read',
  degraded,
  {changesAgeMs: Number.POSITIVE_INFINITY},
  ['changes-stale', 'changes-expired'],
  {taken: false},
);
test('changes were read 1 s ago', degraded, {changesAgeMs: 1_000}, [], {taken: true});
test('changes are late', degraded, {changesAgeMs: 1_001}, ['changes-stale'], {taken: true});
test(
  'the outbox has its bound of rows and Kafka is away',
  degraded,
  {kafka: 'away', outbox: {rows: limits.outboxRows, ageMs: limits.outboxAgeMs}},
  ['kafka-away'],
  {taken: true},
);
test(
  'the outbox has a row too many and Kafka is away',
  degraded,
  {kafka: 'away', outbox: full},
  ['kafka-away', 'outbox-full'],
  {taken: false},
);
test(
  'the oldest of the outbox is too old and Kafka is away',
  degraded,
  {kafka: 'away', outbox: {rows: 1, ageMs: limits.outboxAgeMs + 1}},
  ['kafka-away', 'outbox-full'],
  {taken: false},
);
test('the outbox is full and the log', degraded, {kafka: 'none', outbox: full}, ['outbox-full'], {
  taken: false,
});
test('the outbox is full, and Kafka takes what is new', degraded, {outbox: full}, ['outbox-full'], {
  taken: true,
});
test(
  'as many results wait as requests may run',
  degraded,
  {resultsWaiting: limits.openRequests},
  [],
  {taken: true},
);
test(
  'more results wait than requests may run',
  degraded,
  {resultsWaiting: limits.openRequests + 1},
  ['results-full'],
  {taken: false},
);
test('claims are away', degraded, {claimsAway: true}, ['claims-per-process'], {taken: true});

test('the README says of every state what an operator does', async t => {
  const text = await readFile(
    new URL('../../functions/gateway/README.md', import.meta.url),
    'utf8',
  );
  const named = [...text.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name);
  t.deepEqual(
    stateNames.filter(name => !named.includes(name)),
    [],
  );
});
