/**
PostgreSQL broker: subscriptions as queues of pg-boss, for one machine that has no other broker.

A job is deleted in the statement that settles it, so the tables hold only what is still to do. Delays are the delivery
policy's, in milliseconds. What a dead process had in hand is handed out again when the next one starts, and otherwise after
`expireMs`. Order is not promised; barriers are.
*/
import type pg from 'pg';
import {PgBoss} from 'pg-boss';
import {type Queryable, transactionOn} from '../../database.ts';
import {
  type Broker,
  type KeepDeadLetters,
  type Message,
  messageOf,
  type Outcome,
} from '../broker.ts';
import {type Consuming, consume} from '../consume.ts';
import {createFanOut, type Delivery, queueAbilities, topicsOf} from '../fan-out.ts';
import {sortOutcomes} from '../outcomes.ts';
import {createAscendingIds} from './ids.ts';
import {schema} from './install.ts';
import {listenTo} from './notifications.ts';
import * as statements from './statements.ts';

export {installPostgresBroker} from './install.ts';

/** Neither is a limit of ours: our policy ends retries, and nothing is ever too old to be delivered. */
const retryLimit = 1_000_000_000;
const retentionSeconds = 2_000_000_000;

type JobData = {event: string; barrier?: true};

const bossDatabase = (client: Queryable) => ({
  executeSql: (text: string, values?: unknown[]) => client.query(text, values),
});

export const createPostgresBroker = async ({
  pool,
  keepDeadLetters,
  onError = () => {},
  expireMs = 1_260_000,
  sweepMs = 5_000,
  pollMs = 1_000,
  barrierRetryMs = 100,
  lostMs = 60_000,
  settleRetryMs = 200,
}: {
  /** As `sluice_system`. One connection is kept for listening, and a lock. */
  pool: pg.Pool;
  keepDeadLetters: KeepDeadLetters;
  onError?: (error: Error) => void;
  /** Longer than any delivery, a halved batch's included. At least 1 s. */
  expireMs?: number;
  sweepMs?: number;
  pollMs?: number;
  barrierRetryMs?: number;
  /** Longer than a fetch may take. */
  lostMs?: number;
  settleRetryMs?: number;
}): Promise<Broker> => {
  const boss = new PgBoss({
    db: bossDatabase(pool),
    schema,
    migrate: false,
    createSchema: false,
    supervise: false,
    schedule: false,
  });
  boss.on('error', onError);
  await boss.start();
  const transaction = transactionOn(pool);
  const ids = createAscendingIds();
  const fanOut = createFanOut();
  const topics = topicsOf();
  const consumers = new Map<string, Consuming>();
  /** What was handed out, until its outcome is stored. */
  const inHand = new Set<string>();
  let alone = false;
  let closing = false;

  /** What a fetch took whose answer got lost with its connection: nobody has it, and it would wait until it expires. */
  const releaseLost = (client: Queryable, olderThanMs: number) =>
    client.query(statements.releaseLost, [topics.names(), [...inHand], olderThanMs]);

  const listening = await listenTo({
    pool,
    channel: 'sluice_broker',
    onError,
    async onConnected(client) {
      const {rows} = await client.query<{locked: boolean}>(statements.lockConsumer);
      alone = rows[0]?.locked ?? false;
      if (alone && consumers.size > 0) {
        await releaseLost(client, 0);
      }
    },
    onNotification(subscription) {
      for (const [name, consumer] of consumers) {
        if (subscription === undefined || subscription === name) {
          consumer.wake();
        }
      }
    },
  });

  const sweep = setInterval(() => {
    pool.query(statements.releaseExpired, [topics.names()]).catch(onError);
    if (alone) {
      releaseLost(pool, lostMs).catch(onError);
    }
  }, sweepMs);

  const publish = async (deliveries: readonly Delivery[], client: Queryable) => {
    const bySubscription = Map.groupBy(deliveries, delivery => delivery.subscription);
    for (const [subscription, some] of bySubscription) {
      const jobs = some.map(({json, org, barrier}) => ({
        id: ids.next(),
        data: {event: json, ...(barrier ? {barrier: true} : {})},
        ...(org ? {group: {id: org}} : {}),
      }));
      await boss.insert(subscription, jobs, {db: bossDatabase(client)});
    }
    if (bySubscription.size > 0) {
      await client.query(statements.notify, [[...bySubscription.keys()]]);
    }
  };

  const fetch =
    (subscription: string) =>
    async (limit: number): Promise<readonly Message[]> => {
      const jobs = await boss.fetch<JobData>(subscription, {
        batchSize: limit,
        includeMetadata: true,
      });
      const barriers = jobs.filter(job => job.data.barrier).map(job => job.id);
      const waiting = new Set<string>();
      if (barriers.length > 0) {
        const {rows} = await pool.query<{id: string}>(statements.putBackBarriers, [
          subscription,
          barriers,
          barrierRetryMs,
        ]);
        for (const {id} of rows) {
          waiting.add(id);
        }
        if (waiting.size > 0) {
          setTimeout(() => consumers.get(subscription)?.wake(), barrierRetryMs + 5).unref();
        }
      }
      const taken = jobs.filter(job => !waiting.has(job.id));
      for (const {id} of taken) {
        inHand.add(id);
      }
      return taken
        .sort((a, b) => (a.id < b.id ? -1 : 1))
        .map(({id, data, retryCount}) =>
          messageOf({id, subscription, attempt: retryCount + 1, json: data.event}),
        );
    };

  const store = async (
    client: Queryable,
    messages: readonly Message[],
    outcomes: readonly Outcome[],
  ) => {
    const {subscription} = messages[0] as Message;
    const {settled, retries, letters, replies} = sortOutcomes(
      topics.of(subscription),
      messages,
      outcomes,
    );
    if (letters.length > 0) {
      await keepDeadLetters(letters, client);
    }
    await publish(fanOut.deliveriesOf(replies), client);
    if (retries.length > 0) {
      await client.query(statements.retryLater, [
        subscription,
        retries.map(({id}) => id),
        retries.map(({afterMs}) => afterMs),
        retries.map(({counted}) => counted),
      ]);
    }
    if (settled.length > 0) {
      await boss.deleteJob(subscription, settled, {db: bossDatabase(client)});
    }
  };

  /** Tries until it is closed: an outcome that is not stored means that a delivery is repeated. */
  const settle = async (messages: readonly Message[], outcomes: readonly Outcome[]) => {
    const plain = outcomes.every(outcome => outcome.kind === 'done' && !outcome.publish?.length);
    for (let attempt = 1; attempt === 1 || !closing; attempt += 1) {
      try {
        await (plain
          ? store(pool, messages, outcomes)
          : transaction(client => store(client, messages, outcomes)));
        break;
      } catch (error) {
        onError(error as Error);
        await new Promise(resolve => setTimeout(resolve, settleRetryMs * Math.min(attempt, 10)));
      }
    }
    for (const {id} of messages) {
      inHand.delete(id);
    }
  };

  return {
    abilities: queueAbilities,
    async declare(wanted) {
      for (const {name} of wanted.subscriptions) {
        const expireInSeconds = Math.ceil(expireMs / 1_000);
        await boss.createQueue(name, {retryLimit, retentionSeconds, expireInSeconds});
        await boss.updateQueue(name, {expireInSeconds});
      }
      fanOut.declare(wanted);
      topics.add(wanted.subscriptions);
      const {rows} = await pool.query<{id: string}>(statements.newest, [topics.names()]);
      for (const {id} of rows) {
        ids.startAfter(id);
      }
      // Only the process that holds the lock knows that whoever had these in hand is dead.
      if (alone && consumers.size === 0) {
        await pool.query(statements.release, [wanted.subscriptions.map(({name}) => name)]);
      }
    },
    async publish(publications, client) {
      const deliveries = fanOut.deliveriesOf(publications);
      await (client ? publish(deliveries, client) : transaction(own => publish(deliveries, own)));
    },
    subscribe(subscription, consumer) {
      topics.of(subscription);
      if (consumers.has(subscription)) {
        throw new Error(`expected ${subscription} to be subscribed to once`);
      }
      consumers.set(
        subscription,
        consume({consumer, fetch: fetch(subscription), settle, onError, pollMs}),
      );
    },
    async pending() {
      const {rows} = await pool.query<{name: string; waiting: number}>(statements.count, [
        topics.names(),
      ]);
      const counts = new Map(rows.map(({name, waiting}) => [name, waiting]));
      return new Map(topics.names().map(name => [name, counts.get(name) ?? 0]));
    },
    async close() {
      closing = true;
      clearInterval(sweep);
      await Promise.all([...consumers.values()].map(consumer => consumer.stop()));
      await listening.close();
      await boss.stop({graceful: false, close: false});
    },
  };
};
