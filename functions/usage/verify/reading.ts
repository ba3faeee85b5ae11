/**
Reading: the one snapshot in which everything is compared, and the time that it may take.

In: a pool, as sluice_system. Out: statements that all see the same instant (REPEATABLE READ, read only), each with what is left
of the time; rows that may be many come by a cursor, a thousand at once. One run at a time.
*/
import type pg from 'pg';
import {transactionOn} from '../../../events/database.ts';
import {SluiceError} from '../../../events/errors.ts';

export type Row = Readonly<Record<string, unknown>>;
export type Reading = Readonly<{
  rows(text: string, values: readonly unknown[]): Promise<Row[]>;
  /** Every row in turn; never more than a thousand in memory. */
  each(text: string, values: readonly unknown[], take: (row: Row) => void): Promise<void>;
}>;

const lock = 7_301_947_251;
const rowsAtOnce = 1_000;
/** PostgreSQL ended a statement that took too long. */
const tooLong = '57014';

export const readAtOnce =
  (pool: pg.Pool, {limitMs = 45_000}: {limitMs?: number} = {}) =>
  async <Result>(work: (reading: Reading) => Promise<Result>): Promise<Result> => {
    const until = performance.now() + limitMs;
    try {
      return await transactionOn(pool)(async client => {
        await client.query('set transaction isolation level repeatable read, read only');
        const {rows} = await client.query('select pg_try_advisory_xact_lock($1) as mine', [lock]);
        if (!rows[0].mine) {
          throw new SluiceError('conflict', 'another verify is running');
        }
        return work(readingOn(client, until));
      });
    } catch (error) {
      if ((error as pg.DatabaseError).code === tooLong) {
        throw new SluiceError(
          'unavailable',
          `verify took longer than ${limitMs / 1_000} s: ask for a shorter time or for fewer checks`,
          {cause: error},
        );
      }
      throw error;
    }
  };

const readingOn = (client: pg.PoolClient, until: number): Reading => {
  const run = async (text: string, values: readonly unknown[] = []) => {
    const left = Math.max(1, Math.ceil(until - performance.now()));
    await client.query("select set_config('statement_timeout', $1, true)", [String(left)]);
    const {rows} = await client.query<Row>(text, [...values]);
    return rows;
  };
  return {
    rows: run,
    async each(text, values, take) {
      await run(`declare verified no scroll cursor for ${text}`, values);
      for (let count = rowsAtOnce; count === rowsAtOnce; ) {
        const rows = await run(`fetch ${rowsAtOnce} from verified`);
        rows.forEach(take);
        count = rows.length;
      }
      await run('close verified');
    },
  };
};
