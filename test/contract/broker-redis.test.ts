/** The Redis broker beyond the port's contract: deaths, lost answers, what is trimmed and what never is. */
import assert from 'node:assert/strict';
import test from 'ava';
import type {Broker, Message} from '../../events/brokers/broker.ts';
import type {Observation} from '../../events/brokers/redis/broker.ts';
import {eventually} from '../helpers/eventually.ts';
import type {ConsumerTells} from '../helpers/redis-consumer.ts';
import {
  drained,
  has,
  idsOf,
  longMs,
  noting,
  numbers,
  openWorld,
  patient,
  publications,
  startConsumer,
} from '../helpers/redis-world.ts';

test('redis: what a killed process had in hand comes first when it is back under its name', async t => {
  const {server, open} = await openWorld(t);
  const doomed = startConsumer(t, {url: server.url, how: 'hang', batchMax: 3});
  const broker = await open();
  await broker.publish(publications(1, 2, 3));
  await has(doomed.told, 3);
  await doomed.kill();
  await broker.publish(publications(4, 5));
  const seen: Message[] = [];
  broker.subscribe('a', noting(seen, {batchMax: 2}));
  await has(seen, 5);
  await drained(broker);
  t.deepEqual(idsOf(seen), ['1', '2', '3', '4', '5']);
  t.deepEqual(
    seen.map(({attempt}) => attempt),
    [2, 2, 2, 1, 1],
  );
});

test('redis: what a killed process had in hand is handled elsewhere, as the second attempt', async t => {
  const {server, open} = await openWorld(t);
  const other = await open({consumer: 'two', expireMs: 500});
  const doomed = startConsumer(t, {url: server.url, how: 'hang', expireMs: 500});
  await other.publish(publications(1));
  await has(doomed.told, 1);
  await doomed.kill();
  const seen: Message[] = [];
  other.subscribe('a', noting(seen));
  await drained(other);
  t.deepEqual(
    seen.map(({event, attempt}) => [event.id, attempt]),
    [['1', 2]],
  );
});

test('redis: three consumers share a thousand events, each once', async t => {
  const {open} = await openWorld(t);
  const brokers = await Promise.all(['one', 'two', 'three'].map(consumer => open({consumer})));
  const seen: Message[][] = brokers.map(() => []);
  const all = Promise.withResolvers<void>();
  for (const [index, broker] of brokers.entries()) {
    const mine = seen[index] as Message[];
    broker.subscribe('a', {
      batchMax: 10,
      concurrency: 2,
      async onBatch(messages) {
        mine.push(...messages);
        // The first wait for the last, which else might get none.
        if (seen.every(some => some.length > 0)) {
          all.resolve();
        }
        await all.promise;
        return messages.map(() => ({kind: 'done'}));
      },
    });
  }
  await (brokers[0] as Broker<undefined>).publish(publications(...numbers(1_000)));
  await drained(brokers[0] as Broker<undefined>);
  t.is(seen.flat().length, 1_000);
  t.is(new Set(idsOf(seen.flat())).size, 1_000);
});

test('redis: an event that kills each process that handles it ends as a dead letter', async t => {
  const {server, open} = await openWorld(t);
  const observer = await open({consumer: 'observer'});
  await observer.publish(publications('poison'));
  const told: ConsumerTells[] = [];
  for (let start = 1; start <= 3; start += 1) {
    const child = startConsumer(t, {url: server.url, how: 'crash', deadAt: 3});
    if (start < 3) {
      await child.ended;
    } else {
      await has(child.told, 1);
      await drained(observer);
      await child.kill();
    }
    told.push(...child.told);
  }
  t.deepEqual(told, [
    {kind: 'got', id: 'poison', attempt: 1},
    {kind: 'got', id: 'poison', attempt: 2},
    {kind: 'letter', id: 'poison', attempt: 3, reason: 'given up'},
  ]);
});

test('redis: trimming removes what all groups have handled, and nothing that one needs', async t => {
  const {open, client, errors} = await openWorld(t);
  const broker = await open({trimMs: 5, heldMax: 300});
  await broker.declare({
    subscriptions: [
      {name: 'quick', topic: 'a'},
      {name: 'slow', topic: 'a'},
    ],
    topics: ['nobody'],
  });
  await broker.publish(publications('first').map(one => ({...one, topic: 'nobody'})));
  const seen = {quick: new Set<string>(), slow: new Set<string>(), a: new Set<string>()};
  let slowMayHandle = 0;
  for (const name of ['quick', 'slow', 'a'] as const) {
    broker.subscribe(name, {
      batchMax: 50,
      concurrency: 2,
      onBatch: async messages =>
        messages.map(({event, attempt}) => {
          const waits = name === 'slow' && seen.slow.size >= slowMayHandle;
          // Some of each group comes out of order: what is pending lies behind what is done.
          if (waits || (attempt === 1 && Math.random() < 0.1)) {
            return {kind: 'retry', afterMs: 20};
          }
          seen[name].add(event.id);
          return {kind: 'done'};
        }),
    });
  }
  const total = 3_000;
  for (let count = 500; count <= total; count += 500) {
    await broker.publish(publications(...numbers(500, count - 500)));
    slowMayHandle = count / 2;
    await eventually(() => {
      assert.equal(seen.quick.size, count);
      assert.equal(seen.slow.size, count / 2);
    }, patient);
  }
  t.true((await client.xlen('sluice:a')) >= total / 2, 'what the slow one needs');
  await eventually(async () => assert.ok((await client.xlen('sluice:a')) < total), patient);
  slowMayHandle = total;
  await eventually(() => {
    assert.deepEqual(
      Object.values(seen).map(ids => ids.size),
      [total, total, total],
    );
  }, patient);
  // Redis removes whole nodes of a hundred entries.
  await eventually(async () => assert.ok((await client.xlen('sluice:a')) <= 200), patient);
  t.is(await client.xlen('sluice:nobody'), 1, 'a stream without a group is left alone');
  t.deepEqual(errors, [], 'nothing was deleted that was pending');
});

test('redis: an entry that was deleted while it was pending is told of and comes no more', async t => {
  const {server, open, client, errors} = await openWorld(t);
  const doomed = startConsumer(t, {url: server.url, how: 'hang', batchMax: 3});
  const broker = await open();
  await broker.publish(publications(1, 2, 3));
  await has(doomed.told, 3);
  await doomed.kill();
  const [first, , third] = await client.xrange('sluice:a', '-', '+');
  await client.xdel('sluice:a', first?.[0] ?? '', third?.[0] ?? '');
  const seen: Message[] = [];
  broker.subscribe('a', noting(seen));
  await drained(broker);
  t.deepEqual(idsOf(seen), ['2']);
  t.is(errors.filter(text => text.includes('was deleted before')).length, 2);
});

test('redis: no group is destroyed, and no consumer is, when a broker is closed', async t => {
  const {open, client} = await openWorld(t);
  const broker = await open();
  const seen: Message[] = [];
  broker.subscribe('a', noting(seen));
  await broker.publish(publications(1));
  await drained(broker);
  await broker.close();
  const groups = (await client.xinfo('GROUPS', 'sluice:a')) as unknown[][];
  t.is(groups.length, 1);
  t.true(groups[0]?.includes('sluice:a'));
});

test('redis: an entry that is no CloudEvent is a dead letter at once, with its fields', async t => {
  const {open, client, letters} = await openWorld(t);
  const broker = await open();
  await client.xadd('sluice:a', '*', 'what', Buffer.from([0xff, 0x00]));
  await broker.publish(publications(1));
  const seen: Message[] = [];
  broker.subscribe('a', noting(seen));
  await drained(broker);
  t.deepEqual(idsOf(seen), ['1']);
  t.is(letters.length, 1);
  t.like(letters[0], {topic: 'a', destination: 'sluice:a'});
  t.regex(letters[0]?.reason ?? '', /^no CloudEvent: /);
  t.deepEqual(JSON.parse(letters[0]?.message.json ?? ''), {fields: ['d2hhdA==', '/wA=']});
});

test('redis: an entry that is no CloudEvent stays until its dead letter is kept', async t => {
  const {open, client} = await openWorld(t);
  let tries = 0;
  const broker = await open({
    async keepDeadLetters() {
      tries += 1;
      if (tries === 1) {
        throw new Error('the database is away');
      }
    },
  });
  await client.xadd('sluice:a', '*', 'what', 'ever');
  broker.subscribe('a', noting([]));
  await has(
    {
      get length() {
        return tries;
      },
    } as unknown[],
    1,
  );
  await drained(broker);
  t.is(tries, 2);
});

test('redis: a stream that is full takes nothing more, and loses nothing', async t => {
  const {open, client} = await openWorld(t);
  const broker = await open({lengthMax: 10});
  await broker.publish(publications(...numbers(10)));
  await t.throwsAsync(broker.publish(publications(10)), {
    message: /10 entries/,
    name: 'SluiceError',
  });
  t.is(await client.xlen('sluice:a'), 10);
  await client.xtrim('sluice:a', 'MAXLEN', 5);
  await broker.publish(publications(11));
  t.is(await client.xlen('sluice:a'), 6);
});

test('redis: what Redis handed out by an answer that was lost comes again', async t => {
  const {open, client} = await openWorld(t);
  const broker = await open({expireMs: 300});
  const seen: Message[] = [];
  broker.subscribe('a', noting(seen));
  await broker.publish(publications(1));
  await drained(broker);
  await client
    .multi()
    .xadd('sluice:a', '*', 'ce_specversion', '1.0', 'ce_id', '2', 'ce_source', '/x', 'ce_type', 'y')
    .xreadgroup('GROUP', 'sluice:a', 'one', 'COUNT', 1, 'STREAMS', 'sluice:a', '>')
    .exec();
  await drained(broker);
  t.deepEqual(
    seen.map(({event, attempt}) => [event.id, attempt]),
    [
      ['1', 1],
      ['2', 2],
    ],
  );
});

test('redis: a handler that takes longer than entries stay unclaimed is believed all the same', async t => {
  const {open} = await openWorld(t);
  const slow = await open({expireMs: 2_000});
  const looks: Observation[] = [];
  const other = await open({
    consumer: 'two',
    expireMs: 2_000,
    trimMs: 50,
    observe: observation => looks.push(observation),
  });
  const released = Promise.withResolvers<void>();
  const seen: Message[] = [];
  const waiting = noting(seen, {
    async onBatch(messages) {
      seen.push(...messages);
      await released.promise;
      return messages.map(() => ({kind: 'done'}));
    },
  });
  slow.subscribe('a', waiting);
  await slow.publish(publications(1));
  await has(seen, 1);
  other.subscribe('a', noting(seen));
  // More than twice as long as entries stay unclaimed.
  await has(looks, 100);
  released.resolve();
  await drained(other);
  t.deepEqual(
    seen.map(({attempt}) => attempt),
    [1],
  );
  t.true(looks.some(({pending}) => pending === 1));
  t.true(looks.every(({subscription}) => subscription === 'a'));
});

test('redis: a handler is believed no longer than it was said', async t => {
  const {open} = await openWorld(t);
  const broker = await open({expireMs: 1_000, handlerMs: 2_000});
  const never = Promise.withResolvers<void>();
  t.teardown(() => never.resolve());
  const attempts: number[] = [];
  broker.subscribe('a', {
    batchMax: 1,
    concurrency: 2,
    async onBatch(messages) {
      attempts.push(...messages.map(({attempt}) => attempt));
      if (attempts.length === 1) {
        await never.promise;
      }
      return messages.map(() => ({kind: 'done'}));
    },
  });
  await broker.publish(publications(1));
  await drained(broker);
  t.deepEqual(attempts, [1, 2]);
  never.resolve();
});

test('redis: a try that did not count does not count after a restart either', async t => {
  const {open} = await openWorld(t);
  const first = await open();
  const seen: Message[] = [];
  first.subscribe('a', {
    ...noting(seen),
    async onBatch(messages) {
      seen.push(...messages);
      return messages.map(({event}) => ({
        kind: 'retry',
        afterMs: longMs,
        counted: event.id === 'counted',
      }));
    },
  });
  await first.publish(publications('counted', 'not counted'));
  await has(seen, 2);
  await first.close();
  const second = await open();
  const again: Message[] = [];
  second.subscribe('a', noting(again));
  await drained(second);
  t.deepEqual(
    again.map(({event, attempt}) => [event.id, attempt]),
    [
      ['counted', 2],
      ['not counted', 1],
    ],
  );
});

test('redis: nothing new is read while as much as may be waits for a retry', async t => {
  const {open} = await openWorld(t);
  const looks: Observation[] = [];
  const broker = await open({
    heldMax: 5,
    trimMs: 50,
    observe: observation => looks.push(observation),
  });
  const seen: Message[] = [];
  broker.subscribe('a', {
    batchMax: 1,
    concurrency: 1,
    async onBatch(messages) {
      seen.push(...messages);
      return messages.map(() => ({kind: 'retry', afterMs: longMs}));
    },
  });
  await broker.publish(publications(...numbers(20)));
  await has(seen, 5);
  const before = looks.length;
  await eventually(() => assert.ok(looks.length > before + 5), patient);
  t.is(seen.length, 5);
  t.like(looks.at(-1), {pending: 5, lag: 15});
});

test('redis: what waits is counted where Redis itself does not know', async t => {
  const {open, client} = await openWorld(t);
  const broker = await open();
  await broker.publish(publications(...numbers(10)));
  const entries = await client.xrange('sluice:a', '-', '+');
  await client.xdel('sluice:a', entries[4]?.[0] ?? '');
  t.is((await broker.pending()).get('a'), 9);
});

test('redis: streams and groups may have the names that others gave them', async t => {
  const {open, client} = await openWorld(t);
  const broker = await open({streamOf: name => name, groupOf: name => name});
  await broker.declare({
    subscriptions: [{name: 'group:zweistein', topic: 'stream:zweistein', from: 'start'}],
  });
  await client.xadd(
    'stream:zweistein',
    ...['*', 'ce_specversion', '1.0', 'ce_id', '1', 'ce_source', '/x', 'ce_type', 'y'],
    ...['content-type', 'application/json', 'data', '{"n":1.0}'],
  );
  const seen: Message[] = [];
  broker.subscribe('group:zweistein', noting(seen));
  await has(seen, 1);
  t.like(seen[0]?.event, {id: '1', type: 'y', data: {n: 1}});
  t.true(seen[0]?.json.includes('{"n":1.0}'), 'the data is as it was written');
});
