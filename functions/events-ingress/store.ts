/**
Store: where events are kept before they are answered for, and how much waits there.

In: the rows of one request, all of one organisation. Out: nothing, once all of them are durable; `unavailable` when that is
not known. Rows are written as `sluice_tenant` for that organisation alone, so that a wrong stamp is refused by the database.
*/
import type pg from 'pg';
import {asTenant} from '../../events/database.ts';
import {asSluiceError, SluiceError} from '../../events/errors.ts';
import {insertIntoOutbox, type OutboxRow} from '../../events/outbox.ts';

export type Store = Readonly<{
  /** One statement, one transaction: all of them or none. An event that waits already is not stored again. */
  append(org: string, rows: readonly OutboxRow[]): Promise<void>;
  backlog(): Promise<Backlog>;
}>;
export type Backlog = Readonly<{rows: number; ageMs: number}>;

/** Connections, resources, shutdowns, deadlocks and what was ended for its time: classes 08, 25, 40, 53, 57, 58. */
const passing = /^(?:08|25|40|53|57|58)/;

/** A value that no column takes, and nesting that its parser gives up on: 22, 54. Said of data that we let through. */
const unkeepable = /^(?:22|54)/;

/** An error without a state of PostgreSQL is the connection's or a timeout's: there is nothing else below the pool. */
const asStoreError = (cause: unknown): SluiceError => {
  const {code} = cause as {code?: unknown};
  if (typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code) || passing.test(code)) {
    return new SluiceError('unavailable', 'events cannot be stored now', {
      retryAfterSeconds: 1,
      cause,
    });
  }
  return unkeepable.test(code)
    ? new SluiceError('unprocessable_event', 'the database cannot keep such data', {cause})
    : asSluiceError(cause);
};

export const createPostgresStore = ({
  tenant,
  gateway,
}: {
  tenant: pg.Pool;
  gateway: pg.Pool;
}): Store => ({
  async append(org, rows) {
    try {
      await asTenant(tenant)(org, client => insertIntoOutbox(client, rows));
    } catch (cause) {
      throw asStoreError(cause);
    }
  },
  async backlog() {
    try {
      const {rows} = await gateway.query<{waiting: bigint; age_ms: bigint}>(
        `select waiting, age_ms from outbox_backlog('broker')`,
      );
      return {rows: Number(rows[0]?.waiting ?? 0), ageMs: Number(rows[0]?.age_ms ?? 0)};
    } catch (cause) {
      throw asStoreError(cause);
    }
  },
});

/** Asks at most once a second, and only while somebody wants to know: nothing here keeps a sleeping process awake. */
export const rememberBacklog = (
  read: Store['backlog'],
  {now = () => performance.now(), freshMs = 1_000}: {now?: () => number; freshMs?: number} = {},
) => {
  let asked = Number.NEGATIVE_INFINITY;
  let answer: Promise<Backlog> | undefined;
  return function backlog(): Promise<Backlog> {
    if (!answer || now() - asked > freshMs) {
      asked = now();
      const reading = read();
      answer = reading;
      // A failure is told to who waits for it and forgotten.
      reading.catch(() => {
        if (answer === reading) {
          answer = undefined;
        }
      });
    }
    return answer;
  };
};
