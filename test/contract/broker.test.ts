/**
The broker port's contract: one suite, every adapter. An adapter says how to open a broker on a test's own store, how a
transaction looks, and which dead letters were kept.
*/
import test, {type ExecutionContext} from 'ava';
import pg from 'pg';
import {
  type Broker,
  type Consumer,
  type DeadLetter,
  type Delivery,
  deliveryOf,
  failureRetryMs,
  type Message,
} from '../../events/brokers/broker.ts';
import {
  createMemoryBroker,
  createMemoryStore,
  memoryTransaction,
} from '../../events/brokers/memory.ts';
import {createPostgresBroker, installPostgresBroker} from '../../events/brokers/postgres.ts';
import {type Queryable, transactionOn} from '../../events/database.ts';
import {createTestDatabase, type TestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';

const createPool = (database: TestDatabase) => {
  const pool = new pg.Pool({connectionString: database.url('system'), max: 6});
  // A connection that is cut, by the test or by the drop of its database, is no failure.
  return pool.on('error', () => {});
};

type Harness = {
  /** Another process on the same store. */
  open(options?: {expireMs?: number}): Promise<Broker<unknown>>;
  transaction(work: (client: unknown) => Promise<void>): Promise<void>;
  letters: DeadLetter[];
};

const adapters: Record<string, (t: ExecutionContext) => Promise<Harness>> = {
  async memory(t) {
    const store = createMemoryStore();
    const letters: DeadLetter[] = [];
    return {
      letters,
      transaction: memoryTransaction as Harness['transaction'],
      async open({expireMs = 60_000} = {}) {
        const broker = createMemoryBroker({
          store,
          expireMs,
          pollMs: 50,
          keepDeadLetters: async some => void letters.push(...some),
        });
        t.teardown(() => broker.close());
        return broker as Broker<unknown>;
      },
    };
  },
  async postgres(t) {
    const database = await createTestDatabase(t);
    await installPostgresBroker({databaseUrl: database.url('owner')});
    const letters: DeadLetter[] = [];
    return {
      letters,
      transaction: transactionOn(database.pool('system')) as Harness['transaction'],
      async open({expireMs = 60_000} = {}) {
        const pool = createPool(database);
        const broker = await createPostgresBroker({
          pool,
          expireMs,
          pollMs: 50,
          sweepMs: 50,
          keepDeadLetters: async (some, client) => {
            t.truthy(client, 'dead letters are kept in the transaction that settles them');
            letters.push(...some);
          },
        });
        t.teardown(async () => {
          await broker.close();
          await pool.end();
        });
        return broker as Broker<unknown>;
      },
    };
  },
};

const org = '01890000-0000-7000-8000-000000000001';
const otherOrg = '01890000-0000-7000-8000-000000000002';

const event = (id: string, orgid = org) => ({
  specversion: '1.0' as const,
  id,
  source: '/test',
  type: 'test.done',
  orgid,
  data: {n: id},
});
const deliveries = (subscription: string, ...ids: string[]): Delivery[] =>
  ids.map(id => deliveryOf(subscription, event(id)));

/** A consumer that notes what it got, and says done. */
const noting = (seen: string[], options: Partial<Consumer> = {}): Consumer => ({
  batchMax: 10,
  concurrency: 1,
  async onBatch(messages) {
    seen.push(...messages.map(message => message.event.id));
    return messages.map(() => ({kind: 'done'}));
  },
  ...options,
});

const drained = (t: ExecutionContext, broker: Broker<unknown>) =>
  eventually(async () => {
    const left = [...(await broker.pending()).values()].reduce((sum, count) => sum + count, 0);
    if (left !== 0) {
      throw new Error(`${left} events are left`);
    }
    t.pass();
  });

const has = (seen: readonly unknown[], count: number) =>
  eventually(() => {
    if (seen.length < count) {
      throw new Error(`expected ${count}, got ${seen.length}`);
    }
  });

for (const [adapter, create] of Object.entries(adapters)) {
  const contract = (
    title: string,
    check: (t: ExecutionContext, harness: Harness) => Promise<void>,
  ) => test(`${adapter}: ${title}`, async t => check(t, await create(t)));

  contract('two subscriptions each get every event, as it was published', async (t, harness) => {
    const broker = await harness.open();
    await broker.declare(['a', 'b']);
    const seen: Record<string, Message[]> = {a: [], b: []};
    for (const name of ['a', 'b']) {
      broker.subscribe(name, {
        batchMax: 10,
        concurrency: 1,
        async onBatch(messages) {
          seen[name]?.push(...messages);
          return messages.map(() => ({kind: 'done'}));
        },
      });
    }
    const odd = {...event('odd'), data: {text: 'nul \0, half \ud800, €', big: 2 ** 53, none: null}};
    await broker.publish([
      ...deliveries('a', '1'),
      ...deliveries('b', '1'),
      deliveryOf('a', odd),
      deliveryOf('b', odd),
    ]);
    await drained(t, broker);
    for (const messages of Object.values(seen)) {
      t.deepEqual(
        messages.map(message => message.event),
        [event('1'), odd],
      );
      t.deepEqual(
        messages.map(message => message.attempt),
        [1, 1],
      );
    }
  });

  contract('consumers of one subscription share its events', async (t, harness) => {
    const [one, two] = [await harness.open(), await harness.open()];
    await one.declare(['a']);
    await two.declare(['a']);
    const seen: string[][] = [[], []];
    const both = Promise.withResolvers<void>();
    for (const [index, broker] of [one, two].entries()) {
      broker.subscribe('a', {
        batchMax: 1,
        concurrency: 1,
        async onBatch(messages) {
          seen[index]?.push(...messages.map(message => message.id));
          // The first to get one waits for the other: else the faster could take them all.
          if (seen.every(ids => ids.length > 0)) {
            both.resolve();
          }
          await both.promise;
          return messages.map(() => ({kind: 'done'}));
        },
      });
    }
    await one.publish(deliveries('a', ...Array.from({length: 20}, (_, index) => String(index))));
    await drained(t, one);
    t.is(new Set(seen.flat()).size, 20);
    t.is(seen.flat().length, 20);
  });

  contract('an event comes again after its delay, with a higher attempt', async (t, harness) => {
    const broker = await harness.open();
    await broker.declare(['a']);
    const attempts: number[] = [];
    const times: number[] = [];
    broker.subscribe('a', {
      batchMax: 10,
      concurrency: 1,
      async onBatch([message]) {
        attempts.push(message?.attempt ?? 0);
        times.push(performance.now());
        return [attempts.length < 4 ? {kind: 'retry', afterMs: 100} : {kind: 'done'}];
      },
    });
    await broker.publish(deliveries('a', '1'));
    await drained(t, broker);
    t.deepEqual(attempts, [1, 2, 3, 4]);
    t.true((times[3] ?? 0) - (times[0] ?? 0) >= 3 * 95, 'three delays of 100 ms');
  });

  contract('a try that does not count leaves the attempt as it was', async (t, harness) => {
    const broker = await harness.open();
    await broker.declare(['a']);
    const attempts: number[] = [];
    broker.subscribe('a', {
      batchMax: 10,
      concurrency: 1,
      async onBatch([message]) {
        attempts.push(message?.attempt ?? 0);
        const tries = attempts.length;
        return [tries === 6 ? {kind: 'done'} : {kind: 'retry', afterMs: 5, counted: tries === 3}];
      },
    });
    await broker.publish(deliveries('a', '1'));
    await drained(t, broker);
    t.deepEqual(attempts, [1, 1, 1, 2, 2, 2]);
  });

  contract('a batch whose handler throws comes again', async (t, harness) => {
    const broker = await harness.open();
    await broker.declare(['a']);
    const attempts: number[] = [];
    broker.subscribe('a', {
      batchMax: 10,
      concurrency: 1,
      async onBatch(messages) {
        attempts.push(...messages.map(message => message.attempt));
        if (attempts.length === 1) {
          throw new Error('a fault');
        }
        return messages.map(() => ({kind: 'done'}));
      },
    });
    const started = performance.now();
    await broker.publish(deliveries('a', '1'));
    await drained(t, broker);
    t.deepEqual(attempts, [1, 2]);
    t.true(performance.now() - started >= failureRetryMs * 0.9);
  });

  contract(
    'what a consumer had in hand when it hung comes again, the attempt counted',
    async (t, harness) => {
      const hung = await harness.open();
      await hung.declare(['a']);
      const got = Promise.withResolvers<void>();
      const never = Promise.withResolvers<void>();
      t.teardown(() => never.resolve());
      const other = await harness.open({expireMs: 1_000});
      await other.declare(['a']);
      hung.subscribe('a', {
        batchMax: 1,
        concurrency: 1,
        async onBatch(messages) {
          got.resolve();
          await never.promise;
          return messages.map(() => ({kind: 'done'}));
        },
      });
      await other.publish(deliveries('a', '1'));
      await got.promise;
      const attempts: number[] = [];
      other.subscribe('a', {
        batchMax: 1,
        concurrency: 1,
        async onBatch(messages) {
          attempts.push(...messages.map(message => message.attempt));
          return messages.map(() => ({kind: 'done'}));
        },
      });
      await drained(t, other);
      t.deepEqual(attempts, [2]);
      never.resolve();
    },
  );

  contract(
    'a poisoned event is kept as a dead letter and holds up no other',
    async (t, harness) => {
      const broker = await harness.open();
      await broker.declare(['a']);
      const seen: string[] = [];
      broker.subscribe('a', {
        batchMax: 10,
        concurrency: 1,
        async onBatch(messages) {
          return messages.map(message => {
            if (message.event.id !== 'poison') {
              seen.push(message.event.id);
              return {kind: 'done'};
            }
            return message.attempt < 3
              ? {kind: 'retry', afterMs: 5}
              : {kind: 'dead', reason: 'the answer was 422', status: 422, destination: 'x/'};
          });
        },
      });
      await broker.publish(deliveries('a', '1', 'poison', '2'));
      await drained(t, broker);
      t.deepEqual(seen.sort(), ['1', '2']);
      t.like(harness.letters, {
        length: 1,
        0: {reason: 'the answer was 422', status: 422, destination: 'x/'},
      });
      t.like(harness.letters[0]?.message, {attempt: 3, subscription: 'a', event: event('poison')});
    },
  );

  contract('no more is in flight than was asked for', async (t, harness) => {
    const broker = await harness.open();
    await broker.declare(['a']);
    let [batches, most, largest, seen] = [0, 0, 0, 0];
    broker.subscribe('a', {
      batchMax: 4,
      concurrency: 3,
      async onBatch(messages) {
        batches += 1;
        most = Math.max(most, batches);
        largest = Math.max(largest, messages.length);
        await new Promise(resolve => setTimeout(resolve, 10));
        seen += messages.length;
        batches -= 1;
        return messages.map(() => ({kind: 'done'}));
      },
    });
    await broker.publish(
      deliveries('a', ...Array.from({length: 100}, (_, index) => String(index))),
    );
    await drained(t, broker);
    t.is(seen, 100);
    t.is(most, 3);
    t.is(largest, 4);
  });

  contract('a slow subscription holds up no other', async (t, harness) => {
    const broker = await harness.open();
    await broker.declare(['slow', 'quick']);
    const released = Promise.withResolvers<void>();
    t.teardown(() => released.resolve());
    broker.subscribe('slow', {
      batchMax: 1,
      concurrency: 1,
      async onBatch(messages) {
        await released.promise;
        return messages.map(() => ({kind: 'done'}));
      },
    });
    const seen: string[] = [];
    broker.subscribe('quick', noting(seen));
    await broker.publish([...deliveries('slow', '1', '2'), ...deliveries('quick', '1', '2', '3')]);
    await has(seen, 3);
    t.is((await broker.pending()).get('slow'), 2);
    released.resolve();
    await drained(t, broker);
  });

  contract(
    'what a transaction published is delivered at its commit and never after its rollback',
    async (t, harness) => {
      const broker = await harness.open();
      await broker.declare(['a']);
      const seen: string[] = [];
      broker.subscribe('a', noting(seen));
      await t.throwsAsync(
        harness.transaction(async client => {
          await broker.publish(deliveries('a', 'rolled back'), client);
          throw new Error('no');
        }),
        {message: 'no'},
      );
      await harness.transaction(async client => {
        await broker.publish(deliveries('a', 'committed'), client);
        t.deepEqual(seen, []);
      });
      await drained(t, broker);
      t.deepEqual(seen, ['committed']);
    },
  );

  contract('a reply is published with the outcome', async (t, harness) => {
    const broker = await harness.open();
    await broker.declare(['a', 'b']);
    broker.subscribe('a', {
      batchMax: 10,
      concurrency: 1,
      onBatch: async messages =>
        messages.map(() => ({kind: 'done', publish: deliveries('b', 'reply')})),
    });
    const seen: string[] = [];
    broker.subscribe('b', noting(seen));
    await broker.publish(deliveries('a', '1'));
    await has(seen, 1);
    await drained(t, broker);
    t.deepEqual(seen, ['reply']);
  });

  contract(
    'a barrier waits for the older events of its organisation, and for no other',
    async (t, harness) => {
      const broker = await harness.open();
      await broker.declare(['a']);
      const released = Promise.withResolvers<void>();
      t.teardown(() => released.resolve());
      const seen: string[] = [];
      const attempts: number[] = [];
      broker.subscribe('a', {
        batchMax: 1,
        concurrency: 10,
        async onBatch([message]) {
          const id = message?.event.id ?? '';
          if (id === 'slow') {
            await released.promise;
          }
          if (id === 'failing' && message?.attempt === 1) {
            return [{kind: 'retry', afterMs: 300}];
          }
          seen.push(id);
          attempts.push(message?.attempt ?? 0);
          return [{kind: 'done'}];
        },
      });
      await broker.publish(deliveries('a', 'slow', 'failing'));
      await broker.publish([
        deliveryOf('a', event('barrier'), true),
        deliveryOf('a', event('second barrier'), true),
        deliveryOf('a', event('other barrier', otherOrg), true),
        deliveryOf('a', event('younger')),
      ]);
      await has(seen, 3);
      t.deepEqual([...seen].sort(), ['failing', 'other barrier', 'younger']);
      released.resolve();
      await drained(t, broker);
      t.deepEqual(seen.slice(3), ['slow', 'barrier', 'second barrier']);
      t.deepEqual(attempts.slice(3), [1, 1, 1], 'waiting is no attempt');
    },
  );

  contract('closing finishes what is in flight and takes nothing new', async (t, harness) => {
    const [broker, observer] = [await harness.open(), await harness.open()];
    await broker.declare(['a']);
    await observer.declare(['a']);
    const began = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const seen: string[] = [];
    broker.subscribe('a', {
      batchMax: 1,
      concurrency: 1,
      async onBatch(messages) {
        began.resolve();
        await released.promise;
        seen.push(...messages.map(message => message.event.id));
        return messages.map(() => ({kind: 'done'}));
      },
    });
    await observer.publish(deliveries('a', '1', '2'));
    await began.promise;
    const closing = broker.close();
    released.resolve();
    await closing;
    t.is(seen.length, 1);
    t.is((await observer.pending()).get('a'), 1);
  });

  contract('publishing to a subscription that nobody declared is an error', async (t, harness) => {
    const broker = await harness.open();
    await broker.declare(['a']);
    await t.throwsAsync(broker.publish(deliveries('nobody', '1')));
  });
}

test('postgres: what a killed process had in hand is handed out as soon as the next one starts', async t => {
  const database = await createTestDatabase(t);
  await installPostgresBroker({databaseUrl: database.url('owner')});
  const options = {keepDeadLetters: async () => {}, pollMs: 50, expireMs: 3_600_000};
  const doomedPool = createPool(database);
  const doomed = await createPostgresBroker({pool: doomedPool, ...options});
  await doomed.declare(['a']);
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
  await doomed.publish(deliveries('a', '1'));
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

  const nextPool = createPool(database);
  const next = await createPostgresBroker({pool: nextPool, ...options});
  t.teardown(async () => {
    await next.close();
    await nextPool.end();
  });
  await next.declare(['a']);
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
  await drained(t, next as Broker<unknown>);
  t.deepEqual(attempts, [2]);
});

test('postgres: what a fetch took whose answer was lost is handed out again', async t => {
  const database = await createTestDatabase(t);
  await installPostgresBroker({databaseUrl: database.url('owner')});
  const pool = createPool(database);
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
  await broker.declare(['a']);
  await broker.publish(deliveries('a', '1'));
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
  await drained(t, broker as Broker<unknown>);
  t.deepEqual(attempts, [2]);
});
