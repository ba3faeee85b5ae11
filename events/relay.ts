/**
Relay: moves what producers left in the outbox to where it goes.

In: rows of `outbox` whose destination begins with one of the prefixes. Out: publications, and the rows gone, in one
transaction: what was published and not removed is published again, and ids make the double harmless. A row that nothing could
ever take becomes a dead letter, so that it blocks nobody. Wakes when rows are committed; polls, because a notification can be
lost. Any number of relays may run beside each other: each locks what it takes.
*/
import type pg from 'pg';
import {type KeepDeadLetters, messageOf, type Publication} from './brokers/broker.ts';
import {listenTo} from './brokers/postgres/notifications.ts';
import {type Queryable, transactionOn} from './database.ts';
import {SluiceError} from './errors.ts';

/**
A marker stays until no older row of its organisation is left (of any, when it has none). Locked rows are another relay's.
*/
const take = `
  select o.id::text, o.destination, o.org_id as org, o.barrier, o.event::text as json
  from outbox o
  where o.destination like any ($2::text[]) and (not o.barrier or not exists (
    select from outbox older where older.id < o.id and (o.org_id is null or older.org_id = o.org_id)))
  order by o.id limit $1
  for update of o skip locked`;

type Row = {id: string; destination: string; org: string | null; barrier: boolean; json: string};

/** What became of a row that was not published: it stays, or it never will be. */
export type Left = Readonly<{kind: 'kept'} | {kind: 'refused'; reason: string; status?: number}>;

/**
Publishes rows; `client` is the transaction that removes them. Returns what was left, by index; throws when nothing was
published. A malformed_event must be found before anything is written.
*/
export type PublishRows = (
  publications: readonly Publication[],
  client: pg.PoolClient,
) => Promise<ReadonlyMap<number, Left>>;

export type Relay = Readonly<{
  /** Rows that left the outbox since the start. */
  relayed(): number;
  close(): Promise<void>;
}>;

export const startRelay = async ({
  pool,
  publish,
  destinations = [''],
  knows = () => true,
  keepDeadLetters,
  onError,
  rowsMax = 500,
  pollMs = 250,
  restMs = 20,
  failureMs = 1_000,
}: {
  /** As `sluice_system`; one connection is kept for listening. */
  pool: pg.Pool;
  publish: PublishRows;
  /** Prefixes; `['']` is every destination. */
  destinations?: readonly string[];
  /** A destination that is not known is a dead letter. */
  knows?: (destination: string) => boolean;
  keepDeadLetters: KeepDeadLetters;
  onError: (error: Error) => void;
  rowsMax?: number;
  pollMs?: number;
  /** After a pass that found less than all it may take: rows that follow closely travel together. */
  restMs?: number;
  /** After a pass that left something. */
  failureMs?: number;
}): Promise<Relay> => {
  const transaction = transactionOn(pool);
  const patterns = destinations.map(prefix => `${prefix}%`);
  let relayed = 0;
  let closed = false;
  let woken = false;
  let rouse = () => {};

  const bury = async (row: Row, reason: string, status: number | undefined, client: Queryable) => {
    const message = messageOf({id: row.id, subscription: 'relay', attempt: 0, json: row.json});
    const topic = row.destination;
    await keepDeadLetters([{message, topic, reason, status, destination: topic}], client);
    onError(new Error(`an event became a dead letter: ${reason}`));
  };

  /** Returns the ids of the rows that stay. */
  const publishOrBury = async (rows: readonly Row[], client: pg.PoolClient): Promise<string[]> => {
    if (rows.length === 0) {
      return [];
    }
    try {
      const left = await publish(rows.map(publicationOfRow), client);
      const kept: string[] = [];
      for (const [index, fate] of left) {
        const row = rows[index] as Row;
        if (fate.kind === 'refused') {
          await bury(row, fate.reason, fate.status, client);
        } else {
          kept.push(row.id);
        }
      }
      return kept;
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== 'malformed_event') {
        throw error;
      }
      const kept: string[] = [];
      for (const row of rows) {
        if (rows.length > 1) {
          kept.push(...(await publishOrBury([row], client)));
        } else {
          await bury(row, error.message, undefined, client);
        }
      }
      return kept;
    }
  };

  const pass = () =>
    transaction(async client => {
      const {rows} = await client.query<Row>({
        name: 'relay-take',
        text: take,
        values: [rowsMax, patterns],
      });
      if (rows.length === 0) {
        return {gone: 0, kept: 0};
      }
      const kept = new Set(
        await publishOrBury(
          rows.filter(row => knows(row.destination)),
          client,
        ),
      );
      for (const row of rows.filter(({destination}) => !knows(destination))) {
        await bury(row, `nothing reads ${row.destination}`, undefined, client);
      }
      const gone = rows.filter(row => !kept.has(row.id)).map(row => row.id);
      await client.query('delete from outbox where id = any ($1::bigint[])', [gone]);
      return {gone: gone.length, kept: kept.size};
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
      const {gone, kept} = await pass().catch(error => {
        onError(error as Error);
        return {gone: 0, kept: 1};
      });
      relayed += gone;
      if (closed) {
        break;
      }
      if (kept > 0) {
        await sleep(failureMs, false);
      } else if (gone > 0 && gone < rowsMax) {
        await sleep(restMs, false);
      } else if (gone === 0 && !woken) {
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
