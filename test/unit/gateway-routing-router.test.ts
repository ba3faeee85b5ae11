import test from 'ava';
import type {ModelEntry} from '../../functions/registry/catalogue.ts';
import {
  endpointOf,
  isPlace,
  modelOf,
  settled,
  virtualRouter,
  watch,
  why,
} from '../helpers/routing.ts';

const plain = modelOf([endpointOf('a')]);
const narrow = (max: number, ...ids: string[]) =>
  modelOf(ids.map(id => endpointOf(id, {maxConcurrency: max})));

test('a request has a place at once, and starts no timer', t => {
  const {router, time, place} = virtualRouter();
  t.is(router.refusal({model: plain, organisation: 'one'}), undefined);
  const given = Array.from({length: 500}, () => place(plain));
  t.is(router.inFlight(), 500);
  t.is(router.queued(), 0);
  t.is(time.timers(), 0);
  for (const {endpoint, end} of given) {
    t.is(endpoint.id, 'a');
    end('worked');
    end('failed');
  }
  t.is(router.inFlight(), 0, 'each ends once');
});

test('a model without endpoints, or without any that was not tried, has no place', t => {
  const {router, acquire} = virtualRouter();
  const empty = modelOf([]);
  t.is(why(router.refusal({model: empty, organisation: 'one'})), 'no_endpoint');
  t.deepEqual(acquire(empty), {why: 'no_endpoint', retryAfterSeconds: 5});
  t.is(why(acquire(plain, {tried: ['a']})), 'no_endpoint');
});

test('a model whose first endpoint came a moment ago is refused to who read it before that', t => {
  let entry = modelOf([]);
  const {router} = virtualRouter({current: () => entry});
  const before = entry;
  entry = modelOf([endpointOf('a')]);
  t.is(why(router.refusal({model: before, organisation: 'one'})), 'no_endpoint');
  t.is(router.refusal({model: entry, organisation: 'one'}), undefined);
});

test('one that was tried is not chosen again, whatever else is chosen', t => {
  const {place} = virtualRouter();
  const model = modelOf([endpointOf('a'), endpointOf('b', {health: 'unhealthy'}), endpointOf('c')]);
  for (let count = 0; count < 50; count += 1) {
    t.is(place(model, {tried: ['a', 'c']}).endpoint.id, 'b');
    t.is(place(model, {tried: ['a']}).endpoint.id, 'c');
  }
});

test('healthy ones first, and the unhealthy when there is no other', t => {
  const {place} = virtualRouter();
  const [ill, unknown, well] = [
    endpointOf('ill', {health: 'unhealthy'}),
    endpointOf('unknown', {health: 'unknown'}),
    endpointOf('well'),
  ];
  t.is(place(modelOf([ill, unknown, well])).endpoint.id, 'well');
  t.is(place(modelOf([ill, unknown], {id: '2'})).endpoint.id, 'unknown');
  t.is(place(modelOf([ill], {id: '3'})).endpoint.id, 'ill');
});

test('requests are spread by what is in flight here', t => {
  const {place} = virtualRouter();
  const model = modelOf([endpointOf('a'), endpointOf('b')]);
  const given = Array.from({length: 40}, () => place(model).endpoint.id);
  t.is(given.filter(id => id === 'a').length, 20);
});

test('and by what model servers report of others, while the reports are fresh', async t => {
  const {time, metrics, place} = virtualRouter();
  const model = modelOf([endpointOf('a'), endpointOf('b')]);
  metrics.set('http://a.invalid/metrics', 'vllm:num_requests_running 12\n');
  metrics.set('http://b.invalid/metrics', 'vllm:num_requests_running 0\n');
  const first = place(model);
  await time.pass(100);
  first.end('left');
  const given = Array.from({length: 12}, () => place(model));
  t.true(given.every(({endpoint}) => endpoint.id === 'b'));
  metrics.clear();
  await time.pass(6_000);
  t.is(place(model).endpoint.id, 'a', 'an old report counts for nothing');
});

test('a report of one only is not compared with silence of the other', async t => {
  const {time, metrics, place} = virtualRouter();
  const model = modelOf([endpointOf('a'), endpointOf('b')]);
  metrics.set('http://a.invalid/metrics', 'vllm:num_requests_running 12\n');
  place(model).end('worked');
  await time.pass(100);
  const given = Array.from({length: 10}, () => place(model).endpoint.id);
  t.is(given.filter(id => id === 'a').length, 5);
});

test('a model with one endpoint is not asked for its load', async t => {
  const {time, place} = virtualRouter();
  place(plain);
  t.is(time.timers(), 0);
  await time.pass(5_000);
  t.is(time.timers(), 0);
});

test('five failures in a row open the circuit: nobody is sent there for a second, then one is', t => {
  const {router, time, acquire, fail, place} = virtualRouter();
  fail(plain, 5);
  t.deepEqual(acquire(plain), {why: 'no_endpoint', retryAfterSeconds: 1});
  t.is(why(router.refusal({model: plain, organisation: 'one'})), 'no_endpoint');
  t.is(router.stateOf(plain), 'degraded');
  t.deepEqual(router.models(), [{name: 'llama', queued: 0, circuitsOpen: 1}]);
  time.jump(1_000);
  t.is(router.refusal({model: plain, organisation: 'one'}), undefined);
  const trial = place(plain);
  t.is(why(acquire(plain)), 'no_endpoint', 'one at a time');
  trial.answers();
  t.true(isPlace(acquire(plain)), 'it is back as soon as it answers');
  t.is(router.stateOf(plain), 'ready');
  trial.end('left');
});

test('a trial that fails keeps it closed for twice as long, one whose client left says nothing', t => {
  const {time, acquire, fail, place} = virtualRouter();
  fail(plain, 5);
  time.jump(1_000);
  place(plain).end('left');
  place(plain).end('failed');
  t.deepEqual(acquire(plain), {why: 'no_endpoint', retryAfterSeconds: 2});
});

test('others take what one with an open circuit would have had', t => {
  const {place, fail, time} = virtualRouter();
  const model = modelOf([endpointOf('a'), endpointOf('b', {health: 'unknown'})]);
  fail(model, 5);
  for (let count = 0; count < 20; count += 1) {
    t.is(place(model).endpoint.id, 'b');
  }
  time.jump(1_000);
  t.is(place(model).endpoint.id, 'a', 'the trial');
  t.is(place(model).endpoint.id, 'b');
});

test('a success between failures begins the count anew', t => {
  const {place, fail} = virtualRouter();
  for (let count = 0; count < 5; count += 1) {
    fail(plain, 4);
    place(plain).end('worked');
  }
  t.pass();
});

test('an endpoint takes this gateway’s share of its bound, at least one; then requests wait, and come to the place that is free', async t => {
  let gateways = 4;
  const {router, place, wait} = virtualRouter({gateways: () => gateways});
  const model = narrow(10, 'a');
  const given = [place(model), place(model)];
  const next = watch(wait(model));
  t.is(router.queued(), 1);
  t.is(router.stateOf(model), 'saturated');
  given[0]?.end('worked');
  await settled();
  t.true(next.result && isPlace(next.result));
  t.is(router.inFlight(), 2);
  gateways = 100;
  const other = modelOf([endpointOf('z', {maxConcurrency: 10})], {id: '2'});
  place(other);
  wait(other);
});

test('organisations take turns at the places that come free', async t => {
  const {place, wait} = virtualRouter();
  const model = narrow(1, 'a');
  let holder = place(model);
  const order: string[] = [];
  for (const name of ['a1', 'a2', 'a3', 'b1', 'b2', 'c1']) {
    void wait(model, {organisation: name.charAt(0)}).placed.then(result => {
      order.push(name);
      if (isPlace(result)) {
        holder = result;
      }
    });
  }
  for (let turn = 0; turn < 6; turn += 1) {
    holder.end('worked');
    await settled();
  }
  t.deepEqual(order, ['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
});

test('who comes later does not go before one who waits', async t => {
  const {place, wait, acquire, time} = virtualRouter();
  const two = narrow(1, 'a', 'b');
  const held = [place(two), place(two)];
  const first = watch(wait(two));
  held[0]?.end('worked');
  t.is(why(acquire(two, {withinMs: 0})), 'late');
  await settled();
  t.true(first.result && isPlace(first.result));
  await time.pass(1_000);
});

test('nobody waits longer than the queue allows, or than the request may', async t => {
  const {time, router, place, wait} = virtualRouter();
  const model = narrow(1, 'a');
  place(model);
  const [patient, hasty] = [watch(wait(model)), watch(wait(model, {withinMs: 3_000}))];
  await time.pass(2_900);
  t.is(hasty.result, undefined);
  await time.pass(200);
  t.is(why(hasty.result), 'late');
  await time.pass(6_800);
  t.is(patient.result, undefined);
  await time.pass(200);
  t.is(why(patient.result), 'saturated');
  t.is(router.queued(), 0);
  await time.pass(200);
  t.is(time.timers(), 0, 'it looks after nobody when nobody waits');
});

test('who would wait too long, by what the last requests took, is told at once', t => {
  const {router, time, place, acquire, wait} = virtualRouter();
  const model = narrow(1, 'a');
  for (let count = 0; count < 20; count += 1) {
    const given = place(model);
    time.jump(4_000);
    given.end('worked');
  }
  place(model);
  wait(model);
  t.is(why(acquire(model, {withinMs: 7_500})), 'late', 'one runs and one is before it: 8 s');
  wait(model);
  t.deepEqual(acquire(model), {why: 'saturated', retryAfterSeconds: 12}, 'two are before it');
  t.is(why(router.refusal({model, organisation: 'one'})), 'saturated');
  t.is(
    router.refusal({model, organisation: 'other'}),
    undefined,
    'another organisation has its turn after one',
  );
});

test('a full queue gives way to an organisation with less than its share', async t => {
  const {router, place, wait, acquire} = virtualRouter({queueMax: 4});
  const model = narrow(1, 'a');
  place(model);
  const noisy = Array.from({length: 4}, () => watch(wait(model, {organisation: 'noisy'})));
  t.is(why(router.refusal({model, organisation: 'noisy'})), 'saturated');
  t.is(why(acquire(model, {organisation: 'noisy'})), 'saturated');
  t.is(router.refusal({model, organisation: 'quiet'}), undefined);
  wait(model, {organisation: 'quiet'});
  await settled();
  t.deepEqual(
    noisy.map(({result}) => why(result)),
    [undefined, undefined, undefined, 'saturated'],
  );
  t.is(router.queued(), 4);
});

test('who leaves waits no more, and a place is not given to it', async t => {
  const {router, place, wait} = virtualRouter();
  const model = narrow(1, 'a');
  const held = place(model);
  const [first, second] = [wait(model), wait(model)];
  const [gone, next] = [watch(first), watch(second)];
  first.leave();
  first.leave();
  held.end('worked');
  await settled();
  t.is(why(gone.result), 'late');
  t.true(next.result && isPlace(next.result));
  second.leave();
  t.is(router.inFlight(), 1, 'a place that was given is ended by who has it');
});

test('a request that tried one endpoint waits for the others only', async t => {
  const {place, wait} = virtualRouter();
  const model = narrow(1, 'a', 'b');
  const held = [place(model), place(model)];
  const [a, b] = ['a', 'b'].map(id => held.find(({endpoint}) => endpoint.id === id));
  const waiting = watch(wait(model, {tried: ['a']}));
  const after = watch(wait(model));
  a?.end('worked');
  await settled();
  t.is(waiting.result, undefined);
  t.true(after.result && isPlace(after.result), 'one that may have it is not held up');
  b?.end('worked');
  await settled();
  t.true(waiting.result && isPlace(waiting.result) && waiting.result.endpoint.id === 'b');
});

test('when the last endpoint fails, nobody waits for it any longer', async t => {
  const {place, wait} = virtualRouter();
  const model = narrow(5, 'a');
  const held = Array.from({length: 5}, () => place(model));
  const waiting = Array.from({length: 20}, () => watch(wait(model)));
  for (const {end} of held) {
    end('failed');
    // The next five fail too: they were given the places of the first.
  }
  await settled();
  for (const {result} of waiting) {
    if (result && isPlace(result)) {
      result.end('failed');
    }
  }
  await settled();
  t.true(waiting.every(({result}) => result && (isPlace(result) || why(result) === 'no_endpoint')));
  t.is(waiting.filter(({result}) => result && isPlace(result)).length, 4);
});

test('what the catalogue says counts with the next request, also for those who wait and those who bring an older word', async t => {
  let newest: ModelEntry = narrow(1, 'a');
  const {router, time, place, wait} = virtualRouter({current: () => newest});
  const oldest = newest;
  const held = place(oldest);
  const waiting = watch(wait(oldest));
  newest = modelOf([endpointOf('a', {maxConcurrency: 2})]);
  await time.pass(200);
  t.true(waiting.result && isPlace(waiting.result), 'the bound was raised');
  newest = modelOf([endpointOf('b')]);
  t.is(place(oldest).endpoint.id, 'b', 'a was removed');
  newest = narrow(2, 'a');
  const back = watch(wait(oldest));
  t.is(router.inFlight(), 3, 'those that run at an endpoint that comes back are still counted');
  held.end('worked');
  await settled();
  t.true(back.result && isPlace(back.result));
});

test('an endpoint with another address is another server', t => {
  const {acquire, fail, place} = virtualRouter();
  fail(plain, 5);
  t.is(why(acquire(plain)), 'no_endpoint');
  place(modelOf([endpointOf('a', {url: 'http://moved.invalid'})]));
  t.pass();
});

test('what was known of endpoints that are gone, and of models that nobody asks for, is forgotten', t => {
  const {router, time, fail, place} = virtualRouter();
  fail(plain, 5);
  place(modelOf([endpointOf('b')])).end('worked');
  t.deepEqual(router.models(), [{name: 'llama', queued: 0, circuitsOpen: 0}]);
  time.jump(601_000);
  t.deepEqual(router.models(), []);
  for (let count = 0; count < 1_000; count += 1) {
    place(modelOf([endpointOf('a')], {id: `model-${count}`, name: `${count}`})).end('worked');
  }
  time.jump(601_000);
  place(plain);
  t.is(router.models().length, 1);
});

test('a bound that is raised elsewhere is noticed by those who wait, without a word', async t => {
  let gateways = 2;
  const {time, place, wait} = virtualRouter({gateways: () => gateways});
  const model = narrow(2, 'a');
  place(model);
  const waiting = watch(wait(model));
  gateways = 1;
  await time.pass(100);
  t.true(waiting.result && isPlace(waiting.result));
});

test('how long requests waited is told, by model', async t => {
  const {time, waited, place, wait} = virtualRouter();
  const model = narrow(1, 'a');
  const held = place(model);
  wait(model);
  await time.pass(1_500);
  held.end('worked');
  t.deepEqual(waited, [{model: 'llama', seconds: 1.5}]);
});

test('who waits when it closes is told, and nobody comes in any more', async t => {
  const {router, time, place, wait, acquire} = virtualRouter();
  const model = narrow(1, 'a');
  const held = place(model);
  const waiting = watch(wait(model));
  router.close();
  await settled();
  t.is(why(waiting.result), 'no_endpoint');
  t.is(why(acquire(model)), 'no_endpoint');
  t.is(time.timers(), 0);
  held.end('worked');
  t.is(router.inFlight(), 0);
});

test('a long queue beside an ill endpoint with room costs nobody who comes the time of all who wait', t => {
  let looks = 0;
  const gateways = () => {
    looks += 1;
    return 1;
  };
  const {place, wait, acquire} = virtualRouter({queueMax: 1_000, gateways});
  const model = modelOf([
    endpointOf('well', {maxConcurrency: 1}),
    endpointOf('ill', {health: 'unhealthy'}),
  ]);
  place(model);
  for (let count = 0; count < 1_000; count += 1) {
    wait(model, {organisation: `${count % 10}`});
  }
  looks = 0;
  for (let count = 0; count < 1_000; count += 1) {
    t.is(why(acquire(model, {organisation: '0'})), 'saturated');
  }
  t.true(looks < 10_000, `${looks / 1_000} looks at the endpoints for each`);
});
