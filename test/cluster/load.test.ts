/** Requests without pause while pods come and go: whatever the client was answered is in the books once, and nothing else is. */
import assert from 'node:assert/strict';
import {setTimeout as wait} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {eventually} from '../helpers/eventually.ts';
import type {Installation} from '../helpers/installation.ts';
import type {Stream} from '../helpers/streams.ts';
import {minScaleOf, setMinScale} from './scale.ts';
import {openWorld, type World} from './world.ts';

const minutes = 60_000;
/** A second, of two cores that the cluster runs on too. */
const rate = 8;

type Reported = Readonly<{prompt_tokens: number; completion_tokens: number}>;

/** As a client reads it: of a whole answer. */
const usageOf = (stream: Stream): Reported => JSON.parse(stream.text()).usage;

/** An open loop: nobody waits for an answer before the next request goes out. */
const openLoop = ({ask}: World) => {
  const asked: Promise<Stream>[] = [];
  let isOver = false;
  const ended = (async () => {
    for (let n = 0; !isOver; n += 1) {
      const maxTokens = 1 + (n % 7);
      asked.push(ask({maxTokens, stream: n % 2 === 0, timeoutMs: 5 * minutes}));
      await wait(1_000 / rate);
    }
  })();
  return {
    count: () => asked.length,
    async stop() {
      isOver = true;
      await ended;
      return await Promise.all(asked);
    },
  };
};

const assertBooked = async (t: ExecutionContext, world: World, streams: readonly Stream[]) => {
  const ends = await Promise.all(streams.map(({ended}) => ended));
  const failed = streams
    .filter(({status}, n) => status !== 200 || ends[n] !== 'whole')
    .map(stream => `${stream.status} ${stream.text().slice(0, 200)}`);
  t.deepEqual(failed, []);
  const {ledger} = await world.books(streams, {timeoutMs: 10 * minutes});
  const seen = new Map(
    streams.map(stream => [
      stream.request,
      stream.text().startsWith('{') ? usageOf(stream).completion_tokens : stream.tokens(),
    ]),
  );
  t.deepEqual(
    ledger.map(({request, outputTokens}) => [request, outputTokens]),
    ledger.map(({request}) => [request, seen.get(request)]),
  );
  const whole = streams.filter(stream => stream.text().startsWith('{')).map(usageOf);
  const inputs = new Set(whole.map(({prompt_tokens}) => prompt_tokens));
  t.deepEqual(new Set(ledger.map(({inputTokens}) => inputTokens)), inputs);
};

/** The pod is told to go, and is there until it is done. */
const deleteOne = async ({kubectl, pods}: Installation, service: string) => {
  const [pod] = await pods(service);
  if (pod !== undefined) {
    await kubectl('delete', 'pod', pod, '--wait=false', '--ignore-not-found');
  }
};

test.serial(
  'from zero, while pods are deleted and as many as two gateways come and go',
  async t => {
    t.timeout(20 * minutes);
    const world = await openWorld(t, {tokenDelayMs: 5});
    const {installation} = world;
    const scale = await minScaleOf(installation, 'gateway');
    t.teardown(() => setMinScale(installation, 'gateway', scale));
    await Promise.all(
      ['gateway', 'budget', 'usage'].map(service => installation.untilZero(service)),
    );
    const loop = openLoop(world);
    await eventually(async () => assert.ok((await installation.pods('gateway')).length > 0), {
      timeoutMs: 5 * minutes,
    });
    await setMinScale(installation, 'gateway', '2');
    for (const service of ['gateway', 'budget', 'usage', 'gateway']) {
      await deleteOne(installation, service);
      await wait(4_000);
    }
    await setMinScale(installation, 'gateway', '0');
    await deleteOne(installation, 'gateway');
    await wait(8_000);
    const streams = await loop.stop();
    t.log(`${streams.length} requests`);
    t.true(streams.length > 10 * rate);
    await assertBooked(t, world, streams);
  },
);

test.serial('requests that come just when the last pod was told to go', async t => {
  t.timeout(20 * minutes);
  const world = await openWorld(t);
  const {installation} = world;
  const streams: Stream[] = [];
  for (let round = 0; round < 3; round += 1) {
    const burst = Array.from({length: 10}, (_, n) =>
      world.ask({maxTokens: 3, stream: n % 2 === 0, timeoutMs: 5 * minutes}),
    );
    streams.push(...(await Promise.all(burst)));
    await eventually(
      async () => {
        const going = await installation.kubectl(
          ...['get', 'pods', '-l', 'serving.knative.dev/service=gateway'],
          ...['-o', 'jsonpath={.items[*].metadata.deletionTimestamp}'],
        );
        const pods = await installation.pods('gateway');
        assert.equal(going.split(' ').filter(Boolean).length, pods.length);
      },
      {timeoutMs: 10 * minutes, intervalMs: 100},
    );
  }
  streams.push(await world.ask({maxTokens: 3, timeoutMs: 5 * minutes}));
  await assertBooked(t, world, streams);
});
