/**
PostgreSQL: our broker beside pg-boss as its users have it (send or insert, fetch, complete), and beside the least that is a
queue: a table, inserted into from `unnest`, deleted from with SKIP LOCKED in a transaction that commits when it was handled.

Each has a database of its own. What they left is vacuumed away between runs.
*/
import pg from 'pg';
import {PgBoss} from 'pg-boss';
import {
  createPostgresBroker,
  installPostgresBroker,
} from '../../../events/brokers/postgres/broker.ts';
import {createPool, transactionOn} from '../../../events/database.ts';
import {type Contender, parsed, type Started, startOurs, topic} from './contender.ts';
import {runSlots} from './slots.ts';

/** As many as the local runner has, and one more for each batch in hand. */
const connections = ({load}: Started) => 10 + load.concurrency;

const databaseAt = async (superuserUrl: string, name: string) => {
  const client = new pg.Client({connectionString: superuserUrl});
  await client.connect();
  await client.query(`drop database if exists ${name} with (force)`);
  await client.query(`create database ${name}`);
  await client.query(
    'do $$ begin create role sluice_system; exception when duplicate_object then null; end $$',
  );
  await client.end();
  const url = new URL(superuserUrl);
  url.pathname = `/${name}`;
  return url.href;
};

const ours =
  (superuserUrl: string) =>
  async (started: Started): Promise<Contender> => {
    const databaseUrl = await databaseAt(superuserUrl, 'ours');
    await installPostgresBroker({databaseUrl});
    const pool = createPool({databaseUrl, name: 'bench', connectionsMax: connections(started)});
    const broker = await createPostgresBroker({
      pool,
      keepDeadLetters: async () => {},
      onError: error => console.error(error),
    });
    const contender = await startOurs(broker, started);
    return {
      ...contender,
      clean: async () => void (await pool.query('vacuum analyze')),
      async close() {
        await contender.close();
        await pool.end();
      },
    };
  };

const boss =
  (superuserUrl: string) =>
  async (started: Started): Promise<Contender> => {
    const {load, gate, onEvent} = started;
    const databaseUrl = await databaseAt(superuserUrl, 'boss');
    const queue = new PgBoss({
      connectionString: databaseUrl,
      max: connections(started),
      supervise: false,
      schedule: false,
    });
    queue.on('error', error => console.error(error));
    await queue.start();
    await queue.createQueue(topic);
    const slots = runSlots({
      load,
      gate,
      fetch: limit => queue.fetch<{event: string}>(topic, {batchSize: limit}),
      async handle(jobs) {
        for (const {data} of jobs) {
          onEvent(parsed(data.event));
        }
        await queue.complete(
          topic,
          jobs.map(({id}) => id),
        );
      },
    });
    return {
      async publish(events) {
        const jobs = events.map(event => ({data: {event: JSON.stringify(event)}}));
        await (jobs.length === 1 ? queue.send(topic, jobs[0]?.data) : queue.insert(topic, jobs));
      },
      async clean() {
        await queue.deleteStoredJobs(topic);
        await queue.getDb().executeSql('vacuum analyze');
      },
      async close() {
        slots.stop();
        await queue.stop({graceful: false});
      },
    };
  };

const take = `
  delete from queue where id = any (array(
    select id from queue order by id limit $1 for update skip locked))
  returning event`;

const table =
  (superuserUrl: string) =>
  async (started: Started): Promise<Contender> => {
    const {load, gate, onEvent} = started;
    const databaseUrl = await databaseAt(superuserUrl, 'plain');
    const pool = createPool({databaseUrl, name: 'bench', connectionsMax: connections(started)});
    await pool.query(
      'create table queue (id bigint generated always as identity primary key, event text not null)',
    );
    const transaction = transactionOn(pool);
    const takeBatch = (limit: number) =>
      transaction(async client => {
        const {rows} = await client.query<{event: string}>(take, [limit]);
        for (const {event} of rows) {
          onEvent(parsed(event));
        }
        return rows;
      });
    // Each slot is a transaction of its own, so that a slot takes for itself and not for the others.
    const slots = Array.from({length: load.concurrency}, () =>
      runSlots({
        load: {...load, concurrency: 1},
        gate,
        fetch: takeBatch,
        handle: async () => {},
      }),
    );
    return {
      async publish(events) {
        await pool.query('insert into queue (event) select unnest($1::text[])', [
          events.map(event => JSON.stringify(event)),
        ]);
      },
      clean: async () => void (await pool.query('vacuum analyze')),
      async close() {
        for (const slot of slots) {
          slot.stop();
        }
        await pool.end();
      },
    };
  };

export const postgresContenders = (superuserUrl: string) => ({
  ours: ours(superuserUrl),
  'pg-boss': boss(superuserUrl),
  table: table(superuserUrl),
});
