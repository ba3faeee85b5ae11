/** The Redis broker while Redis is killed, says nothing, is not there yet, or comes back empty. */
import assert from 'node:assert/strict';
import test from 'ava';
import type {Message} from '../../events/brokers/broker.ts';
import {createRedisBroker} from '../../events/brokers/redis/broker.ts';
import {redisAt} from '../../events/redis.ts';
import {eventually} from '../helpers/eventually.ts';
import {
  declared,
  drained,
  has,
  idsOf,
  noting,
  openWorld,
  patient,
  publications,
} from '../helpers/redis-world.ts';

test('redis: nothing that was published is lost when Redis is killed twice', async t => {
  const {server, open, client} = await openWorld(t);
  const [publisher, consumer] = [await open({consumer: 'publisher'}), await open()];
  await client.config('SET', 'appendfsync', 'always');
  const seen: Message[] = [];
  consumer.subscribe('a', noting(seen, {batchMax: 5, concurrency: 3}));
  const published: string[] = [];
  let refused = 0;
  let done = false;
  const publishing = (async () => {
    for (let next = 0; !done; next += 1) {
      try {
        await publisher.publish(publications(next));
        published.push(String(next));
      } catch {
        refused += 1;
      }
    }
  })();
  for (const count of [200, 600]) {
    await has(published, count);
    await has(seen, count / 2);
    await server.kill();
    const before = refused;
    await eventually(() => assert.ok(refused > before), patient);
    await server.start();
  }
  await has(published, 1_000);
  done = true;
  await publishing;
  await drained(consumer);
  const handled = new Set(idsOf(seen));
  t.deepEqual(
    published.filter(id => !handled.has(id)),
    [],
  );
  t.true(refused > 0);
});

test('redis: a publisher is refused and a consumer waits while Redis says nothing, and both go on after it', async t => {
  const {server, open, errors} = await openWorld(t);
  const broker = await open({
    redis: redisAt(server.url, {replyMs: 2_000, reconnectMaxMs: 100}),
    publishMs: 3_000,
  });
  const seen: Message[] = [];
  broker.subscribe('a', noting(seen));
  await broker.publish(publications(1));
  await has(seen, 1);
  process.kill(server.pid(), 'SIGSTOP');
  await t.throwsAsync(broker.publish(publications(2)));
  await t.throwsAsync(broker.pending());
  process.kill(server.pid(), 'SIGCONT');
  await eventually(() => broker.publish(publications(3)), patient);
  await eventually(() => assert.ok(idsOf(seen).includes('3')), patient);
  t.true(errors.length > 0);
});

test('redis: a broker can be closed while Redis is away, with an outcome that it cannot store', async t => {
  const {server, open} = await openWorld(t);
  const broker = await open({publishMs: 3_000});
  const [began, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  broker.subscribe('a', {
    batchMax: 1,
    concurrency: 1,
    async onBatch() {
      began.resolve();
      await released.promise;
      return [{kind: 'done'}];
    },
  });
  await broker.publish(publications(1));
  await began.promise;
  await server.kill();
  const closing = broker.close();
  released.resolve();
  await closing;

  await server.start();
  const next = await open();
  const seen: Message[] = [];
  next.subscribe('a', noting(seen));
  await drained(next);
  t.deepEqual(
    seen.map(({event, attempt}) => [event.id, attempt]),
    [['1', 2]],
    'what was not stored comes again',
  );
});

test('redis: a broker that starts before Redis consumes when it is there', async t => {
  const {server, open, errors} = await openWorld(t);
  const broker = await open();
  await broker.publish(publications(1));
  await server.kill();
  const early = await createRedisBroker({
    redis: redisAt(server.url, {reconnectMaxMs: 100}),
    consumer: 'early',
    keepDeadLetters: async () => {},
    publishMs: 2_000,
    pollMs: 50,
    onError: error => errors.push(error.message),
  });
  t.teardown(() => early.close());
  await t.throwsAsync(early.declare(declared), {message: /Redis/});
  await server.start();
  await eventually(() => early.declare(declared), patient);
  const seen: Message[] = [];
  early.subscribe('a', noting(seen));
  await drained(early);
  t.deepEqual(idsOf(seen), ['1']);
});

test('redis: a group that Redis has lost is made again, and nothing that is in the stream is missed', async t => {
  const {open, client, errors} = await openWorld(t);
  const broker = await open();
  const seen: Message[] = [];
  broker.subscribe('a', noting(seen));
  await broker.publish(publications(1));
  await has(seen, 1);
  await client.flushall();
  await broker.publish(publications(2, 3));
  await has(seen, 3);
  await drained(broker);
  t.deepEqual(idsOf(seen), ['1', '2', '3']);
  t.true(errors.some(text => text.includes('has lost the group')));
});
