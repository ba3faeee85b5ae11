/** Handing out what a consumer of Kafka holds: bounds, order, and what becomes of it when its partition goes away. */
import assert from 'node:assert/strict';
import test from 'ava';
import type {Consumer, Message, Outcome} from '../../events/brokers/broker.ts';
import {createDispatch, type DispatchOptions} from '../../events/brokers/kafka/dispatch.ts';
import {eventually} from '../helpers/eventually.ts';

type Handed = {ids: string[]; attempts: number[]; end: (outcome: Outcome) => void};
const done: Outcome = {kind: 'done'};

const start = (consumer: Partial<Consumer> = {}, options: Partial<DispatchOptions> = {}) => {
  const handed: Handed[] = [];
  const stored: string[] = [];
  const told = {expired: 0};
  const dispatch = createDispatch({
    consumer: {
      batchMax: 1,
      concurrency: 10,
      onBatch: messages =>
        new Promise(resolve => {
          handed.push({
            ids: messages.map(({id}) => id),
            attempts: messages.map(({attempt}) => attempt),
            end: outcome => resolve(messages.map(() => outcome)),
          });
        }),
      ...consumer,
    },
    take: ({value}) => ({
      kind: 'event',
      json: String(value),
      event: {specversion: '1.0', id: String(value), source: '/s', type: 't'},
    }),
    messageOf: (partition, {json, event, offset, attempt}): Message => ({
      id: `${partition}/${offset}`,
      subscription: 's',
      attempt,
      json,
      event,
    }),
    async store(messages) {
      stored.push(...messages.map(({id}) => id));
      return true;
    },
    storeBad: async () => true,
    onError: () => {},
    onExpired: () => {
      told.expired += 1;
    },
    expireMs: 60_000,
    windowMax: 1_000,
    windowBytes: 1_000_000,
    restMs: 1,
    ...options,
  });
  const receive = (partition: number, ...offsets: number[]) =>
    dispatch.receive(
      partition,
      offsets.map(offset => ({offset: String(offset), key: null, value: Buffer.from('x')})),
      (offsets.at(-1) ?? 0) + 1,
    );
  const has = (count: number) =>
    eventually(() => assert.equal(handed.length, count), {intervalMs: 1});
  const commits = () =>
    dispatch.toCommit().map(({partition, offset}) => `${partition.number}: ${offset}`);
  const committed = (...expected: string[]) =>
    eventually(() => assert.deepEqual(commits(), expected), {intervalMs: 1});
  return {dispatch, handed, stored, told, receive, has, committed};
};

test('never more batches than asked, and an offset only behind what is settled', async t => {
  const {dispatch, handed, receive, has, committed} = start({concurrency: 2});
  dispatch.assign([0], false);
  receive(0, 0, 1, 2);
  await has(2);
  handed[1]?.end(done);
  await has(3);
  await committed();
  t.deepEqual(handed[2]?.ids, ['0/2']);
  handed[0]?.end(done);
  await committed('0: 2');
  handed[2]?.end(done);
  await committed('0: 3');
});

test('what was in hand when its partition went away is forgotten, and its outcome stores nothing', async t => {
  const {dispatch, handed, stored, receive, has, committed} = start();
  dispatch.assign([0, 1], false);
  receive(0, 0);
  receive(1, 0);
  await has(2);
  dispatch.assign([1], true);
  for (const {end} of handed) {
    end(done);
  }
  await committed('1: 1');
  t.deepEqual(stored, ['1/0']);
  dispatch.assign([0, 1], true);
  receive(0, 0);
  await has(3);
  t.deepEqual(handed[2]?.ids, ['0/0'], 'it comes again when the partition does');
  handed[2]?.end(done);
});

test('a partition that stays over a rebalance hands out nothing twice', async t => {
  const {dispatch, handed, receive, has, committed} = start();
  dispatch.assign([0], false);
  receive(0, 0, 1);
  await has(2);
  dispatch.assign([0], true);
  receive(0, 0, 1, 2);
  await has(3);
  t.deepEqual(
    handed.map(({ids}) => ids[0]),
    ['0/0', '0/1', '0/2'],
  );
  for (const {end} of handed) {
    end(done);
  }
  await committed('0: 3');
});

test('a member that was taken for dead forgets all', async t => {
  const {dispatch, handed, receive, has} = start();
  dispatch.assign([0], false);
  receive(0, 0);
  await has(1);
  dispatch.assign([0], false);
  receive(0, 0);
  await has(2);
  t.deepEqual(handed[1]?.ids, ['0/0']);
  for (const {end} of handed) {
    end(done);
  }
});

test('records of a partition that is not ours are not taken', t => {
  const {dispatch, handed, receive} = start();
  dispatch.assign([1], false);
  receive(0, 0);
  t.is(handed.length, 0);
});

test('ordered: one batch a partition at a time, and a retry holds up its partition alone', async t => {
  const {dispatch, handed, receive, has} = start({ordered: true, batchMax: 2});
  dispatch.assign([0, 1], false);
  receive(0, 0, 1, 2);
  receive(1, 0);
  await has(2);
  t.deepEqual(
    handed.map(({ids}) => ids),
    [['0/0', '0/1'], ['1/0']],
  );
  handed[0]?.end({kind: 'retry', afterMs: 20});
  await has(3);
  t.deepEqual(handed[2]?.ids, ['0/0', '0/1']);
  t.deepEqual(handed[2]?.attempts, [2, 2]);
  handed[1]?.end(done);
  handed[2]?.end(done);
  await has(4);
  t.deepEqual(handed[3]?.ids, ['0/2']);
  handed[3]?.end(done);
});

test('ordered: partitions with little travel together, and what was tried before goes alone', async t => {
  const {dispatch, handed, receive, has} = start({ordered: true, batchMax: 10, concurrency: 1});
  dispatch.assign([0, 1, 2], false);
  receive(0, 0);
  await has(1);
  receive(1, 0);
  receive(2, 0);
  handed[0]?.end(done);
  await has(2);
  t.deepEqual(handed[1]?.ids.toSorted(), ['1/0', '2/0']);
  handed[1]?.end({kind: 'retry', afterMs: 0});
  await has(3);
  receive(0, 1);
  handed[2]?.end({kind: 'retry', afterMs: 0});
  await has(4);
  handed[3]?.end(done);
  await has(5);
  handed[4]?.end(done);
  await has(6);
  handed[5]?.end(done);
  t.true(handed.slice(2, 6).every(({ids}) => ids.length === 1));
  t.true(handed.slice(2, 6).some(({ids}) => ids[0] === '0/1'));
});

test('a batch that was in hand too long is given up: its slot stays taken, its outcome counts for nothing', async t => {
  const {dispatch, handed, stored, told, receive, has} = start({concurrency: 1}, {expireMs: 20});
  dispatch.assign([0], false);
  receive(0, 0);
  await has(1);
  await eventually(() => assert.equal(told.expired, 1), {intervalMs: 1});
  t.false(dispatch.hasSlot());
  const changed = dispatch.changed();
  handed[0]?.end(done);
  await changed;
  t.true(dispatch.hasSlot());
  t.deepEqual(stored, []);
});

test('stopping waits for what is in hand and takes nothing new', async t => {
  const {dispatch, handed, receive, has, committed} = start({concurrency: 1});
  dispatch.assign([0], false);
  receive(0, 0, 1);
  await has(1);
  const stopped = dispatch.stop();
  handed[0]?.end(done);
  await stopped;
  t.is(handed.length, 1);
  await committed('0: 1');
});

test('a log that was set back is read from where it begins now', async t => {
  const {dispatch, handed, receive, has, committed} = start();
  dispatch.assign([0], false);
  receive(0, 5);
  await has(1);
  receive(0, 0);
  await has(2);
  t.deepEqual(handed[1]?.ids, ['0/0']);
  handed[0]?.end(done);
  handed[1]?.end(done);
  await committed('0: 1');
});

test('what is no event is kept before its offset is passed', async t => {
  const kept = Promise.withResolvers<boolean>();
  const {dispatch, receive, committed} = start(
    {},
    {
      take: () => ({kind: 'bad', json: '{}', reason: 'it is none'}),
      storeBad: () => kept.promise,
    },
  );
  dispatch.assign([0], false);
  receive(0, 0);
  await committed();
  kept.resolve(true);
  await committed('0: 1');
  t.pass();
});
