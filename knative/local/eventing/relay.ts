/**
Relay: moves what producers left in the outbox to the subscriptions that want it.

In: rows of `outbox`. Out: deliveries, and the rows gone, in one transaction. A row that nothing could ever take becomes a
dead letter, so that it blocks nobody. Wakes when rows are committed; polls, because a notification can be lost.
*/
import type pg from 'pg';
import {
  type Broker,
  type KeepDeadLetters,
  messageOf,
  type Publication,
} from '../../../events/brokers/broker.ts';
import {listenTo} from '../../../events/brokers/notifications.ts';
import {type Queryable, transactionOn} from '../../../events/database.ts';
import {SluiceError} from '../../../events/errors.ts';

/**
A marker stays until no older row of its organisation is left (of any, when it has none). Locked rows are another relay's.
*/
const take = `
  select o.id::text, o.destination, o.org_id as org, o.barrier, o.event::text as json
  from outbox o
  where not o.barrier or not exists (
    select from outbox older where older.id < o.id and (o.org_id is null or older.org_id = o.org_id))
  order by o.id limit $1
  for update of o skip locked`;

type Row = {id: string; destination: string; org: string | null; barrier: boolean; json: string};

export type Relay = Readonly<{relayed(): number; close(): Promise<void>}>;

export const startRelay = async ({
  pool,
  broker,
  topics,
  keepDeadLetters,
  onError,
  rowsMax = 500,
  pollMs = 250,
  restMs = 20,
}: {
  /** As `sluice_system`; one connection is kept for listening. */
  pool: pg.Pool;
  broker: Pick<Broker, 'publish'>;
  /** Where rows may go; one with another destination is a dead letter. */
  topics: readonly string[];
  keepDeadLetters: KeepDeadLetters;
  onError: (error: Error) => void;
  rowsMax?: number;
  pollMs?: number;
  /** After a pass that found less than all it may take: rows that follow closely travel together. */
  restMs?: number;
}): Promise<Relay> => {
  const transaction = transactionOn(pool);
  let relayed = 0;
  let closed = false;
  let woken = false;
  let rouse = () => {};

  const known = new Set(topics);
  const bury = async (row: Row, reason: string, client: Queryable) => {
    const message = messageOf({id: row.id, subscription: 'relay', attempt: 0, json: row.json});
    const topic = row.destination;
    await keepDeadLetters([{message, topic, reason, destination: topic}], client);
    onError(new Error(`an event became a dead letter: ${reason}`));
  };

  const publish = async (rows: readonly Row[], client: Queryable) => {
    try {
      await broker.publish(rows.map(publicationOfRow), client);
    } catch (error) {
      // What is no event is found before anything is written, so the others can still go, one by one.
      if (!(error instanceof SluiceError) || error.code !== 'malformed_event') {
        throw error;
      }
      for (const row of rows) {
        await (rows.length > 1 ? publish([row], client) : bury(row, error.message, client));
      }
    }
  };

  const pass = () =>
    transaction(async client => {
      const {rows} = await client.query<Row>({name: 'relay-take', text: take, values: [rowsMax]});
      if (rows.length === 0) {
        return 0;
      }
      const {true: routed = [], false: lost = []} = Object.groupBy(rows, row =>
        known.has(row.destination) ? 'true' : 'false',
      );
      await publish(routed, client);
      for (const row of lost) {
        await bury(row, `nothing reads ${row.destination}`, client);
      }
      await client.query('delete from outbox where id = any ($1::bigint[])', [
        rows.map(row => row.id),
      ]);
      return rows.length;
    });

  const sleep = (ms: number, untilWoken: boolean) =>
    new Promise<void>(resolve => {
      const timer = setTimeout(resolve, ms);
      rouse = () => {
        if (untilWoken || closed) {
          clearTimeout(timer);
          resolve();
        }
      };
    });

  const loop = async () => {
    while (!closed) {
      woken = false;
      const count = await pass().catch(error => {
        onError(error as Error);
        return 0;
      });
      relayed += count;
      if (count > 0 && count < rowsMax && !closed) {
        await sleep(restMs, false);
      } else if (count === 0 && !woken && !closed) {
        await sleep(pollMs, true);
      }
    }
  };

  const listening = await listenTo({
    pool,
    channel: 'sluice_outbox',
    onError,
    onNotification() {
      woken = true;
      rouse();
    },
  });
  const looping = loop();

  return {
    relayed: () => relayed,
    async close() {
      closed = true;
      rouse();
      await looping;
      await listening.close();
    },
  };
};

const publicationOfRow = ({destination, json, org, barrier}: Row): Publication => ({
  topic: destination,
  json,
  org: org ?? undefined,
  key: org ?? undefined,
  barrier,
});
