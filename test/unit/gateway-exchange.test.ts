import {setImmediate as turn} from 'node:timers/promises';
import test from 'ava';
import type {Outcome, Place, Unplaced, Waiting} from '../../functions/gateway/routing/router.ts';
import {randomFrom} from '../chaos/random.ts';
import {answer, exchangeWorld} from '../helpers/exchange.ts';
import {endpointOf, isPlace, modelOf, virtualRouter} from '../helpers/routing.ts';

/** A place that says what was told of it. */
const spot = (id: string) => {
  const said: (Outcome | 'answers')[] = [];
  const place: Place = {
    endpoint: endpointOf(id),
    answers: () => void said.push('answers'),
    end: outcome => void said.push(outcome),
  };
  return {place, said};
};

const nowhere = {acquire: (): Unplaced => ({why: 'no_endpoint', retryAfterSeconds: 1})};

const wait = () => {
  const {promise, resolve} = Promise.withResolvers<Place | Unplaced>();
  const seen = {left: 0};
  const waiting: Waiting = {
    placed: promise,
    isStarting: true,
    leave() {
      seen.left += 1;
      resolve({why: 'late', retryAfterSeconds: 1});
    },
  };
  return {waiting, seen, resolve};
};

const words = '{"error":{"message":"no"}}';
for (const [status, body, says] of [
  [500, words, 'left'],
  [501, '', 'worked'],
  [418, words, 'left'],
  [400, words, 'worked'],
  [422, words, 'worked'],
  [404, words, 'failed'],
  [401, words, 'failed'],
  [429, words, 'failed'],
  [503, words, 'failed'],
] as const) {
  test(`an answer of ${status} says of its endpoint: ${says}`, async t => {
    const {start, calls, intents, results} = exchangeWorld(nowhere);
    const {place, said} = spot('a');
    start(place);
    intents[0]?.resolve();
    const [call] = calls;
    call?.start();
    call?.head(status);
    call?.data(body);
    call?.end();
    t.is(said.at(0), says);
    await turn();
    t.is(results.length, 1);
    t.is(results[0]?.costNanos, 0);
  });
}

test('the head of an answer is none: an endpoint that breaks behind it has not worked', t => {
  const {start, calls} = exchangeWorld(nowhere);
  const {place, said} = spot('a');
  start(place);
  calls[0]?.start();
  calls[0]?.head(200);
  calls[0]?.fail('ECONNRESET');
  t.is(said.at(0), 'failed');

  const {place: other, said: heard} = spot('b');
  start(other, {stream: true});
  calls[1]?.start();
  calls[1]?.head(200, 'text/event-stream');
  calls[1]?.data('data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n');
  t.deepEqual(heard, ['answers'], 'at its first event, however long it lasts');
  calls[1]?.end();
  t.deepEqual(heard, ['answers', 'worked']);
});

test('what is no answer is none from its first byte on', t => {
  const {start, calls} = exchangeWorld(nowhere);
  for (const stream of [false, true]) {
    const {place, said} = spot('a');
    start(place, {stream});
    const call = calls.at(-1);
    call?.start();
    call?.head(200, 'text/html');
    call?.data('<html>It works!</html>');
    call?.end();
    t.deepEqual(said, ['failed']);
  }
});

for (const waits of [false, true]) {
  test(`a call that cannot be made is the request's end, told and recorded${waits ? ', after a wait too' : ''}`, async t => {
    const {start, results, held} = exchangeWorld(nowhere, {
      send() {
        throw new TypeError('Invalid URL');
      },
    });
    const {place, said} = spot('a');
    const {waiting, resolve} = wait();
    const {response, endings} = start(waits ? waiting : place, {first: endpointOf('a')});
    resolve(place);
    await turn();
    t.is(response.status, 500);
    t.deepEqual(said, ['left'], 'the fault is ours');
    t.is(results.length, 1);
    t.is(endings.length, 1);
    t.is(held.settled, 1);
  });
}

test('who leaves while it waits has left the wait, and a place that came at that moment is given back', async t => {
  const {start, calls, results} = exchangeWorld(nowhere);
  const {place, said} = spot('a');
  const {waiting, seen, resolve} = wait();
  const {response} = start(waiting, {first: endpointOf('a')});
  resolve(place);
  response.close();
  await turn();
  t.is(seen.left, 1);
  t.deepEqual(said, ['left']);
  t.is(calls.length, 0);
  t.is(results.length, 1);
  t.is(results[0]?.outcome, 'client_aborted');
});

test('an intent that is not recorded ends a wait: no call, no fallback, one result', async t => {
  const {start, calls, intents, results} = exchangeWorld(nowhere);
  const {waiting, seen} = wait();
  const {response} = start(waiting, {
    first: endpointOf('a'),
    fallBack: () => t.fail('it falls back'),
  });
  intents[0]?.reject(new Error('away'));
  await turn();
  t.is(response.status, 503);
  t.is(seen.left, 1);
  t.is(calls.length, 0);
  t.deepEqual(
    results.map(({outcome}) => outcome),
    ['lease_lost'],
  );
});

test('nobody who has gone, or whose intent failed, is tried again elsewhere', async t => {
  const router = {acquire: (): Place => t.fail('another is asked') as never};
  const {start, calls, intents, results} = exchangeWorld(router);
  const {response} = start(spot('a').place);
  calls[0]?.start();
  response.close();
  t.true(calls[0]?.call.isLeft);
  calls[0]?.fail('ECONNRESET');
  start(spot('b').place);
  intents[1]?.reject(new Error('away'));
  await turn();
  calls[1]?.start();
  t.true(calls[1]?.call.isOver, 'what was not sent yet is not sent');
  t.is(results.length, 2);
});

for (const code of ['ECONNREFUSED', 'CERT_HAS_EXPIRED', 'ECONNRESET', 'ETIMEDOUT']) {
  test(`a connection that could not be made costs nothing: ${code}`, async t => {
    const {start, calls, intents, results} = exchangeWorld(nowhere);
    const {response} = start(spot('a').place);
    intents[0]?.resolve();
    calls[0]?.fail(code);
    await turn();
    t.is(response.status, 502);
    t.regex(response.text, /could not be reached/);
    t.like(results[0], {outcome: 'upstream_error', inputTokens: 0, estimated: false});
  });
}

test('a connection that broke with the request on it is paid for by policy', async t => {
  const {start, calls, intents, results} = exchangeWorld(nowhere);
  start(spot('a').place);
  intents[0]?.resolve();
  calls[0]?.start();
  calls[0]?.fail('ECONNRESET');
  await turn();
  t.like(results[0], {outcome: 'upstream_error', inputTokens: 1, estimated: true});
});

test('who broke off before is not paid for by who leaves in the wait after it', async t => {
  const {waiting} = wait();
  const {start, calls, intents, results} = exchangeWorld({acquire: () => waiting});
  const {response} = start(spot('a').place);
  intents[0]?.resolve();
  calls[0]?.start();
  calls[0]?.fail('ECONNRESET');
  response.close();
  await turn();
  t.like(results[0], {outcome: 'client_aborted', inputTokens: 0, estimated: false});
});

test('an answer after a refusal is an answer', async t => {
  const {start, calls, intents, results} = exchangeWorld({acquire: () => spot('b').place});
  const {response} = start(spot('a').place);
  intents[0]?.resolve();
  for (const [index, status, body] of [
    [0, 503, words],
    [1, 200, answer],
  ] as const) {
    calls[index]?.start();
    calls[index]?.head(status);
    calls[index]?.data(body);
    calls[index]?.end();
  }
  t.is(response.text, answer);
  t.is(results[0]?.outcome, 'completed');
});

test('whose lease ran out before its intent was durable is told so, and nothing goes on', async t => {
  const {start, calls, intents, results, held} = exchangeWorld(nowhere);
  const {place, said} = spot('a');
  const {response} = start(place);
  calls[0]?.start();
  held.usable = false;
  intents[0]?.resolve();
  await turn();
  t.is(response.status, 503);
  t.true(calls[0]?.call.isOver);
  t.deepEqual(said, ['left']);
  t.like(results[0], {outcome: 'lease_lost', costNanos: 0});
});

test('an answer that comes before its intent is durable hurries it, and is not read until then', async t => {
  const {start, calls, intents, held} = exchangeWorld(nowhere);
  start(spot('a').place);
  start(spot('a').place);
  intents[0]?.resolve();
  await turn();
  for (const call of calls) {
    call.start();
    call.head(200);
  }
  t.is(held.hurried, 1);
  t.deepEqual(
    calls.map(({controller}) => controller.paused),
    [false, true],
  );
  intents[1]?.resolve();
  await turn();
  t.false(calls[1]?.controller.paused);
  for (const call of calls) {
    call.data(answer);
    call.end();
  }
});

test('three tries listen once to their client', async t => {
  const places = ['b', 'c'].map(id => spot(id));
  const {start, calls, intents, results} = exchangeWorld({
    acquire: () => places.shift()?.place as Place,
  });
  const {response} = start(spot('a').place);
  intents[0]?.resolve();
  await turn();
  for (const index of [0, 1, 2]) {
    calls[index]?.start();
    t.is(response.listenerCount('close'), 1);
    t.is(response.listenerCount('drain'), 0);
    if (index < 2) {
      calls[index]?.fail('ECONNRESET');
    }
  }
  calls[2]?.head(200);
  calls[2]?.data(answer);
  calls[2]?.end();
  t.is(response.text, answer);
  t.like(results[0], {tries: 3, outcome: 'completed', inputTokens: 3, outputTokens: 2});
});

const timers = () =>
  process.getActiveResourcesInfo().filter(resource => resource === 'Timeout').length;

// Alone: it counts the process's timers.
test.serial(
  'in whatever order things happen, a request has one result and keeps no place, no turn and no timer',
  async t => {
    const before = timers();
    const random = randomFrom(7);
    const pick = <Item>(items: readonly Item[]) =>
      items[Math.floor(random() * items.length)] as Item;
    for (let round = 0; round < 60; round += 1) {
      const {router, time} = virtualRouter({queueMax: 3, seed: round});
      const model = modelOf(
        ['a', 'b', 'c'].map(id => endpointOf(id, {maxConcurrency: 1})),
        round % 3 === 0 ? {startSeconds: 30} : {},
      );
      const world = exchangeWorld(router);
      const running: ReturnType<typeof world.start>[] = [];
      let begun = 0;
      const steps: (() => unknown)[] = [
        () => {
          const found = router.acquire({
            model,
            organisation: pick(['one', 'two']),
            tried: [],
            untilMs: time.nowMs() + pick([5_000, 600_000]),
          });
          if (isPlace(found) || 'placed' in found) {
            begun += 1;
            const stream = pick([true, false]);
            const falls = pick([true, false]);
            const fallBack = falls ? () => {} : undefined;
            running.push(world.start(found, {model, stream, fallBack}));
          }
        },
        () => pick(world.intents)?.resolve(),
        () => pick(world.intents)?.reject(new Error('away')),
        () => pick(world.calls)?.start(),
        () => pick(world.calls)?.head(pick([200, 200, 400, 429, 500, 503])),
        () => pick(world.calls)?.data(pick(['data: {}\n\n', answer, words])),
        () => pick(world.calls)?.end(),
        () => pick(world.calls)?.fail(pick(['ECONNRESET', 'ECONNREFUSED', 'UND_ERR_BODY_TIMEOUT'])),
        () => pick(running)?.response.close(),
        () => time.pass(pick([50, 500, 5_000])),
        turn,
      ];
      for (let step = 0; step < 120; step += 1) {
        await pick(steps)();
      }
      for (const {response} of running) {
        response.close();
      }
      await turn();
      for (const call of world.calls) {
        call.start();
        call.fail('ECONNRESET');
      }
      await turn();
      t.is(world.results.length, begun, `round ${round}`);
      t.is(new Set(world.results.map(({request}) => request)).size, begun);
      t.is(router.inFlight(), 0, `round ${round}: places`);
      t.is(router.queued(), 0, `round ${round}: turns`);
      router.close();
    }
    t.is(timers(), before);
  },
);
