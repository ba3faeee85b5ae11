import test from 'ava';
import {createCatalogue, type ModelEntry} from '../../functions/registry/catalogue.ts';

const entry = (name: string, more: Partial<ModelEntry> = {}): ModelEntry => ({
  id: `id of ${name}`,
  name,
  environment: 'production',
  status: 'ready',
  contextLength: 8192,
  defaultMaxTokens: 4096,
  tokensPerByteMax: 1,
  priceVersion: 1,
  price: {
    free: true,
    inputPerMillion: 0,
    outputPerMillion: 0,
    inputGpuMsPerMillion: 0,
    outputGpuMsPerMillion: 0,
  },
  endpoints: [],
  ...more,
});

/** A catalogue with a clock and a loader in the test's hands: each load waits for `answer` or `fail`. */
const setUp = () => {
  const clock = {ms: 1_000_000};
  const waiting: {resolve(models: ModelEntry[]): void; reject(error: Error): void}[] = [];
  const errors: string[] = [];
  const loads = {count: 0};
  const catalogue = createCatalogue({
    environment: 'production',
    maxAgeMs: 120_000,
    retryMs: 1_000,
    now: () => clock.ms,
    onError: error => errors.push(error.message),
    load: () => {
      loads.count += 1;
      return new Promise((resolve, reject) => waiting.push({resolve, reject}));
    },
  });
  const settled = () => new Promise(resolve => setImmediate(resolve));
  const answer = async (...models: ModelEntry[]) => {
    waiting.shift()?.resolve(models);
    await settled();
  };
  const fail = async () => {
    waiting.shift()?.reject(new Error('away'));
    await settled();
  };
  return {catalogue, clock, errors, loads, answer, fail, settled};
};

test('before the first load nothing is found and the state says so', async t => {
  const {catalogue, loads, answer} = setUp();
  t.is(catalogue.find('a'), undefined);
  t.deepEqual(catalogue.state(), {loadedAt: undefined, stale: true, failing: false});
  t.is(loads.count, 1);
  await answer(entry('a'));
  t.is(catalogue.find('a')?.name, 'a');
  t.deepEqual(catalogue.state(), {loadedAt: 1_000_000, stale: false, failing: false});
  t.is(loads.count, 1);
});

test('only models of this environment that are ready are found', async t => {
  const {catalogue, answer} = setUp();
  const loaded = catalogue.refresh();
  await answer(
    entry('a'),
    entry('b', {status: 'disabled'}),
    entry('c', {environment: 'staging'}),
    entry('d', {status: 'registered'}),
  );
  await loaded;
  t.deepEqual(
    catalogue.list().map(({name}) => name),
    ['a'],
  );
  t.is(catalogue.find('b'), undefined);
});

test('a load that fails is told, tried again only after a while, and the last snapshot is served', async t => {
  const {catalogue, clock, errors, loads, answer, fail} = setUp();
  catalogue.find('a');
  await answer(entry('a'));
  clock.ms += 120_001;
  t.is(catalogue.find('a')?.name, 'a');
  t.is(loads.count, 2);
  await fail();
  t.deepEqual(errors, ['away']);
  t.is(catalogue.find('a')?.name, 'a');
  t.is(loads.count, 2);
  t.deepEqual(catalogue.state(), {loadedAt: 1_000_000, stale: true, failing: true});
  clock.ms += 1_000;
  t.is(catalogue.find('a')?.name, 'a');
  t.is(loads.count, 3);
  await answer(entry('a', {priceVersion: 2}));
  t.is(catalogue.find('a')?.priceVersion, 2);
  t.false(catalogue.state().stale);
});

test('after a failure it is tried again by who only asks how it is, as often as by look-ups', async t => {
  const {catalogue, clock, loads, answer, fail} = setUp();
  catalogue.find('a');
  await answer(entry('a'));
  catalogue.invalidate();
  await fail();
  t.true(catalogue.state().failing);
  t.is(loads.count, 2);
  clock.ms += 1_000;
  catalogue.state();
  catalogue.state();
  t.is(loads.count, 3);
  await answer(entry('a'));
  t.deepEqual(catalogue.state(), {loadedAt: 1_001_000, stale: false, failing: false});
  clock.ms += 120_001;
  catalogue.state();
  t.is(loads.count, 3, 'without a failure nobody reads what nobody asks for');
});

test('many look-ups and refreshes at once are one load', async t => {
  const {catalogue, loads, answer} = setUp();
  const refreshes = [catalogue.refresh(), catalogue.refresh()];
  catalogue.find('a');
  catalogue.list();
  await answer(entry('a'));
  await Promise.all(refreshes);
  t.is(loads.count, 1);
});

test('an invalidation loads at once, also after a failure, and serves the old until then', async t => {
  const {catalogue, loads, answer, fail} = setUp();
  catalogue.find('a');
  await answer(entry('a'));
  catalogue.invalidate();
  t.is(loads.count, 2);
  t.true(catalogue.state().stale);
  t.is(catalogue.find('a')?.name, 'a');
  await fail();
  catalogue.invalidate();
  t.is(loads.count, 3);
  await answer();
  t.is(catalogue.find('a'), undefined);
});

test('what is invalidated while a load runs is loaded again, once', async t => {
  const {catalogue, loads, answer, settled} = setUp();
  catalogue.find('a');
  catalogue.invalidate();
  catalogue.invalidate();
  const fresh = catalogue.refresh();
  t.is(loads.count, 1);
  await answer(entry('a', {priceVersion: 1}));
  t.is(loads.count, 2);
  t.true(catalogue.state().stale);
  t.is(catalogue.find('a')?.priceVersion, 1);
  await answer(entry('a', {priceVersion: 2}));
  await fresh;
  t.is(catalogue.find('a')?.priceVersion, 2);
  await settled();
  t.is(loads.count, 2);
});

test('a refresh that somebody waits for tells them that it failed', async t => {
  const {catalogue, fail} = setUp();
  const refresh = catalogue.refresh();
  const refused = t.throwsAsync(refresh, {message: 'away'});
  await fail();
  await refused;
});

test('a loader that throws before it returns a promise is a load that failed', async t => {
  const errors: string[] = [];
  const catalogue = createCatalogue({
    environment: 'production',
    load: () => {
      throw new Error('at once');
    },
    onError: error => errors.push(error.message),
  });
  await t.throwsAsync(catalogue.refresh(), {message: 'at once'});
  await t.throwsAsync(catalogue.refresh(), {message: 'at once'});
  t.deepEqual(errors, ['at once', 'at once']);
});
