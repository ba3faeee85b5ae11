/**
Store on PostgreSQL: one transaction a batch, in about a dozen statements whatever the batch's size.

Locks, always in this order: the organisations (advisory: open requests and the ledger have one writer, the debit, so
this alone makes what is read of them true until the commit), the windows in order of id, the leases in order of id. The lease
functions of the gateways lock windows before leases too, so nobody waits in a circle; should it happen, the batch repeats.
*/
import type pg from 'pg';
import type {Queryable} from '../../events/database.ts';
import {transactionOn} from '../../events/database.ts';
import {findTermsIn} from '../../events/external-terms.ts';
import type {BudgetStore} from './store.ts';
import {load} from './store-postgres-load.ts';
import {write} from './store-postgres-write.ts';

/** Deadlock, serialization failure; and a key that another debit wrote in the meantime, which the repetition will see. */
const passing = new Set(['40P01', '40001', '23505']);
const codeOf = (error: unknown) => (error as {code?: string}).code ?? '';

export const createPostgresStore = ({
  pool,
  attempts = 4,
}: {
  pool: pg.Pool;
  attempts?: number;
}): BudgetStore => {
  const transaction = transactionOn(pool);
  const openedMonths = new Set<string>();

  return {
    async openMonths(months) {
      const refused = new Set<string>();
      for (const month of months) {
        if (openedMonths.has(month)) {
          continue;
        }
        try {
          // Not in the batch's transaction: a new partition locks its parent, and that lock would live as long.
          await pool.query('select open_month($1::date)', [month]);
          openedMonths.add(month);
        } catch (error) {
          if (codeOf(error) !== '22008') {
            throw error;
          }
          refused.add(month);
        }
      }
      return refused;
    },

    findTerms: findTermsIn(pool),

    async transaction(keys, work) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await transaction(async client => {
            const outcome = work(await load(client, keys));
            await write(client, outcome);
            return outcome;
          });
        } catch (error) {
          if (attempt >= attempts || !passing.has(codeOf(error))) {
            throw error;
          }
        }
      }
    },

    async reconcile({leaseMs, requestMs}) {
      const {rows} = await (pool as Queryable).query<{fences: number; settlements: number}>(
        `select begin_fences(null, make_interval(secs => $1::float8 / 1000)) as fences,
                begin_settlements(make_interval(secs => $2::float8 / 1000)) as settlements`,
        [leaseMs, requestMs],
      );
      return rows[0] ?? {fences: 0, settlements: 0};
    },
  };
};
