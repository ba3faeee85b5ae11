/**
Once: makes a handler take effect once, however often its event is delivered.

`onceInTransaction` is for effects in PostgreSQL: the inbox row, the effects and the stored reply are one transaction. A second
delivery that arrives while the first runs waits for it as long as `lock_timeout`, then answers 409, which Knative retries;
one that arrives later gets the same reply.

`onceByClaim` is for effects elsewhere, which no transaction can hold: a row claims the event for a while. Another delivery is
answered 409 while the claim holds, and the same reply once it is stored. A claim whose holder died runs out and is taken over,
so the effect itself must bear repetition; who handles says in its README how.
*/
import type pg from 'pg';
import {readObject, toJson} from './codec.ts';
import type {Queryable, Transaction} from './database.ts';
import {SluiceError} from './errors.ts';
import type {Event} from './event.ts';

type Handler = (event: Event, client: pg.PoolClient) => Promise<Event | undefined>;

/** `attempt` counts the claims on this event: what an effect elsewhere can tell a late holder by. */
type ClaimHandler = (
  event: Event,
  claim: Readonly<{attempt: number}>,
) => Promise<Event | undefined>;

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
        if (!(await insertRow(client, consumer, event, lockTimeoutMs))) {
          return replyOf(client, consumer, event);
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

/** The wait is bounded for this statement alone: the handler's own locks are its own business. */
const insertRow = async (
  client: pg.PoolClient,
  consumer: string,
  event: Event,
  lockTimeoutMs: number,
): Promise<boolean> => {
  const {rows: before} = await client.query<{previous: string}>(
    `select previous, set_config('lock_timeout', $1, true)
     from (select current_setting('lock_timeout') as previous offset 0) s`,
    [`${lockTimeoutMs}ms`],
  );
  try {
    const {rows} = await client.query<{inserted: boolean}>(
      `with inserted as (
         insert into inbox (consumer, source, event_id) values ($1, $2, $3) on conflict do nothing returning 1)
       select count(*) > 0 as inserted, set_config('lock_timeout', $4, true) from inserted`,
      [consumer, event.source, event.id, before[0]?.previous],
    );
    return rows[0]?.inserted === true;
  } catch (error) {
    if ((error as {code?: string}).code === '55P03') {
      throw inHand(undefined, error);
    }
    throw error;
  }
};

/** The stored reply of an event that is handled; a conflict while it is in hand. */
const replyOf = async (
  client: Queryable,
  consumer: string,
  event: Event,
): Promise<Event | undefined> => {
  const {rows} = await client.query<{reply: unknown; held_ms: number | null}>(
    `select reply, extract(epoch from claimed_until - clock_timestamp())::float8 * 1000 as held_ms
     from inbox where consumer = $1 and source = $2 and event_id = $3`,
    [consumer, event.source, event.id],
  );
  const row = rows[0];
  if (!row || row.held_ms !== null) {
    throw inHand(row?.held_ms ?? undefined);
  }
  return row.reply === null ? undefined : readObject(row.reply);
};

const inHand = (heldMs?: number, cause?: unknown) =>
  new SluiceError('conflict', 'this event is being handled by another worker', {
    cause,
    ...(heldMs === undefined ? {} : {retryAfterSeconds: Math.max(1, Math.ceil(heldMs / 1_000))}),
  });

export const onceByClaim = ({
  client,
  consumer,
  holdMs = 60_000,
}: {
  /** A pool: no connection is held while the handler runs. */
  client: Queryable;
  consumer: string;
  /** Longer than the handler ever takes. A delivery after a crash waits for the rest of it. */
  holdMs?: number;
}) =>
  function once(handler: ClaimHandler) {
    return async function handleOnce(event: Event): Promise<Event | undefined> {
      const attempt = await claim(client, consumer, event, holdMs);
      if (attempt === undefined) {
        return replyOf(client, consumer, event);
      }
      let reply: Event | undefined;
      try {
        reply = await handler(event, {attempt});
      } catch (error) {
        // When even that fails the claim runs out by itself.
        await release(client, consumer, event, attempt).catch(() => {});
        throw error;
      }
      if (!(await finish(client, consumer, event, attempt, reply))) {
        throw inHand();
      }
      return reply;
    };
  };

/** The number of the claim; undefined when the event is handled or somebody holds it. */
const claim = async (client: Queryable, consumer: string, event: Event, holdMs: number) => {
  const {rows} = await client.query<{attempt: number}>(
    `insert into inbox as i (consumer, source, event_id, claimed_until)
     values ($1, $2, $3, clock_timestamp() + $4::float8 * interval '1 ms')
     on conflict (consumer, source, event_id) do update
       set claimed_until = clock_timestamp() + $4::float8 * interval '1 ms', attempt = i.attempt + 1, handled_at = now()
       where i.claimed_until <= clock_timestamp()
     returning attempt`,
    [consumer, event.source, event.id, holdMs],
  );
  return rows[0]?.attempt;
};

/** False when somebody else has taken the claim over: what they store counts, not this. */
const finish = async (
  client: Queryable,
  consumer: string,
  event: Event,
  attempt: number,
  reply: Event | undefined,
) => {
  const {rowCount} = await client.query(
    `update inbox set reply = $5, claimed_until = null, handled_at = now()
     where consumer = $1 and source = $2 and event_id = $3 and attempt = $4 and claimed_until is not null`,
    [consumer, event.source, event.id, attempt, reply === undefined ? null : toJson(reply)],
  );
  return rowCount === 1;
};

/** A handler that failed holds nobody up: the next delivery may have the event at once. */
const release = async (client: Queryable, consumer: string, event: Event, attempt: number) => {
  await client.query(
    `update inbox set claimed_until = to_timestamp(0)
     where consumer = $1 and source = $2 and event_id = $3 and attempt = $4 and claimed_until is not null`,
    [consumer, event.source, event.id, attempt],
  );
};
