/**
The broker port's contract: one suite, every adapter. What only some stores can do is asked of those that declare it.
*/
import test, {type ExecutionContext} from 'ava';
import {
  type Broker,
  type Consumer,
  failureRetryMs,
  type Message,
  type Publication,
  publicationOf,
} from '../../events/brokers/broker.ts';
import {type BrokerHarness, brokerHarnesses} from '../helpers/brokers.ts';
import {eventually as eventuallyWithin} from '../helpers/eventually.ts';

/** Two processes join, leave and are waited for: on a machine that is busy that takes its time. */
const eventually = <Value>(
  assertion: () => Value | Promise<Value>,
  options: {timeoutMs?: number; intervalMs?: number} = {},
) => eventuallyWithin(assertion, {timeoutMs: 45_000, ...options});

const org = '01890000-0000-7000-8000-000000000001';
const otherOrg = '01890000-0000-7000-8000-000000000002';

const event = (id: string, orgid = org) => ({
  specversion: '1.0' as const,
  id,
  source: '/test',
  type: 'test.done',
  // Binary mode names the type of its data in any case.
  datacontenttype: 'application/json',
  orgid,
  data: {n: id},
});
const publications = (topic: string, ...ids: string[]): Publication[] =>
  ids.map(id => publicationOf(topic, event(id)));

/** Each with a key of its own: what shares one goes to one consumer where order is kept. */
const spread = (topic: string, ...ids: string[]): Publication[] =>
  ids.map(key => ({...publicationOf(topic, event(key)), key}));

/** A subscription and its topic by one name. */
const declare = (broker: Broker<unknown>, ...names: string[]) =>
  broker.declare({subscriptions: names.map(name => ({name, topic: name}))});

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

/** Order per key is all that a barrier needs: an ordered consumer gets it behind what is older. */
const barrierByOrder = async (t: ExecutionContext, broker: Broker<unknown>) => {
  await declare(broker, 'a');
  const seen: string[] = [];
  broker.subscribe('a', {
    batchMax: 1,
    concurrency: 10,
    ordered: true,
    async onBatch([message]) {
      if (message?.event.id === 'failing' && message.attempt === 1) {
        return [{kind: 'retry', afterMs: 100}];
      }
      seen.push(message?.event.id ?? '');
      return [{kind: 'done'}];
    },
  });
  await broker.publish(publications('a', 'older', 'failing'));
  await broker.publish([publicationOf('a', event('barrier'), true)]);
  await drained(t, broker);
  t.deepEqual(seen, ['older', 'failing', 'barrier']);
};

for (const [adapter, create] of Object.entries(brokerHarnesses)) {
  const contract = (
    title: string,
    check: (t: ExecutionContext, harness: BrokerHarness) => Promise<void>,
  ) => test(`${adapter}: ${title}`, async t => check(t, await create(t)));

  contract('two subscriptions each get every event, as it was published', async (t, harness) => {
    const broker = await harness.open();
    await declare(broker, 'a', 'b');
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
      ...publications('a', '1'),
      ...publications('b', '1'),
      publicationOf('a', odd),
      publicationOf('b', odd),
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
    await declare(one, 'a');
    await declare(two, 'a');
    const seen: string[][] = [[], []];
    const both = Promise.withResolvers<void>();
    for (const [index, broker] of [one, two].entries()) {
      broker.subscribe('a', {
        batchMax: 1,
        concurrency: 1,
        async onBatch(messages) {
          seen[index]?.push(...messages.map(message => message.event.id));
          // The first to get one waits for the other: else the faster could take them all.
          if (seen.every(ids => ids.length > 0)) {
            both.resolve();
          }
          await both.promise;
          return messages.map(() => ({kind: 'done'}));
        },
      });
    }
    // While consumers join a group what is in hand may change hands: what is counted comes after.
    const early = new Set<string>();
    await eventually(
      async () => {
        await one.publish(spread('a', `early ${early.size}`));
        early.add(`early ${early.size}`);
        if (seen.some(ids => ids.length === 0)) {
          throw new Error('not both have got one');
        }
      },
      {intervalMs: 100, timeoutMs: 30_000},
    );
    await drained(t, one);
    await one.publish(spread('a', ...Array.from({length: 20}, (_, index) => String(index))));
    await drained(t, one);
    const counted = seen.flat().filter(id => !early.has(id));
    t.is(new Set(counted).size, 20);
    t.is(counted.length, 20);
  });

  contract('an event comes again after its delay, with a higher attempt', async (t, harness) => {
    const broker = await harness.open();
    await declare(broker, 'a');
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
    await broker.publish(publications('a', '1'));
    await drained(t, broker);
    t.deepEqual(attempts, [1, 2, 3, 4]);
    t.true((times[3] ?? 0) - (times[0] ?? 0) >= 3 * 95, 'three delays of 100 ms');
  });

  contract('a try that does not count leaves the attempt as it was', async (t, harness) => {
    const broker = await harness.open();
    await declare(broker, 'a');
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
    await broker.publish(publications('a', '1'));
    await drained(t, broker);
    t.deepEqual(attempts, [1, 1, 1, 2, 2, 2]);
  });

  contract('a batch whose handler throws comes again', async (t, harness) => {
    const broker = await harness.open();
    await declare(broker, 'a');
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
    await broker.publish(publications('a', '1'));
    await drained(t, broker);
    t.deepEqual(attempts, [1, 2]);
    t.true(performance.now() - started >= failureRetryMs * 0.9);
  });

  contract(
    'what a consumer had in hand when it hung comes again, the attempt counted',
    async (t, harness) => {
      // Who counts the time is the store's affair, or the consumer's own.
      const hung = await harness.open({expireMs: 3_000});
      await declare(hung, 'a');
      const got = Promise.withResolvers<void>();
      const never = Promise.withResolvers<void>();
      t.teardown(() => never.resolve());
      const other = await harness.open({expireMs: 3_000});
      await declare(other, 'a');
      hung.subscribe('a', {
        batchMax: 1,
        concurrency: 1,
        async onBatch(messages) {
          got.resolve();
          await never.promise;
          return messages.map(() => ({kind: 'done'}));
        },
      });
      await other.publish(publications('a', '1'));
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
      t.deepEqual(attempts, [other.abilities.countsCrashes ? 2 : 1]);
      never.resolve();
    },
  );

  contract(
    'a poisoned event is kept as a dead letter and holds up no other',
    async (t, harness) => {
      const broker = await harness.open();
      await declare(broker, 'a');
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
      await broker.publish(publications('a', '1', 'poison', '2'));
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
    await declare(broker, 'a');
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
      publications('a', ...Array.from({length: 100}, (_, index) => String(index))),
    );
    await drained(t, broker);
    t.is(seen, 100);
    t.is(most, 3);
    t.is(largest, 4);
  });

  contract('a slow subscription holds up no other', async (t, harness) => {
    const broker = await harness.open();
    await declare(broker, 'slow', 'quick');
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
    await broker.publish([
      ...publications('slow', '1', '2'),
      ...publications('quick', '1', '2', '3'),
    ]);
    await has(seen, 3);
    t.is((await broker.pending()).get('slow'), 2);
    released.resolve();
    await drained(t, broker);
  });

  contract(
    'what a transaction published is delivered at its commit and never after its rollback',
    async (t, harness) => {
      const broker = await harness.open();
      const {transaction} = harness;
      t.is(broker.abilities.transactions, transaction !== undefined);
      if (!transaction) {
        return;
      }
      await declare(broker, 'a');
      const seen: string[] = [];
      broker.subscribe('a', noting(seen));
      await t.throwsAsync(
        transaction(async client => {
          await broker.publish(publications('a', 'rolled back'), client);
          throw new Error('no');
        }),
        {message: 'no'},
      );
      await transaction(async client => {
        await broker.publish(publications('a', 'committed'), client);
        t.deepEqual(seen, []);
      });
      await drained(t, broker);
      t.deepEqual(seen, ['committed']);
    },
  );

  contract('a reply is published with the outcome', async (t, harness) => {
    const broker = await harness.open();
    await declare(broker, 'a', 'b');
    broker.subscribe('a', {
      batchMax: 10,
      concurrency: 1,
      onBatch: async messages =>
        messages.map(() => ({kind: 'done', publish: publications('b', 'reply')})),
    });
    const seen: string[] = [];
    broker.subscribe('b', noting(seen));
    await broker.publish(publications('a', '1'));
    await has(seen, 1);
    await drained(t, broker);
    t.deepEqual(seen, ['reply']);
  });

  contract(
    'a barrier waits for the older events of its organisation, and for no other',
    async (t, harness) => {
      const broker = await harness.open();
      if (!broker.abilities.barriers && !broker.abilities.ordered) {
        await declare(broker, 'a');
        await t.throwsAsync(broker.publish([publicationOf('a', event('barrier'), true)]), {
          message: /barrier/,
        });
        return;
      }
      if (!broker.abilities.barriers) {
        await barrierByOrder(t, broker);
        return;
      }
      await declare(broker, 'a');
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
      await broker.publish(publications('a', 'slow', 'failing'));
      await broker.publish([
        publicationOf('a', event('barrier'), true),
        publicationOf('a', event('second barrier'), true),
        publicationOf('a', event('other barrier', otherOrg), true),
        publicationOf('a', event('younger')),
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
    await declare(broker, 'a');
    await declare(observer, 'a');
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
    await observer.publish(publications('a', '1', '2'));
    await began.promise;
    const closing = broker.close();
    released.resolve();
    await closing;
    t.is(seen.length, 1);
    t.is((await observer.pending()).get('a'), 1);
  });

  contract('publishing to a topic that nobody declared is an error', async (t, harness) => {
    const broker = await harness.open();
    await declare(broker, 'a');
    await t.throwsAsync(broker.publish(publications('nobody', '1')));
  });

  contract('each subscription of a topic gets what it wants and no more', async (t, harness) => {
    const broker = await harness.open();
    await broker.declare({
      subscriptions: [
        {name: 'all', topic: 'events'},
        {name: 'some', topic: 'events', wants: ({id}) => id.startsWith('some')},
      ],
    });
    const [all, some]: [string[], string[]] = [[], []];
    broker.subscribe('all', noting(all));
    broker.subscribe('some', noting(some));
    await broker.publish(publications('events', 'some 1', 'other', 'some 2'));
    await drained(t, broker);
    t.deepEqual(all.sort(), ['other', 'some 1', 'some 2']);
    t.deepEqual(some.sort(), ['some 1', 'some 2']);
  });

  contract('what is published while nobody consumes waits', async (t, harness) => {
    const broker = await harness.open();
    await declare(broker, 'a');
    await broker.publish(publications('a', '1', '2'));
    t.is((await broker.pending()).get('a'), 2);
    const seen: string[] = [];
    broker.subscribe('a', noting(seen));
    await drained(t, broker);
    t.deepEqual(seen.sort(), ['1', '2']);
  });

  contract('the next process goes on where the last one ended', async (t, harness) => {
    const first = await harness.open();
    await declare(first, 'a');
    const seen: string[] = [];
    first.subscribe('a', noting(seen));
    await first.publish(publications('a', '1', '2', '3'));
    await drained(t, first);
    await first.close();

    const second = await harness.open();
    await declare(second, 'a');
    second.subscribe('a', noting(seen));
    await second.publish(publications('a', '4'));
    await has(seen, 4);
    await drained(t, second);
    t.deepEqual(seen.sort(), ['1', '2', '3', '4'], 'nothing twice, nothing missed');
  });

  contract('a topic is a log where the broker has offsets', async (t, harness) => {
    const broker = await harness.open();
    await broker.declare({topics: ['log'], subscriptions: []});
    await broker.publish(publications('log', 'before'));
    await broker.declare({
      subscriptions: [
        {name: 'from-start', topic: 'log', from: 'start'},
        {name: 'from-now', topic: 'log', from: 'now'},
      ],
    });
    await broker.publish(publications('log', 'after'));
    const [fromStart, fromNow]: [string[], string[]] = [[], []];
    broker.subscribe('from-start', noting(fromStart));
    broker.subscribe('from-now', noting(fromNow));
    await drained(t, broker);
    t.deepEqual(fromStart.sort(), broker.abilities.offsets ? ['after', 'before'] : ['after']);
    t.deepEqual(fromNow, ['after']);
  });

  contract(
    'what shares a key keeps its order over retries where the broker is ordered',
    async (t, harness) => {
      const broker = await harness.open();
      await declare(broker, 'a');
      const seen: string[] = [];
      const failed = new Set<string>();
      broker.subscribe('a', {
        batchMax: 3,
        concurrency: 4,
        ordered: true,
        async onBatch(messages) {
          return messages.map(message => {
            const {id} = message.event;
            if (id.endsWith('3') && !failed.has(id)) {
              failed.add(id);
              return {kind: 'retry', afterMs: 50};
            }
            // What follows a failed one in its batch is not taken: it comes again behind it.
            const orgid = message.event.orgid ?? '';
            const waits = [...failed].some(
              other => other.startsWith(orgid) && !seen.includes(other) && other !== id,
            );
            if (waits) {
              return {kind: 'retry', afterMs: 50};
            }
            seen.push(id);
            return {kind: 'done'};
          });
        },
      });
      const all = [org, otherOrg].flatMap(orgid =>
        Array.from({length: 9}, (_, index) =>
          publicationOf('a', event(`${orgid} ${index}`, orgid)),
        ),
      );
      await broker.publish(all);
      await drained(t, broker);
      t.is(seen.length, 18);
      if (broker.abilities.ordered) {
        for (const orgid of [org, otherOrg]) {
          const own = seen.filter(id => id.startsWith(orgid));
          t.deepEqual(own, [...own].sort(), 'in the order in which it was published');
        }
      }
    },
  );

  contract('what waits for a retry holds up no other event', async (t, harness) => {
    const broker = await harness.open();
    await declare(broker, 'a');
    const seen: string[] = [];
    broker.subscribe('a', {
      batchMax: 1,
      concurrency: 2,
      onBatch: async ([message]) => {
        if (message?.event.id === 'slow' && seen.length < 20) {
          return [{kind: 'retry', afterMs: 50}];
        }
        seen.push(message?.event.id ?? '');
        return [{kind: 'done'}];
      },
    });
    await broker.publish(
      publications('a', 'slow', ...Array.from({length: 20}, (_, index) => String(index))),
    );
    await has(seen, 21);
    t.is(seen.at(-1), 'slow');
    await drained(t, broker);
  });
}
