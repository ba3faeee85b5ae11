/**
Whatever comes, ends, leaves and goes away: an endpoint has never more than its share, every request is told once, in time and in its
turn, and no place is lost.
*/
import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import type {Place, Unplaced} from '../../functions/gateway/routing/router.ts';
import type {ModelEntry} from '../../functions/registry/catalogue.ts';
import {
  endpointOf,
  isPlace,
  isWaiting,
  modelOf,
  settled,
  virtualRouter,
} from '../helpers/routing.ts';

const ids = ['a', 'b', 'c'] as const;
const queueMs = 3_000;
const startSeconds = 5;

type World = Readonly<{
  bounds: readonly number[];
  gateways: number;
  queueMax: number;
  scales: boolean;
  seed: number;
}>;
const worlds: fc.Arbitrary<World> = fc.record({
  bounds: fc.array(fc.integer({min: 1, max: 6}), {minLength: 3, maxLength: 3}),
  gateways: fc.integer({min: 1, max: 3}),
  queueMax: fc.integer({min: 1, max: 12}),
  scales: fc.boolean(),
  seed: fc.nat(),
});

type Step = Readonly<
  | {do: 'acquire'; organisation: string; tried: readonly string[]; withinMs: number}
  | {do: 'end'; pick: number; outcome: 'worked' | 'failed' | 'left'}
  | {do: 'leave'; pick: number}
  | {do: 'pass'; ms: number}
  | {do: 'catalogue'; endpoints: readonly string[]; health: 'healthy' | 'unknown' | 'unhealthy'}
  | {do: 'server'; id: string; isUp: boolean}
>;
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 10,
      arbitrary: fc.record({
        do: fc.constant('acquire' as const),
        organisation: fc.constantFrom('x', 'x', 'x', 'y', 'z'),
        tried: fc.oneof(
          {weight: 4, arbitrary: fc.constant([])},
          {weight: 1, arbitrary: fc.subarray([...ids])},
        ),
        withinMs: fc.constantFrom(0, 500, 20_000),
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('end' as const),
        pick: fc.nat(),
        outcome: fc.constantFrom(
          'worked' as const,
          'worked' as const,
          'failed' as const,
          'left' as const,
        ),
      }),
    },
    {weight: 1, arbitrary: fc.record({do: fc.constant('leave' as const), pick: fc.nat()})},
    {weight: 4, arbitrary: fc.record({do: fc.constant('pass' as const), ms: fc.nat({max: 2_000})})},
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('catalogue' as const),
        endpoints: fc.subarray([...ids]),
        health: fc.constantFrom('healthy' as const, 'unknown' as const, 'unhealthy' as const),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('server' as const),
        id: fc.constantFrom(...ids),
        isUp: fc.boolean(),
      }),
    },
  ),
  {minLength: 10, maxLength: 120},
);

type Wait = Readonly<{
  organisation: string;
  isFree: boolean;
  sinceMs: number;
  withinMs: number;
  leave: () => void;
}>;

/** A router beside a book of what it should have done. */
const createWorld = ({bounds, gateways, queueMax, scales, seed}: World) => {
  const shareOf = (id: string) =>
    Math.max(Math.floor((bounds[ids.indexOf(id as 'a')] as number) / gateways), 1);
  const snapshot = (endpoints: readonly string[], health: 'healthy' | 'unknown' | 'unhealthy') =>
    modelOf(
      endpoints.map(id =>
        endpointOf(id, {health, maxConcurrency: bounds[ids.indexOf(id as 'a')] as number}),
      ),
      scales ? {startSeconds} : {},
    );
  let model: ModelEntry = snapshot(ids, 'healthy');
  const virtual = virtualRouter({
    queueMax,
    queueMs,
    gateways: () => gateways,
    current: () => model,
    seed,
  });
  const {router, time} = virtual;
  const running: Place[] = [];
  const waits: Wait[] = [];
  const passed = new Map<string, Map<string, number>>();
  const faults: Error[] = [];
  let asked = 0;
  let told = 0;

  const give = (place: Place) => {
    running.push(place);
    const there = running.filter(({endpoint}) => endpoint.id === place.endpoint.id).length;
    assert.ok(there <= shareOf(place.endpoint.id), `${there} at ${place.endpoint.id}`);
  };
  const waitsOf = (organisation: string) =>
    waits.some(wait => wait.isFree && wait.organisation === organisation);
  const takeTurn = (organisation: string) => {
    for (const other of ['x', 'y', 'z']) {
      if (other === organisation || !waitsOf(other)) {
        passed.set(other, new Map());
      } else {
        const turns = passed.get(other) as Map<string, number>;
        const count = (turns.get(organisation) ?? 0) + 1;
        turns.set(organisation, count);
        assert.ok(count <= 1, `${organisation} had two turns while ${other} waited`);
      }
    }
  };
  const end = (wait: Wait, result: Place | Unplaced) => {
    told += 1;
    const index = waits.indexOf(wait);
    assert.ok(index >= 0, 'told twice');
    waits.splice(index, 1);
    const tookMs = time.nowMs() - wait.sinceMs;
    assert.ok(tookMs <= wait.withinMs + 100, `${tookMs} of ${wait.withinMs}`);
    assert.ok(scales || tookMs <= queueMs + 100, `${tookMs} in the queue`);
    if (isPlace(result)) {
      if (wait.isFree) {
        takeTurn(wait.organisation);
      } else {
        passed.set(wait.organisation, new Map());
      }
      give(result);
    }
  };

  const acquire = async ({organisation, tried, withinMs}: Extract<Step, {do: 'acquire'}>) => {
    asked += 1;
    // One that tried the well ones may have an ill one, which others would rather not.
    const isBehind = tried.length === 0 && waits.some(({isFree}) => isFree);
    const found = virtual.acquire(model, {organisation, tried, withinMs});
    if (!isWaiting(found)) {
      told += 1;
      if (isPlace(found)) {
        assert.ok(!isBehind || router.queued() < waits.length, 'it went before one that waits');
        give(found);
      }
      return;
    }
    const wait: Wait = {
      organisation,
      isFree: tried.length === 0,
      sinceMs: time.nowMs(),
      withinMs,
      leave: found.leave,
    };
    // Who was served by the look that its coming caused had the turn before.
    await settled();
    if (!waitsOf(organisation)) {
      passed.set(organisation, new Map());
    }
    waits.push(wait);
    void found.placed.then(result => end(wait, result)).catch(error => faults.push(error));
  };

  const take = <Item>(items: Item[], pick: number): Item | undefined =>
    items.length === 0 ? undefined : items.splice(pick % items.length, 1)[0];

  return {
    running,
    async do(step: Step) {
      if (step.do === 'acquire') {
        await acquire(step);
      } else if (step.do === 'end') {
        const place = take(running, step.pick);
        place?.end(step.outcome);
        place?.end('worked');
      } else if (step.do === 'leave') {
        waits[step.pick % Math.max(waits.length, 1)]?.leave();
      } else if (step.do === 'catalogue') {
        model = snapshot(step.endpoints, step.health);
      } else if (step.do === 'server') {
        virtual.up[step.isUp ? 'add' : 'delete'](`http://${step.id}.invalid`);
      } else {
        await time.pass(step.ms);
      }
      await settled();
      assert.deepEqual(faults, []);
      assert.equal(router.queued(), waits.length);
      assert.equal(router.inFlight(), running.length);
    },
    /** All that run end, nobody waits any more; then every place can be had, and not one more. */
    async finish() {
      while (running.length > 0 || waits.length > 0) {
        take(running, 0)?.end('worked');
        await time.pass(100);
      }
      assert.deepEqual(faults, []);
      assert.equal(told, asked, 'each was told once');
      assert.equal(router.inFlight(), 0);
      assert.equal(router.queued(), 0);
      model = snapshot(ids, 'healthy');
      for (const id of ids) {
        virtual.up.add(`http://${id}.invalid`);
        await time.pass(40_000);
        const tried = ids.filter(other => other !== id);
        const first = virtual.acquire(model, {tried});
        (isWaiting(first) ? await pass(first.placed) : (first as Place)).end('worked');
        const count = shareOf(id);
        const places = Array.from({length: count}, () => virtual.place(model, {tried}));
        assert.ok(!isPlace(virtual.acquire(model, {tried})), `more than ${count} at ${id}`);
        for (const place of places) {
          place.end('worked');
        }
        await settled();
      }
      router.close();
      assert.equal(time.timers(), 0);
    },
  };

  async function pass(placed: Promise<Place | Unplaced>): Promise<Place> {
    await time.pass(2_000);
    const result = await placed;
    assert.ok(isPlace(result), JSON.stringify(result));
    return result;
  }
};

test('no endpoint has more than its share, every request is told once, in time and in turn, and no place is lost', async t => {
  await fc.assert(
    fc.asyncProperty(worlds, steps, async (settings, script) => {
      const world = createWorld(settings);
      for (const step of script) {
        await world.do(step);
      }
      await world.finish();
    }),
    {numRuns: 300, includeErrorInReport: true},
  );
  t.pass();
});
