/**
Once: makes a handler whose effects are in PostgreSQL take effect once, however often its event is delivered.

The inbox row, the effects and the stored reply are one transaction. A second delivery that arrives while the first runs
waits for it as long as `lock_timeout`, then answers 409, which Knative retries; one that arrives later gets the same reply.
*/
import type pg from 'pg';
import {readObject, toJson} from './codec.ts';
import type {Transaction} from './database.ts';
import {SluiceError} from './errors.ts';
import type {Event} from './event.ts';

type Handler = (event: Event, client: pg.PoolClient) => Promise<Event | undefined>;

export const onceInTransaction = ({
  transaction,
  consumer,
  lockTimeoutMs = 5_000,
}: {
  transaction: Transaction;
  /** Who handles: the function's name. Two consumers of one event each handle it. */
  consumer: string;
  lockTimeoutMs?: number;
}) =>
  function once(handler: Handler) {
    return (event: Event): Promise<Event | undefined> =>
      transaction(async client => {
        await client.query(`select set_config('lock_timeout', $1, true)`, [`${lockTimeoutMs}ms`]);
        const {rowCount} = await claim(client, consumer, event);
        if (rowCount === 0) {
          const {rows} = await client.query<{reply: unknown}>(
            'select reply from inbox where consumer = $1 and source = $2 and event_id = $3',
            [consumer, event.source, event.id],
          );
          const reply = rows[0]?.reply ?? undefined;
          return reply === undefined ? undefined : readObject(reply);
        }
        const reply = await handler(event, client);
        if (reply !== undefined) {
          await client.query(
            'update inbox set reply = $4 where consumer = $1 and source = $2 and event_id = $3',
            [consumer, event.source, event.id, toJson(reply)],
          );
        }
        return reply;
      });
  };

const claim = async (client: pg.PoolClient, consumer: string, event: Event) => {
  try {
    return await client.query(
      'insert into inbox (consumer, source, event_id) values ($1, $2, $3) on conflict do nothing',
      [consumer, event.source, event.id],
    );
  } catch (error) {
    if ((error as {code?: string}).code === '55P03') {
      throw new SluiceError('conflict', 'this event is being handled by another worker', {
        cause: error,
      });
    }
    throw error;
  }
};
