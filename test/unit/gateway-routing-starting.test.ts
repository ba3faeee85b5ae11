import test from 'ava';
import type {Answer} from '../../functions/gateway/routing/ask.ts';
import {beginStart, probeBy} from '../../functions/gateway/routing/starting.ts';
import {createVirtualTime, settled} from '../helpers/routing.ts';

const world = (endpoints: readonly {url: string}[], startMs = 10_000) => {
  const time = createVirtualTime();
  const up = new Set<string>();
  const probed: string[] = [];
  const told: string[] = [];
  const start = beginStart({
    endpoints: () => endpoints,
    async probe(url) {
      probed.push(url);
      if (url === 'broken') {
        throw new Error('no such thing');
      }
      return up.has(url);
    },
    nowMs: time.nowMs,
    after: time.after,
    startMs,
    onUp: ({url}) => told.push(`up ${url}`),
    onOver: () => told.push('over'),
  });
  return {time, up, probed, told, start};
};

test('all endpoints are asked at once and every second, until one answers', async t => {
  const {time, up, probed, told} = world([{url: 'a'}, {url: 'b'}]);
  t.deepEqual(probed, [], 'not before its beginning is known');
  await time.pass(3_500);
  t.is(probed.length, 8);
  up.add('a').add('b');
  await time.pass(600);
  t.deepEqual(told, ['up a'], 'once');
  await time.pass(60_000);
  t.is(probed.length, 10);
  t.is(time.timers(), 0);
});

test('when its time is over it is told so, once, and nobody is asked any more', async t => {
  const {time, up, probed, told} = world([{url: 'a'}, {url: 'broken'}], 2_500);
  await time.pass(2_499);
  t.deepEqual(told, []);
  await time.pass(1);
  t.deepEqual(told, ['over']);
  up.add('a');
  await time.pass(10_000);
  t.deepEqual(told, ['over']);
  t.is(probed.length, 6);
});

test('one that is given up tells nobody anything, also when an answer was on its way', async t => {
  const {time, up, told, start} = world([{url: 'a'}]);
  up.add('a');
  time.jump(1);
  start.giveUp();
  await time.pass(60_000);
  t.deepEqual(told, []);
});

test('an endpoint that holds the question until it has started is asked once', async t => {
  const time = createVirtualTime();
  let probes = 0;
  let answer = (_isUp: boolean) => {};
  const told: string[] = [];
  beginStart({
    endpoints: () => [{url: 'a'}],
    probe() {
      probes += 1;
      return new Promise<boolean>(resolve => {
        answer = resolve;
      });
    },
    nowMs: time.nowMs,
    after: time.after,
    startMs: 60_000,
    onUp: () => told.push('up'),
    onOver: () => told.push('over'),
  });
  await time.pass(5_000);
  t.is(probes, 1);
  answer(true);
  await settled();
  t.deepEqual(told, ['up']);
});

const probed = (answer: Partial<Answer> | undefined) =>
  probeBy(async url => {
    if (url !== 'http://a.invalid/v1/models') {
      throw new Error(url);
    }
    return answer && {status: 200, contentType: '', text: '', ...answer};
  })('http://a.invalid');

test('a model server is there when it answers, also with its own refusal, and not when a gateway in front of it does', async t => {
  t.true(await probed({status: 200}));
  t.true(await probed({status: 401}));
  t.true(await probed({status: 404, contentType: 'application/json'}));
  t.false(await probed({status: 404, contentType: 'text/plain'}));
  t.false(await probed({status: 429}));
  t.false(await probed({status: 502}));
  t.false(await probed({status: 503}));
  t.false(await probed(undefined));
});
