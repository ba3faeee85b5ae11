import test from 'ava';
import {
  endpointOf,
  isPlace,
  modelOf,
  settled,
  virtualRouter,
  watch,
  why,
} from '../helpers/routing.ts';

const cold = (more: Parameters<typeof endpointOf>[1] = {}) =>
  modelOf([endpointOf('a', {health: 'unhealthy', ...more})], {startSeconds: 60});
const url = 'http://a.invalid';

test('requests for a model that is at zero are held while it starts, and one probe a second asks for all', async t => {
  const {router, time, up, probed, wait} = virtualRouter();
  const model = cold();
  t.is(router.stateOf(model), 'cold');
  t.is(router.refusal({model, organisation: 'one'}), undefined);
  const held = Array.from({length: 200}, (_, index) =>
    wait(model, {organisation: `${index % 7}`, withinMs: 600_000}),
  );
  t.true(held.every(({isStarting}) => isStarting));
  const seen = held.map(watch);
  await time.pass(30_500);
  t.is(router.stateOf(model), 'loading');
  t.is(router.queued(), 200);
  t.is(probed.length, 31);
  up.add(url);
  await time.pass(1_000);
  t.true(seen.every(({result}) => result && isPlace(result)));
  t.is(router.inFlight(), 200);
  t.is(router.stateOf(model), 'ready');
  await time.pass(10_000);
  t.is(probed.length, 32, 'nobody is asked who answers');
});

test('a model that did not start in its time: all are told, and the next begins anew', async t => {
  const {router, time, wait, probed} = virtualRouter();
  const model = cold();
  const first = watch(wait(model, {withinMs: 600_000}));
  await time.pass(30_000);
  const second = watch(wait(model, {withinMs: 600_000}));
  await time.pass(29_999);
  t.is(first.result, undefined);
  await time.pass(1);
  t.deepEqual(first.result, {why: 'not_started', retryAfterSeconds: 10});
  t.is(why(second.result), 'not_started');
  t.is(router.stateOf(model), 'cold');
  const probes = probed.length;
  await time.pass(5_000);
  t.is(probed.length, probes, 'nobody waits, so nobody is asked');
  wait(model, {withinMs: 600_000});
  t.is(router.stateOf(model), 'loading');
});

test('who may not wait so long is told at its own deadline', async t => {
  const {time, wait} = virtualRouter();
  const hasty = watch(wait(cold(), {withinMs: 5_000}));
  await time.pass(5_100);
  t.is(why(hasty.result), 'late');
});

test('when the last one who waited leaves, the start is given up', async t => {
  const {router, time, wait, probed} = virtualRouter();
  const model = cold();
  const waiting = wait(model);
  await time.pass(1_500);
  waiting.leave();
  t.is(router.stateOf(model), 'cold');
  const probes = probed.length;
  await time.pass(10_000);
  t.is(probed.length, probes);
  t.is(time.timers(), 0);
});

test('a model that is thought well and was not reached is cold too: the request that found out waits, and may go there again', async t => {
  const {router, time, up, place, wait} = virtualRouter();
  const model = cold({health: 'healthy'});
  t.is(router.stateOf(model), 'ready');
  place(model).end('failed');
  const retry = watch(wait(model, {tried: ['a']}));
  t.true(wait(model).isStarting, 'others are not sent to find out the same');
  up.add(url);
  await time.pass(1_000);
  t.true(retry.result && isPlace(retry.result) && retry.result.endpoint.id === 'a');
});

test('a failure of one request while others are answered is no reason to wait', t => {
  const {acquire, place} = virtualRouter();
  const model = cold({health: 'healthy'});
  const other = place(model);
  place(model).end('failed');
  other.end('worked');
  t.is(why(acquire(model, {tried: ['a']})), 'no_endpoint');
});

test('an answer of a request that was on its way ends the start as a probe does', async t => {
  const {router, place, wait} = virtualRouter();
  const model = cold({health: 'healthy'});
  const slow = place(model);
  place(model).end('failed');
  const retry = watch(wait(model, {tried: ['a']}));
  slow.answers();
  await settled();
  t.true(retry.result && isPlace(retry.result));
  t.is(router.stateOf(model), 'ready');
});

test('of several endpoints the first that answers has all requests, and the others are tried by one each', async t => {
  const {time, up, place, wait} = virtualRouter();
  const model = modelOf(
    [endpointOf('a', {health: 'unhealthy'}), endpointOf('b', {health: 'unhealthy'})],
    {startSeconds: 60},
  );
  const seen = Array.from({length: 10}, () => watch(wait(model)));
  up.add('http://b.invalid');
  await time.pass(1_000);
  const given = seen.flatMap(({result}) => (result && isPlace(result) ? [result] : []));
  t.is(given.length, 10);
  t.true(given.every(({endpoint}) => endpoint.id === 'b'));
  t.is(place(model).endpoint.id, 'b');
});

test('more requests than the started model takes wait on for their places, as long as the start had left', async t => {
  const {router, time, up, wait} = virtualRouter();
  const model = cold({maxConcurrency: 2});
  const seen = Array.from({length: 6}, () => watch(wait(model, {withinMs: 600_000})));
  await time.pass(5_500);
  up.add(url);
  await time.pass(1_000);
  t.is(router.inFlight(), 2);
  t.is(router.queued(), 4);
  await time.pass(50_000);
  t.is(router.queued(), 4, 'longer than the queue alone would allow');
  const [first] = seen;
  if (first?.result && isPlace(first.result)) {
    first.result.end('worked');
  }
  await time.pass(5_000);
  t.deepEqual(
    seen.map(({result}) => result && (why(result) ?? 'place')),
    ['place', 'place', 'place', 'saturated', 'saturated', 'saturated'],
  );
});

test('when a model goes away under those who wait for a place, they wait for its start', async t => {
  const {router, time, up, place, wait} = virtualRouter();
  const model = cold({health: 'healthy', maxConcurrency: 5});
  const held = Array.from({length: 5}, () => place(model));
  const seen = Array.from({length: 5}, () => watch(wait(model)));
  held[0]?.end('failed');
  for (const {end} of held.slice(1)) {
    end('failed');
  }
  await settled();
  t.is(router.stateOf(model), 'loading');
  const given = seen.filter(({result}) => result && isPlace(result));
  t.is(given.length, 4, 'they came in before the fifth failure');
  for (const {result} of given) {
    if (result && isPlace(result)) {
      result.end('failed');
    }
  }
  await time.pass(30_000);
  up.add(url);
  await time.pass(1_000);
  t.true(seen.every(({result}) => result && isPlace(result)));
});

test('who waits for a model that is taken away is told at once, and nobody is asked for it any more', async t => {
  let entry = cold();
  const {router, time, wait, acquire, probed} = virtualRouter({current: () => entry});
  const model = entry;
  const seen = [1, 2].map(() => watch(wait(model, {withinMs: 600_000})));
  await time.pass(1_000);
  entry = {...model, endpoints: []};
  await time.pass(200);
  t.deepEqual(
    seen.map(({result}) => why(result)),
    ['no_endpoint', 'no_endpoint'],
  );
  t.is(why(acquire(model)), 'no_endpoint');
  const probes = probed.length;
  await time.pass(5_000);
  t.is(probed.length, probes);
  t.is(router.queued(), 0);
});

test('a start has the queue’s bound too', async t => {
  const {router, wait, acquire} = virtualRouter({queueMax: 3});
  const model = cold();
  for (let count = 0; count < 3; count += 1) {
    wait(model);
  }
  t.is(why(acquire(model)), 'saturated');
  t.is(why(router.refusal({model, organisation: 'one'})), 'saturated');
  t.is(why(acquire(cold(), {withinMs: 0})), 'late');
});

test('a model that does not scale to zero is tried, however ill it is thought', t => {
  const {place} = virtualRouter();
  t.is(place(modelOf([endpointOf('a', {health: 'unhealthy'})])).endpoint.id, 'a');
});

test('a model that scales to zero is cold as the registry found it, until it answers', t => {
  const {router, place} = virtualRouter();
  const model = cold({health: 'unknown'});
  t.is(router.stateOf(model), 'cold');
  t.is(router.stateOf(modelOf([endpointOf('a', {health: 'unknown'})])), 'ready');
  place(model).end('worked');
  t.is(router.stateOf(model), 'ready');
});
