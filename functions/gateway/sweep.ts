/**
Sweep: begins the fences and settlements that are due, every few seconds, jittered, so that money held by a process that died
comes free although every function sleeps. Only markers are sent; who reads them does the work.
*/
import type {Queryable} from '../../events/database.ts';
import type {Limits} from '../../events/limits.ts';
import type {Logger} from '../../events/telemetry.ts';

/** Returns what stops it. */
export const startSweeping = ({
  pool,
  limits,
  logger,
  sweepMs = Math.min(10_000, limits.leaseTtlMs / 4),
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
        `select begin_fences(null, make_interval(secs => $1)), begin_settlements(make_interval(secs => $2))`,
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
