/**
Whatever gateways with real books do, and whenever they die: no more is let in than one bucket, or one counter, would let in. For
tokens within what the README states: what requests had given back and gateways had not told yet, when the bucket was last full.
*/
import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import type {Entered, LimitBook} from '../../functions/gateway/limits/limit-book.ts';
import {
  createMemory,
  createMemoryLimits,
  type LimitStore,
} from '../../functions/gateway/limits/store.ts';
import {createIdealBucket, enterAll, isEntered, limitOf, virtualBook} from '../helpers/limits.ts';

const gateway = fc.nat({max: 3});
type Step = Readonly<
  | {do: 'wait'; ms: number}
  | {do: 'enter'; gateway: number; count: number; tokens: number}
  | {do: 'end'; gateway: number; count: number; used: number}
  | {do: 'tick'; gateway: number}
  | {do: 'freeze'; gateway: number; ms: number}
  | {do: 'die'; gateway: number}
  | {do: 'stop'; gateway: number}
>;
const step: fc.Arbitrary<Step> = fc.oneof(
  {weight: 3, arbitrary: fc.record({do: fc.constant('wait' as const), ms: fc.nat({max: 1_500})})},
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('enter' as const),
      gateway,
      count: fc.integer({min: 1, max: 12}),
      tokens: fc.integer({min: 1, max: 900}),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('end' as const),
      gateway,
      count: fc.integer({min: 1, max: 8}),
      used: fc.double({min: 0, max: 1, noNaN: true}),
    }),
  },
  {weight: 2, arbitrary: fc.record({do: fc.constant('tick' as const), gateway})},
  {
    weight: 2,
    arbitrary: fc.record({do: fc.constant('freeze' as const), gateway, ms: fc.nat({max: 6_000})}),
  },
  {weight: 1, arbitrary: fc.record({do: fc.constant('die' as const), gateway})},
  {weight: 1, arbitrary: fc.record({do: fc.constant('stop' as const), gateway})},
);

type Gateway = {book: LimitBook; running: Running[]; frozenMs: number; untold: number};
type Running = Readonly<{entered: Entered; tokens: number}>;

const runAll = async (
  steps: readonly Step[],
  {
    requests,
    tokens,
    parallel,
    givesBack,
  }: {requests: number; tokens: number; parallel: number; givesBack: boolean},
  check: (what: string, holds: boolean) => void,
) => {
  const clock = {ms: 0};
  const memory = createMemory();
  let born = 0;
  const all: Gateway[] = [];
  const open = (): Gateway => {
    born += 1;
    const store = createMemoryLimits({memory, gateway: String(born), nowMs: () => clock.ms});
    const telling: LimitStore = {
      ...store,
      exchange(asks, count) {
        opened.untold = asks.some(({limit}) => limit === limits[1]?.id) ? 0 : opened.untold;
        return store.exchange(asks, count);
      },
    };
    const book = virtualBook(
      telling,
      () => clock.ms,
      () => 4,
    );
    const opened: Gateway = {book, running: [], frozenMs: 0, untold: 0};
    all.push(opened);
    return opened;
  };
  const limits = [
    limitOf('requests', requests),
    limitOf('tokens', tokens),
    limitOf('parallel', parallel),
  ];
  const ideal = {requests: createIdealBucket(requests), tokens: createIdealBucket(tokens)};
  const gateways = [open(), open(), open(), open()];
  let tolerance = 0;
  const look = () => {
    if (ideal.tokens.isFull(clock.ms)) {
      tolerance = gateways.reduce((sum, {untold}) => sum + untold, 0);
    }
  };

  for (const next of steps) {
    if (next.do === 'wait') {
      clock.ms += next.ms;
      // As their timers do.
      const awake = gateways.filter(({frozenMs}) => frozenMs <= clock.ms);
      await Promise.all(awake.map(({book}) => book.tick()));
      continue;
    }
    const gateway = gateways[next.gateway] as Gateway;
    const {book, running} = gateway;
    look();
    if (next.do === 'enter') {
      const found = (await enterAll(book, limits, next)).filter(isEntered);
      running.push(...found.map(entered => ({entered, tokens: next.tokens})));
      check('requests', ideal.requests.spend(found.length, clock.ms) >= -1e-3);
      check(
        'tokens',
        ideal.tokens.spend(found.length * next.tokens, clock.ms) >= -tolerance - 1e-3,
      );
    } else if (next.do === 'end') {
      for (const {entered, tokens: taken} of running.splice(0, next.count)) {
        const used = givesBack ? Math.floor(taken * next.used) : taken;
        ideal.tokens.spend(used - taken, clock.ms);
        gateway.untold += taken - used;
        entered.end(used);
        look();
      }
    } else if (next.do === 'tick') {
      await book.tick();
    } else if (next.do === 'freeze') {
      // Less than slots live: who runs requests and is not heard of for longer can have too many.
      gateway.frozenMs = clock.ms + next.ms;
    } else if (next.do === 'die') {
      gateways[next.gateway] = open();
    } else if (running.length === 0) {
      await book.close();
      gateways[next.gateway] = open();
    }
    const together = gateways.reduce((sum, each) => sum + each.running.length, 0);
    check('parallel', together <= parallel);
  }
  // Their timers hold them.
  await Promise.all(all.map(({book}) => book.close()));
};

test('no more is let in than one bucket or one counter would let in, whatever gateways do', async t => {
  t.timeout(240_000);
  t.pass('else a counter-example is thrown');
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, {minLength: 10, maxLength: 120}),
      fc.record({
        requests: fc.integer({min: 1, max: 400}),
        tokens: fc.integer({min: 900, max: 60_000}),
        parallel: fc.integer({min: 1, max: 60}),
        // Without, nothing is tolerated at all.
        givesBack: fc.boolean(),
      }),
      (steps, limits) => runAll(steps, limits, (what, holds) => assert.ok(holds, what)),
    ),
    {numRuns: Number(process.env.SLUICE_TEST_MODEL_RUNS ?? 200)},
  );
});
