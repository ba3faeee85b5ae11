/**
Sweep: what a gateway looks after every few seconds, jittered, although every function sleeps.

Begins the fences and settlements that are due, so that money held by a process that died comes free: only markers are sent,
who reads them does the work.
*/
import type {Queryable} from '../../../events/database.ts';
import type {Limits} from '../../../events/limits.ts';
import type {Logger} from '../../../events/telemetry.ts';

export const sweepMsOf = ({leaseTtlMs}: Limits) => Math.min(10_000, leaseTtlMs / 4);

/** Returns what stops it. */
export const startSweeping = ({
  pool,
  limits,
  logger,
  sweepMs = sweepMsOf(limits),
}: {
  pool: Queryable;
  limits: Limits;
  logger: Logger;
  sweepMs?: number;
}) => {
  let timer: NodeJS.Timeout;
  let stopped = false;
  const sweep = async () => {
    await pool
      .query(
        'select begin_fences(null, make_interval(secs => $1)), begin_settlements(make_interval(secs => $2))',
        [(limits.leaseTtlMs * limits.fenceAfterShare) / 1_000, limits.unsettledGraceMs / 1_000],
      )
      .catch(error => logger.warn({err: error}, 'the sweep failed'));
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
