/**
Drain events: waits at the end until what was written to the outbox has been handled, so that the books are complete when
the prompt is back. What is not done in time is kept, and handled after the next start.
*/
import {setTimeout as wait} from 'node:timers/promises';
import type {Queryable} from '../../../events/database.ts';

export const drainEvents = async ({
  stats,
  pool,
  signal,
  timeoutMs = 10_000,
  pollMs = 50,
}: {
  stats: () => Promise<{pending: Readonly<Record<string, number>>}>;
  pool: Queryable;
  /** Aborted when nobody wants to wait any more. */
  signal: AbortSignal;
  timeoutMs?: number;
  pollMs?: number;
}): Promise<void> => {
  const end = performance.now() + timeoutMs;
  while (!signal.aborted && performance.now() < end) {
    // The outbox first: a row that leaves it between the two questions is then seen in its queue.
    const {rows} = await pool.query<{some: boolean}>('select exists (select from outbox) as some');
    const {pending} = await stats();
    if (!rows[0]?.some && Object.values(pending).every(count => count === 0)) {
      return;
    }
    await wait(pollMs);
  }
};
