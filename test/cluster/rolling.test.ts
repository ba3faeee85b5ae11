/** A new revision, and a pod that is told to go, while long streams run: none is cut, and none of the requests meanwhile fails. */
import assert from 'node:assert/strict';
import {setTimeout as wait} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {eventually} from '../helpers/eventually.ts';
import type {Stream} from '../helpers/streams.ts';
import {revise} from './scale.ts';
import {openWorld, type World} from './world.ts';

const minutes = 60_000;
const streamCount = 10;
const tokenDelayMs = 20;
/** 80 s, when nobody is slow. */
const longTokens = 4_000;
const marker = 'sluice.dev/test-revised';

/** One after the other, each on a connection of its own, until it is told to stop. */
const askMeanwhile = ({ask}: World) => {
  const streams: (Stream & {tookMs: number; sentMs: number})[] = [];
  const began = performance.now();
  let isOver = false;
  const ended = (async () => {
    while (!isOver) {
      const sentMs = performance.now() - began;
      const stream = await ask({maxTokens: 3, timeoutMs: 5 * minutes});
      await stream.ended;
      const tookMs = performance.now() - began - sentMs;
      streams.push({...stream, sentMs: Math.round(sentMs), tookMs: Math.round(tookMs)});
      await wait(100);
    }
  })();
  return async () => {
    isOver = true;
    await ended;
    return streams;
  };
};

const openLong = async (world: World) => {
  // The first may come to a gateway that is at zero: what is measured begins after it.
  const first = await world.ask({maxTokens: 1, timeoutMs: 5 * minutes});
  await first.ended;
  const long = await Promise.all(
    Array.from({length: streamCount}, () =>
      world.ask({maxTokens: longTokens, timeoutMs: 15 * minutes}),
    ),
  );
  await eventually(() => assert.ok(long.every(stream => stream.tokens() > 10)), {
    timeoutMs: 5 * minutes,
  });
  return {first, long};
};

const assertServed = async (
  t: ExecutionContext,
  world: World,
  {
    first,
    long,
    short,
  }: {
    first: Stream;
    long: readonly Stream[];
    short: readonly (Stream & {sentMs: number; tookMs: number})[];
  },
) => {
  t.deepEqual(
    await Promise.all(long.map(async ({ended}) => await ended)),
    long.map(() => 'whole'),
  );
  t.deepEqual(
    long.map(stream => stream.tokens()),
    long.map(() => longTokens),
  );
  const failed = [];
  for (const stream of short) {
    if (stream.status !== 200 || (await stream.ended) !== 'whole') {
      const {status, sentMs, tookMs} = stream;
      failed.push({status, sentMs, tookMs, end: stream.text().slice(-200)});
    }
  }
  t.deepEqual(failed, []);
  const {ledger} = await world.books([first, ...long, ...short], {timeoutMs: 10 * minutes});
  const charged = new Map(ledger.map(({request, outputTokens}) => [request, outputTokens]));
  t.deepEqual(
    [...long, ...short].map(({request}) => charged.get(request)),
    [...long.map(() => longTokens), ...short.map(() => 3)],
  );
};

test.serial('a new revision in mid-stream', async t => {
  t.timeout(20 * minutes);
  const world = await openWorld(t, {tokenDelayMs, defaultTokens: longTokens});
  const {installation} = world;
  const {first, long} = await openLong(world);
  const old = await installation.pods('gateway');
  const stop = askMeanwhile(world);
  t.teardown(() => revise(installation, 'gateway', {[marker]: undefined}));
  const begun = performance.now();
  const revision = await revise(installation, 'gateway', {[marker]: String(Date.now())});
  const revisedMs = Math.round(performance.now() - begun);
  const tokens = long.map(stream => stream.tokens());
  t.true(
    tokens.every(count => count < longTokens),
    'the revision was there while they ran',
  );
  // New requests go to pods of the new revision.
  await eventually(
    async () => {
      const pods = await installation.pods('gateway');
      assert.ok(pods.some(pod => pod.startsWith(revision) && !old.includes(pod)));
    },
    {timeoutMs: 5 * minutes, intervalMs: 500},
  );
  await Promise.all(long.map(({ended}) => ended));
  const short = await stop();
  t.log(
    `the new revision after ${revisedMs} ms, at ${Math.min(...tokens)} of ${longTokens} tokens; ${short.length} requests meanwhile`,
  );
  await assertServed(t, world, {first, long, short});
});

test.serial('a pod that is told to go in mid-stream', async t => {
  t.timeout(20 * minutes);
  const world = await openWorld(t, {tokenDelayMs, defaultTokens: longTokens});
  const {installation} = world;
  const {first, long} = await openLong(world);
  const stop = askMeanwhile(world);
  const going = await installation.pods('gateway');
  await installation.kubectl('delete', 'pod', ...going, '--wait=false');
  await eventually(
    async () => {
      const pods = await installation.pods('gateway');
      assert.ok(pods.some(pod => !going.includes(pod)));
    },
    {timeoutMs: 5 * minutes, intervalMs: 500},
  );
  await Promise.all(long.map(({ended}) => ended));
  const short = await stop();
  t.log(`${short.length} requests meanwhile`);
  await assertServed(t, world, {first, long, short});
});
