/**
Sweep: what a gateway looks after every few seconds, jittered, although every function sleeps.

Begins the fences and settlements that are due, so that money held by a process that died comes free: only markers are sent,
who reads them does the work. Learns how much waits in the outbox, so that it is refused before it grows without bound.
*/
import type {Queryable} from '../../events/database.ts';
import type {Limits} from '../../events/limits.ts';
import type {Logger} from '../../events/telemetry.ts';

/** What waits in the outbox. */
export type Backlog = Readonly<{rows: number; ageMs: number}>;

/** Returns what stops it. */
export const startSweeping = ({
  pool,
  limits,
  logger,
  onBacklog,
  sweepMs = Math.min(10_000, limits.leaseTtlMs / 4),
}: {
  pool: Queryable;
  limits: Limits;
  logger: Logger;
  onBacklog: (backlog: Backlog) => void;
  sweepMs?: number;
}) => {
  let timer: NodeJS.Timeout;
  let stopped = false;
  const sweep = async () => {
    await pool
      .query<{waiting: string; age_ms: string}>(
        `select begin_fences(null, make_interval(secs => $1)), begin_settlements(make_interval(secs => $2)), b.*
         from outbox_backlog() b`,
        [(limits.leaseTtlMs * limits.fenceAfterShare) / 1_000, limits.unsettledGraceMs / 1_000],
      )
      .then(
        ({rows}) =>
          onBacklog({rows: Number(rows[0]?.waiting ?? 0), ageMs: Number(rows[0]?.age_ms ?? 0)}),
        error => logger.warn({err: error}, 'the sweep failed'),
      );
    if (!stopped) {
      timer = setTimeout(sweep, sweepMs * (0.5 + Math.random()));
      timer.unref();
    }
  };
  timer = setTimeout(sweep, sweepMs * Math.random());
  timer.unref();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
};
