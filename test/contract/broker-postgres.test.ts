/** The PostgreSQL broker beyond the port's contract: what a death or a lost answer leaves behind in its tables. */
import test from 'ava';
import type pg from 'pg';
import {type Broker, publicationOf} from '../../events/brokers/broker.ts';
import {createPostgresBroker, installPostgresBroker} from '../../events/brokers/postgres/broker.ts';
import type {Queryable} from '../../events/database.ts';
import {createBrokerPool} from '../helpers/brokers.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';

const event = {specversion: '1.0' as const, id: '1', source: '/test', type: 'test.done', data: {}};

const has = (seen: readonly unknown[], count: number) =>
  eventually(() => {
    if (seen.length < count) {
      throw new Error(`expected ${count}, got ${seen.length}`);
    }
  });

const drained = (broker: Broker) =>
  eventually(async () => {
    const left = (await broker.pending()).get('a');
    if (left !== 0) {
      throw new Error(`${left} events are left`);
    }
  });

const declared = {subscriptions: [{name: 'a', topic: 'a'}]};

test('postgres: what a killed process had in hand is handed out as soon as the next one starts', async t => {
  const database = await createTestDatabase(t);
  await installPostgresBroker({databaseUrl: database.url('owner')});
  const options = {keepDeadLetters: async () => {}, pollMs: 50, expireMs: 3_600_000};
  const doomedPool = createBrokerPool(database);
  const doomed = await createPostgresBroker({pool: doomedPool, ...options});
  await doomed.declare(declared);
  const got = Promise.withResolvers<void>();
  const never = Promise.withResolvers<void>();
  doomed.subscribe('a', {
    batchMax: 1,
    concurrency: 1,
    async onBatch() {
      got.resolve();
      await never.promise;
      return [];
    },
  });
  t.teardown(async () => {
    never.resolve();
    await doomed.close();
    await doomedPool.end();
  });
  await doomed.publish([publicationOf('a', event)]);
  await got.promise;
  // As a kill -9 leaves it: its connections are gone and it makes no other.
  const refuse = (callback?: (error: Error) => void) => {
    const error = new Error('killed');
    return callback ? callback(error) : Promise.reject(error);
  };
  doomedPool.connect = refuse as unknown as pg.Pool['connect'];
  const client: Queryable = database.pool('superuser');
  await client.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and usename = $2',
    [database.name, 'sluice_system'],
  );

  const nextPool = createBrokerPool(database);
  const next = await createPostgresBroker({pool: nextPool, ...options});
  t.teardown(async () => {
    await next.close();
    await nextPool.end();
  });
  await next.declare(declared);
  const attempts: number[] = [];
  next.subscribe('a', {
    batchMax: 1,
    concurrency: 1,
    async onBatch(messages) {
      attempts.push(...messages.map(message => message.attempt));
      return messages.map(() => ({kind: 'done'}));
    },
  });
  await has(attempts, 1);
  await drained(next);
  t.deepEqual(attempts, [2]);
});

test('postgres: what a fetch took whose answer was lost is handed out again', async t => {
  const database = await createTestDatabase(t);
  await installPostgresBroker({databaseUrl: database.url('owner')});
  const pool = createBrokerPool(database);
  const broker = await createPostgresBroker({
    pool,
    keepDeadLetters: async () => {},
    pollMs: 50,
    sweepMs: 50,
    lostMs: 200,
  });
  t.teardown(async () => {
    await broker.close();
    await pool.end();
  });
  await broker.declare(declared);
  await broker.publish([publicationOf('a', event)]);
  // As a fetch leaves it whose connection breaks between the commit and the answer.
  const client: Queryable = database.pool('superuser');
  await client.query("update pgboss.job set state = 'active', started_on = now() where name = 'a'");
  const attempts: number[] = [];
  broker.subscribe('a', {
    batchMax: 1,
    concurrency: 1,
    async onBatch(messages) {
      attempts.push(...messages.map(message => message.attempt));
      // Longer than what is in nobody's hand would stay.
      await new Promise(resolve => setTimeout(resolve, 600));
      return messages.map(() => ({kind: 'done'}));
    },
  });
  await has(attempts, 1);
  await drained(broker);
  t.deepEqual(attempts, [2]);
});
