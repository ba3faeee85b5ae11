import test, {type ExecutionContext} from 'ava';
import {planOf} from './plan.ts';
import {judge, tableOf} from './report.ts';
import {type RunOptions, runDelivery} from './run.ts';

/** A busy machine is slow; no time is asserted. */
const limitMs = 400_000;

const run = async (
  t: ExecutionContext,
  options: Partial<RunOptions> & Pick<RunOptions, 'kind'>,
) => {
  t.timeout(limitMs + 60_000);
  const figures = await runDelivery({
    ...{events: 3_000, batch: 1, seed: 1, kills: 6, restarts: 1, sources: 2},
    ...{everyMs: [600, 1_400], limitMs},
    ...options,
  });
  t.log(tableOf(figures));
  return {figures, complaints: judge(figures)};
};

test.serial(
  'events through Redis Streams, one by one, have each effect once, with consumers and Redis killed',
  async t => {
    const {figures, complaints} = await run(t, {kind: 'redis', restarts: 2});
    t.deepEqual(complaints, []);
    t.true(figures.unanswered >= 1);
    t.deepEqual(Object.keys(figures.kills).sort(), ['sink', 'source-0', 'source-1']);
  },
);

test.serial(
  'events through Kafka, in batches, have each effect once, with consumers and Kafka killed',
  async t => {
    const {figures, complaints} = await run(t, {kind: 'kafka', batch: 20});
    t.deepEqual(complaints, []);
    t.true(figures.unanswered >= 1);
    t.deepEqual(Object.keys(figures.kills).sort(), ['sink', 'source-0', 'source-1']);
  },
);

const small = {kind: 'redis', events: 300, kills: 1, restarts: 0, sources: 1} as const;

for (const batch of [1, 20]) {
  test.serial(
    `a sink that does not look whether it has seen an event is found out, in batches of ${batch}`,
    async t => {
      const {figures, complaints} = await run(t, {...small, batch, break: 'no-once'});
      t.true(figures.books.effects > figures.books.effective);
      t.true(complaints.some(line => line.endsWith('effects are doubled')));
      t.false(complaints.some(line => line.endsWith('effects are missing')));
    },
  );
}

test.serial('a sink that answers before its commit is found out', async t => {
  const {figures, complaints} = await run(t, {...small, break: 'ack-first'});
  t.true(figures.books.effective < figures.events);
  t.true(complaints.some(line => line.endsWith('effects are missing')));
});

test('a run in which nothing was delivered twice, or fewer were killed than asked, is a failure', t => {
  const good = {
    kind: 'redis' as const,
    ...{batch: 1, seed: 1, events: 10, published: 10, repeated: 2, entries: 12},
    books: {deliveries: 13, delivered: 10, effects: 10, effective: 10, counted: 10, deadLetters: 0},
    ...{kills: {sink: 2}, unanswered: 0, restarts: 1, otherEnds: [], waiting: 0, seconds: 1},
    ...{asked: {kills: 2, restarts: 1}, output: {}},
  };
  const complaintsOf = (changes: object) => judge({...good, ...changes});
  const books = (changes: object) => complaintsOf({books: {...good.books, ...changes}});

  t.deepEqual(complaintsOf({}), []);
  // Two of the three that came again are in the log twice.
  t.regex(books({deliveries: 12})[0] ?? '', /^no duplicate was delivered/);
  t.deepEqual(books({effects: 11}), ['1 effects are doubled']);
  t.deepEqual(books({effects: 9, effective: 9}), ['1 effects are missing']);
  t.deepEqual(books({counted: 11}), ['the sums say 11 events, not 10']);
  t.deepEqual(books({deadLetters: 1}), ['1 dead letters']);
  t.deepEqual(complaintsOf({kills: {sink: 1}}), ['1 kills, 2 were asked']);
  t.deepEqual(complaintsOf({restarts: 0}), ['0 restarts of the broker, 1 were asked']);
  t.deepEqual(complaintsOf({waiting: 1}), ['1 deliveries were not done in time']);
  t.deepEqual(complaintsOf({published: 9, entries: 11}), ['9 of 10 events were published in time']);
});

test('a seed is a plan: everybody has a turn, and the restarts are spread over the kills', t => {
  const acts = (seed: number) => {
    const everyMs = [100, 200] as const;
    const plan = planOf({seed, victims: ['a', 'b', 'c'], kills: 6, restarts: 2, everyMs});
    return Array.from({length: 8}, () => plan.next().value);
  };
  t.deepEqual(acts(7), acts(7));
  t.notDeepEqual(acts(7), acts(8));
  t.deepEqual(
    acts(7).map(({kind}) => kind === 'restart'),
    [false, false, true, false, false, true, false, false],
  );
  const victims = acts(7).flatMap(act => (act.kind === 'kill' ? [act.victim] : []));
  t.deepEqual(victims.slice(0, 3).sort(), ['a', 'b', 'c']);
  t.deepEqual(victims.slice(3, 6).sort(), ['a', 'b', 'c']);
  t.true(acts(7).every(({afterMs}) => afterMs >= 100 && afterMs <= 200));
});
