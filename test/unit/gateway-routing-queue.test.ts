import test from 'ava';
import fc from 'fast-check';
import {createFairQueue} from '../../functions/gateway/routing/queue.ts';

const always = () => true;
const filled = (max: number, ...items: string[]) => {
  const queue = createFairQueue<string>({max});
  for (const item of items) {
    queue.offer(item.charAt(0), item);
  }
  return queue;
};
const drain = (queue: ReturnType<typeof filled>) =>
  Array.from({length: queue.size()}, () => queue.next(always));

test('organisations take turns, in each the first comes first', t => {
  t.deepEqual(drain(filled(100, 'a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'b2')), [
    'a1',
    'b1',
    'c1',
    'a2',
    'b2',
    'a3',
    'a4',
  ]);
});

test('one that comes while others take turns is next after one of each', t => {
  const queue = filled(100, 'a1', 'a2', 'a3', 'b1', 'b2');
  t.is(queue.next(always), 'a1');
  queue.offer('c', 'c1');
  t.deepEqual(drain(queue), ['b1', 'a2', 'c1', 'b2', 'a3']);
});

test('one that does not fit is passed over and keeps its turn', t => {
  const queue = filled(100, 'a1', 'a2', 'b1');
  t.is(
    queue.next(item => item !== 'a1'),
    'a2',
  );
  t.is(
    queue.next(item => !item.startsWith('b')),
    'a1',
  );
  t.is(
    queue.next(() => false),
    undefined,
  );
  t.is(queue.next(always), 'b1');
  t.is(queue.next(always), undefined);
});

test('a full queue gives an organisation with less than its share the place of the newest of the one that has most', t => {
  const queue = filled(4, 'a1', 'a2', 'a3', 'b1');
  t.deepEqual(queue.offer('a', 'a4'), {isIn: false});
  t.deepEqual(queue.offer('c', 'c1'), {isIn: true, evicted: 'a3'});
  t.deepEqual(queue.offer('b', 'b2'), {isIn: false}, 'it has its share: a third of four');
  t.is(queue.size(), 4);
  t.deepEqual(drain(queue), ['a1', 'b1', 'c1', 'a2']);
});

test('a queue of equal organisations that is full takes no more', t => {
  const queue = filled(2, 'a1', 'b1');
  t.false(queue.takes('c'));
  t.deepEqual(queue.offer('c', 'c1'), {isIn: false});
  t.deepEqual(createFairQueue<string>({max: 0}).offer('a', 'a1'), {isIn: false});
});

test('who leaves is gone, once', t => {
  const queue = filled(10, 'a1', 'a2', 'b1');
  t.true(queue.remove('a', 'a1'));
  t.false(queue.remove('a', 'a1'));
  t.false(queue.remove('z', 'a2'));
  t.deepEqual(drain(queue), ['a2', 'b1']);
  t.is(queue.size(), 0);
});

test('it tells how many go before one that comes', t => {
  const queue = filled(100, 'a1', 'a2', 'a3', 'b1');
  t.is(queue.ahead('c'), 2);
  t.is(queue.ahead('b'), 2);
  t.is(queue.ahead('a'), 4);
});

type Step = Readonly<{do: 'offer' | 'next' | 'leave'; organisation: string; pick: number}>;
const step: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom('offer', 'offer', 'offer', 'next', 'next', 'leave'),
  organisation: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  pick: fc.nat(),
});

test('whatever comes and goes: nobody is lost or had twice, order holds within each, and no other has two turns while one waits', t => {
  fc.assert(
    fc.property(fc.array(step, {maxLength: 200}), fc.integer({min: 1, max: 12}), (steps, max) => {
      type Item = Readonly<{organisation: string; number: number}>;
      const queue = createFairQueue<Item>({max});
      const waiting = new Map<string, Item[]>();
      const all = () => [...waiting.values()].flat();
      /** Turns that each other one had since one that waits had its own. */
      const passed = new Map<string, Map<string, number>>();
      const drop = (item: Item) => {
        const line = (waiting.get(item.organisation) ?? []).filter(other => other !== item);
        waiting.set(item.organisation, line);
        if (line.length === 0) {
          passed.delete(item.organisation);
        }
      };
      let number = 0;
      for (const {do: what, organisation, pick} of steps) {
        if (what === 'offer') {
          const item = {organisation, number: number++};
          const before = all().length;
          const {isIn, evicted} = queue.offer(organisation, item);
          if (evicted) {
            const most = Math.max(...[...waiting.values()].map(line => line.length));
            const line = waiting.get(evicted.organisation) as Item[];
            if (before < max || line.length !== most || line.at(-1) !== evicted) {
              return false;
            }
            drop(evicted);
          }
          if (isIn) {
            waiting.set(organisation, [...(waiting.get(organisation) ?? []), item]);
            if (!passed.has(organisation)) {
              passed.set(organisation, new Map());
            }
          } else if (before < max) {
            return false;
          }
        } else if (what === 'leave') {
          const item = all()[pick % Math.max(all().length, 1)];
          if (item && !queue.remove(item.organisation, item)) {
            return false;
          }
          if (item) {
            drop(item);
          }
        } else {
          const item = queue.next(always);
          if (!item) {
            if (all().length > 0) {
              return false;
            }
            continue;
          }
          if (waiting.get(item.organisation)?.[0] !== item) {
            return false;
          }
          drop(item);
          if (passed.has(item.organisation)) {
            passed.set(item.organisation, new Map());
          }
          for (const [name, turns] of passed) {
            if (name !== item.organisation) {
              const had = (turns.get(item.organisation) ?? 0) + 1;
              turns.set(item.organisation, had);
              if (had > 1) {
                return false;
              }
            }
          }
        }
        if (queue.size() !== all().length || queue.size() > max) {
          return false;
        }
      }
      return true;
    }),
    {numRuns: 300},
  );
  t.pass();
});
