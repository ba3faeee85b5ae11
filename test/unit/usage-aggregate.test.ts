import test from 'ava';
import fc from 'fast-check';
import {createMetrics} from '../../events/metrics.ts';
import {uuidv7} from '../../events/uuid.ts';
import {aggregate} from '../../functions/usage/aggregate.ts';
import {parseQuery} from '../../functions/usage/query.ts';
import {rollUp} from '../../functions/usage/rollup.ts';
import {createMemoryStore} from '../../functions/usage/store-memory.ts';
import {makeRecord, makeUsageEvent, someOrg} from '../helpers/usage-events.ts';

const at = Date.now() - 60_000;
const {query} = parseQuery(
  {org: someOrg, from: new Date(at - 86_400_000).toISOString(), groupBy: 'model'},
  Date.now(),
);

const setUp = () => {
  const store = createMemoryStore();
  const metrics = createMetrics();
  return {store, metrics, handle: aggregate({store, metrics})};
};

test('whatever the order, the repeats and the cuts into batches, the sums are those of what each request really was', async t => {
  const requests = [uuidv7(at), uuidv7(at), uuidv7(at), uuidv7(at)];
  const [plain, late, lost, twice] = requests as [string, string, string, string];
  // `late` was settled by policy before its result came; `lost` has no result; `twice` is corrected without the policy's event.
  const events = [
    makeUsageEvent('started', {at, request: plain}),
    makeUsageEvent('finished', {at, request: plain}),
    makeUsageEvent('unsettled', {at, request: late}),
    makeUsageEvent('finished', {at, request: late, model: 'other'}),
    makeUsageEvent('corrected', {at, request: late, model: 'other'}),
    makeUsageEvent('unsettled', {at, request: lost}),
    makeUsageEvent('corrected', {at, request: twice}),
  ];
  const expected = rollUp(
    [
      makeRecord('finished', {at, request: plain}),
      makeRecord('finished', {at, request: late, model: 'other'}),
      makeRecord('unsettled', {at, request: lost}),
      makeRecord('corrected', {at, request: twice}),
    ],
    [],
    'hour',
  );
  const batches = fc
    .array(fc.constantFrom(...events), {maxLength: 12})
    .chain(more =>
      fc.shuffledSubarray([...events, ...more], {minLength: events.length + more.length}),
    )
    .chain(all =>
      fc.tuple(
        fc.constant(all),
        fc.array(fc.integer({min: 1, max: 5}), {minLength: all.length, maxLength: all.length}),
      ),
    );
  await fc.assert(
    fc.asyncProperty(batches, async ([all, sizes]) => {
      const {store, handle} = setUp();
      for (let from = 0, cut = 0; from < all.length; cut += 1) {
        await handle(all.slice(from, from + (sizes[cut] as number)));
        from += sizes[cut] as number;
      }
      const rows = await store.query(query, 100);
      for (const {
        model,
        requests,
        failed,
        estimated,
        costNanos,
        outputTokens,
        latencyMs,
      } of expected) {
        const sums = rows.find(({dimensions}) => dimensions.model === model)?.sums;
        const found = sums && [
          sums.requests,
          sums.failed,
          sums.estimated,
          sums.costNanos,
          sums.outputTokens,
          sums.latencyMs,
        ];
        if (
          JSON.stringify(found?.map(String)) !==
          JSON.stringify(
            [requests, failed, estimated, costNanos, outputTokens, latencyMs].map(String),
          )
        ) {
          return false;
        }
      }
      return rows.length === expected.length;
    }),
    {numRuns: 200},
  );
  t.pass();
});

test('a bad event becomes one dead letter however often it comes, and the batch goes on', async t => {
  const {store, metrics, handle} = setUp();
  const bad = {...makeUsageEvent('finished', {at, costNanos: -1}), source: '/functions/gate\0way'};
  await handle([bad, makeUsageEvent('finished', {at})]);
  await handle([bad, bad]);
  const [letter, ...more] = store.letters();
  t.is(more.length, 0);
  t.like(letter, {
    org: someOrg,
    eventId: bad.id,
    reason: 'data.costNanos: expected a whole number from 0 to 1000000000000000',
  });
  t.false(letter?.source?.includes('\0'));
  t.is((await store.query(query, 10))[0]?.sums.requests, 1n);
  t.regex(metrics.text(), /sluice_usage_events_total\{result="refused"\} 3\n/);
  t.regex(metrics.text(), /sluice_usage_events_total\{result="added"\} 1\n/);
});

test('a repeated batch counts as repeated and changes nothing', async t => {
  const {store, metrics, handle} = setUp();
  const batch = [
    makeUsageEvent('finished', {at}),
    makeUsageEvent('unsettled', {at}),
    makeUsageEvent('started', {at}),
  ];
  await handle(batch);
  const before = await store.query(query, 10);
  await handle(batch);
  t.deepEqual(await store.query(query, 10), before);
  t.regex(metrics.text(), /result="repeated"\} 2\n/);
  t.regex(metrics.text(), /result="ignored"\} 2\n/);
});

test('a store that fails fails the whole batch', async t => {
  const broken = {...createMemoryStore(), transaction: () => Promise.reject(new Error('away'))};
  const handle = aggregate({store: broken, metrics: createMetrics()});
  await t.throwsAsync(handle([makeUsageEvent('finished', {at})]), {message: 'away'});
});
