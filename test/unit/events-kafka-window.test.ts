/** The low-water mark of a partition, and the partition around it: nothing is committed past what is not settled. */
import test from 'ava';
import fc from 'fast-check';
import {createPartition} from '../../events/brokers/kafka/partition.ts';
import {createWindow} from '../../events/brokers/kafka/window.ts';

/** Offsets that ascend, with gaps, and an order in which they are settled. */
const history = fc
  .record({
    start: fc.integer({min: 0, max: 2 ** 52}),
    gaps: fc.array(fc.integer({min: 1, max: 3}), {minLength: 1, maxLength: 60}),
  })
  .chain(({start, gaps}) => {
    let next = start - 1;
    const offsets = gaps.map(gap => (next += gap));
    return fc.record({
      start: fc.constant(start),
      offsets: fc.constant(offsets),
      settled: fc.shuffledSubarray(offsets),
    });
  });

test('the low-water mark is the oldest record that is not settled, whatever the order of settling', t => {
  fc.assert(
    fc.property(history, ({start, offsets, settled}) => {
      const window = createWindow(start);
      const open = new Set<number>();
      let last = window.lowWater();
      const check = () => {
        const expected = open.size === 0 ? window.readTo() : Math.min(...open);
        t.is(window.lowWater(), expected);
        t.true(window.lowWater() >= last, 'it never goes back');
        last = window.lowWater();
      };
      for (const offset of offsets) {
        t.true(window.read(offset));
        open.add(offset);
        check();
      }
      for (const offset of settled) {
        window.settle(offset);
        open.delete(offset);
        check();
      }
      t.true(window.size() >= open.size);
    }),
  );
});

test('reading and settling in any mixture commits nothing that is open', t => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constant('read' as const), fc.nat()), {maxLength: 2_500}),
      steps => {
        const window = createWindow(10);
        const open: number[] = [];
        let next = 10;
        for (const step of steps) {
          if (step === 'read') {
            window.read(next);
            open.push(next);
            next += 1;
          } else if (open.length > 0) {
            const [offset] = open.splice(step % open.length, 1);
            window.settle(offset as number);
          }
          t.is(window.lowWater(), open.length === 0 ? next : Math.min(...open));
        }
      },
    ),
    {numRuns: 20},
  );
});

test('what was read before is not read again', t => {
  const window = createWindow(5);
  t.true(window.read(5));
  t.false(window.read(5));
  t.false(window.read(4));
  t.true(window.read(7));
  t.is(window.lowWater(), 5);
});

test('settling what is not in the window changes nothing', t => {
  const window = createWindow(5);
  window.read(5);
  window.settle(4);
  window.settle(6);
  t.is(window.lowWater(), 5);
  window.read(6);
  window.settle(5);
  t.is(window.lowWater(), 6, 'the early word about 6 was not kept');
});

test('records that no consumer sees are passed when nothing before them is open', t => {
  const window = createWindow(0);
  window.read(0);
  window.skipTo(3);
  t.is(window.lowWater(), 0);
  window.settle(0);
  t.is(window.lowWater(), 3);
});

const record = (offset: number, text = `${offset}`) => ({
  offset: String(offset),
  key: null,
  value: Buffer.from(text),
});
const event = {specversion: '1.0' as const, id: '1', source: '/s', type: 't'};

const start = (options: {ordered?: boolean; windowMax?: number; windowBytes?: number} = {}) => {
  const bad: number[] = [];
  const partition = createPartition({
    number: 0,
    start: 0,
    ordered: false,
    windowMax: 1_000,
    windowBytes: 1_000_000,
    take: ({value}) =>
      value?.toString() === 'bad'
        ? {kind: 'bad', reason: 'it is bad', json: '{}'}
        : value?.toString() === 'unwanted'
          ? {kind: 'unwanted'}
          : {kind: 'event', event, json: String(value)},
    onBad: ({offset}) => bad.push(offset),
    ...options,
  });
  return {partition, bad};
};
const offsetsOf = (entries: readonly {offset: number}[]) => entries.map(({offset}) => offset);

test('a record that is not settled bounds what is taken behind it', t => {
  const {partition} = start({windowMax: 3});
  partition.arrive(
    [0, 1, 2, 3, 4].map(offset => record(offset)),
    5,
  );
  const entries = partition.take(0, 10);
  t.deepEqual(offsetsOf(entries), [0, 1, 2]);
  partition.settle(entries[1] as (typeof entries)[0]);
  partition.settle(entries[2] as (typeof entries)[0]);
  t.deepEqual(partition.take(0, 10), [], 'the window begins at 0 and is full');
  t.is(partition.toCommit(), undefined);
  partition.settle(entries[0] as (typeof entries)[0]);
  partition.admit();
  t.is(partition.toCommit(), 3);
  t.deepEqual(offsetsOf(partition.take(0, 10)), [3, 4]);
});

test('bytes bound the window too, and one record always fits', t => {
  const {partition} = start({windowBytes: 10});
  partition.arrive([record(0, 'x'.repeat(50)), record(1)], 2);
  const [entry] = partition.take(0, 10);
  t.is(entry?.offset, 0);
  t.deepEqual(partition.take(0, 10), []);
  partition.settle(entry as NonNullable<typeof entry>);
  partition.admit();
  t.deepEqual(offsetsOf(partition.take(0, 10)), [1]);
  t.is(partition.arrivedBytes(), 0);
});

test('what is not wanted is passed, what is no event waits until it is kept', t => {
  const {partition, bad} = start();
  partition.arrive([record(0, 'unwanted'), record(1, 'bad'), record(2)], 3);
  t.deepEqual(bad, [1]);
  t.is(partition.toCommit(), 1);
  const [entry] = partition.take(0, 10);
  partition.settle(entry as NonNullable<typeof entry>);
  t.is(partition.toCommit(), 1);
  partition.settle({offset: 1});
  t.is(partition.toCommit(), 3);
});

test('a retry comes in its turn, ordered before all that follows it', t => {
  for (const ordered of [false, true]) {
    const {partition} = start({ordered});
    partition.arrive(
      [0, 1, 2].map(offset => record(offset)),
      3,
    );
    const [first] = partition.take(0, 1);
    partition.retry({...(first as NonNullable<typeof first>), readyAt: 100});
    t.is(partition.dueAt(), ordered ? 100 : 0);
    t.deepEqual(offsetsOf(partition.take(50, 10)), ordered ? [] : [1, 2]);
    t.deepEqual(offsetsOf(partition.take(100, 10)), ordered ? [0, 1, 2] : [0]);
  }
});

test('an offset below what was committed is known as a log that was set back', t => {
  const {partition} = start();
  partition.arrive([record(0), record(1)], 2);
  for (const entry of partition.take(0, 10)) {
    partition.settle(entry);
  }
  partition.onCommitted(2);
  t.false(partition.isBefore(2));
  t.true(partition.isBefore(1));
});
