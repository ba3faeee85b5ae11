import assert from 'node:assert/strict';
import {stat} from 'node:fs/promises';
import test from 'ava';
import {SluiceError} from '../../events/errors.ts';
import type {Event} from '../../events/event.ts';
import {createGather} from '../../functions/gateway/log/gather.ts';
import {eventually} from '../helpers/eventually.ts';

const make = (id: number): Event => ({
  specversion: '1.0',
  id: String(id),
  source: '/s',
  type: 't',
});
const many = (count: number, from = 0) =>
  Array.from({length: count}, (_, index) => make(from + index));

/** A log that answers each append when it is told to. */
const createLog = () => {
  const appends: {ids: string[]; resolve: () => void; reject: (error: Error) => void}[] = [];
  return {
    appends,
    append: (events: readonly Event[]) =>
      new Promise<void>((resolve, reject) => {
        appends.push({ids: events.map(({id}) => id), resolve, reject});
      }),
    has: (count: number) => eventually(() => assert.equal(appends.length, count), {intervalMs: 1}),
  };
};

const start = (options: Partial<Parameters<typeof createGather>[0]> = {}) => {
  const log = createLog();
  const errors: Error[] = [];
  const gather = createGather({
    log,
    lingerMs: 1,
    retryMs: 1,
    persistent: false,
    onError: error => errors.push(error),
    ...options,
  });
  return {gather, log, errors};
};

test('what comes together goes in one append, in order, and is kept only when the log says so', async t => {
  const {gather, log} = start();
  let kept = 0;
  const all = many(5).map(event => gather.add(event).then(() => kept++));
  await log.has(1);
  t.deepEqual(log.appends[0]?.ids, ['0', '1', '2', '3', '4']);
  t.is(kept, 0);
  log.appends[0]?.resolve();
  await Promise.all(all);
  t.is(kept, 5);
});

test('one append at a time: what comes while it runs makes the next', async t => {
  const {gather, log} = start();
  const first = gather.add(make(0));
  await log.has(1);
  const later = many(3, 1).map(event => gather.add(event));
  t.is(gather.waiting(), 3);
  t.is(gather.unacknowledged(), 4, 'what is on its way may still be lost');
  // One that lingers as long has sent by now: only the running append can be what keeps this one back.
  const other = start();
  other.gather.add(make(9)).catch(() => {});
  await other.log.has(1);
  t.is(log.appends.length, 1);
  log.appends[0]?.resolve();
  await first;
  await log.has(2);
  t.deepEqual(log.appends[1]?.ids, ['1', '2', '3']);
  log.appends[1]?.resolve();
  await Promise.all(later);
  await eventually(() => assert.equal(gather.unacknowledged(), 0), {intervalMs: 1});
});

test('an append has at most 500 events', async t => {
  const {gather, log} = start();
  const all = many(1_100).map(event => gather.add(event));
  for (const [index, size] of [500, 500, 100].entries()) {
    await log.has(index + 1);
    t.is(log.appends[index]?.ids.length, size);
    log.appends[index]?.resolve();
  }
  await Promise.all(all);
  t.deepEqual(
    log.appends.flatMap(({ids}) => ids),
    many(1_100).map(({id}) => id),
  );
});

test('an intent that the log refuses is given up, all of its append, and the next is tried afresh', async t => {
  const {gather, log, errors} = start();
  const all = Promise.allSettled(many(2).map(event => gather.add(event)));
  await log.has(1);
  log.appends[0]?.reject(new Error('away'));
  t.deepEqual(
    (await all).map(({status}) => status),
    ['rejected', 'rejected'],
  );
  t.deepEqual(
    errors.map(({message}) => message),
    ['away'],
  );
  const next = gather.add(make(2));
  await log.has(2);
  t.deepEqual(log.appends[1]?.ids, ['2']);
  log.appends[1]?.resolve();
  await next;
});

test('a result that the log refuses is sent again until it is taken, before any later one', async t => {
  const {gather, log, errors} = start({persistent: true});
  const first = gather.add(make(0));
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    await log.has(attempt);
    log.appends[attempt - 1]?.reject(new Error('away'));
  }
  const second = gather.add(make(1));
  await log.has(4);
  t.deepEqual(
    log.appends.map(({ids}) => ids),
    [['0'], ['0'], ['0'], ['0']],
  );
  log.appends[3]?.resolve();
  await first;
  await log.has(5);
  t.deepEqual(log.appends[4]?.ids, ['1']);
  log.appends[4]?.resolve();
  await second;
  t.is(errors.length, 3);
});

test('an append that is not answered in time counts as refused', async t => {
  const {gather, errors} = start({appendMs: 10});
  await t.throwsAsync(gather.add(make(0)), {message: /within 10 ms/});
  t.is(errors.length, 1);
});

test('an answer that came in time is no refusal because this process was too busy to read it', async t => {
  const {gather} = start({
    appendMs: 30,
    log: {
      async append() {
        await new Promise(resolve => setImmediate(resolve));
        const answer = stat('.');
        // Long enough for the thread that reads it to have its turn on any machine.
        const end = performance.now() + 400;
        while (performance.now() < end) {
          // Busy: no timer fires, nothing is read.
        }
        await answer;
      },
    },
  });
  await t.notThrowsAsync(gather.add(make(0)));
});

test('a result whose append is not answered in time is sent again', async t => {
  const appends: string[][] = [];
  const {gather} = start({
    appendMs: 10,
    persistent: true,
    log: {
      append: events => {
        appends.push(events.map(({id}) => id));
        return appends.length < 3 ? new Promise(() => {}) : Promise.resolve();
      },
    },
  });
  await gather.add(make(0));
  t.deepEqual(appends, [['0'], ['0'], ['0']]);
});

test('a log that throws at once is a log that refuses', async t => {
  const {gather} = start({
    log: {
      append: () => {
        throw new Error('closed');
      },
    },
  });
  await t.throwsAsync(gather.add(make(0)), {message: 'closed'});
});

test('no more wait than are allowed: the next is told to come again', async t => {
  const {gather, log} = start({waitingMax: 2});
  const running = gather.add(make(0));
  await log.has(1);
  const waiting = many(2, 1).map(event => gather.add(event));
  const error = await t.throwsAsync(gather.add(make(3)), {instanceOf: SluiceError});
  t.is(error?.status, 503);
  t.is(error?.retryAfterSeconds, 1);
  log.appends[0]?.resolve();
  await running;
  await log.has(2);
  log.appends[1]?.resolve();
  await Promise.all(waiting);
});

test('a flush ends when nothing waits and nothing runs', async t => {
  const {gather, log} = start();
  t.true(await gather.flush(0));
  const all = many(2).map(event => gather.add(event));
  let isFlushed = false;
  const flushed = gather.flush(10_000).then(done => {
    isFlushed = true;
    return done;
  });
  await log.has(1);
  t.false(isFlushed);
  log.appends[0]?.resolve();
  t.true(await flushed);
  await Promise.all(all);
});

test('a flush that takes too long says that something is left', async t => {
  const {gather, log} = start({persistent: true});
  const kept = gather.add(make(0));
  t.false(await gather.flush(20));
  await log.has(1);
  log.appends[0]?.resolve();
  await kept;
  t.true(await gather.flush(10_000));
});

test('an event lingers as long as it may, and takes along what need not go yet', async t => {
  const {gather, log} = start();
  const patient = gather.add(make(0), 60_000);
  // One that lingers a millisecond has gone by then.
  const other = start();
  other.gather.add(make(9)).catch(() => {});
  await other.log.has(1);
  t.is(log.appends.length, 0);
  const hasty = gather.add(make(1));
  await log.has(1);
  t.deepEqual(log.appends[0]?.ids, ['0', '1']);
  log.appends[0]?.resolve();
  await Promise.all([patient, hasty]);
});

test('what lingers goes when it is hurried', async t => {
  const {gather, log} = start();
  gather.hurry();
  const patient = gather.add(make(0), 60_000);
  gather.hurry();
  await log.has(1);
  const next = gather.add(make(1), 60_000);
  gather.hurry();
  log.appends[0]?.resolve();
  await patient;
  await log.has(2);
  log.appends[1]?.resolve();
  await next;
  t.is(log.appends.length, 2);
});
