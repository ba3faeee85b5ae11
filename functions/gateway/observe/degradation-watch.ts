/**
Degradation watch: remembers since when each state holds, tells of it in the log and in `/metrics`, and answers `/healthz`.

In: what is known now. Out: a report, a gauge for every state, a line when one begins and when it ends. It looks a few times a
second by itself, so that `since` is true although nobody asks.
*/
import type {Metrics} from '../../../events/metrics.ts';
import type {Logger} from '../../../events/telemetry.ts';
import {
  type Bounds,
  type Known,
  refusalOf,
  type State,
  type StateName,
  stateNames,
  statesOf,
} from './degradation.ts';

export type Degraded = Readonly<{state: StateName; since: string; detail: string}>;
export type Health = Readonly<{
  status: 'ok' | 'degraded' | 'unavailable';
  function: 'gateway';
  /** One line of what follows, or why it takes nothing. */
  reason?: string;
  degraded?: readonly Degraded[];
}>;

export const watchDegradation = ({
  know,
  bounds,
  logger,
  metrics,
  tickMs = 250,
  nowMs = Date.now,
}: {
  know: () => Known;
  bounds: Bounds;
  logger: Pick<Logger, 'warn' | 'info'>;
  metrics: Metrics;
  tickMs?: number;
  nowMs?: () => number;
}) => {
  const since = new Map<StateName, number>();
  const gauge = metrics.gauge('sluice_degraded', '1 while the state holds; see functions/gateway.');
  const cells = stateNames.map(state => ({state, cell: gauge({state})}));

  const observe = (): readonly State[] => {
    const found = statesOf(know(), bounds);
    const names = new Set(found.map(({state}) => state));
    for (const {state, detail, refuses} of found) {
      if (!since.has(state)) {
        since.set(state, nowMs());
        logger.warn({state, refuses}, `degraded: ${detail}`);
      }
    }
    for (const [state, beganMs] of since) {
      if (!names.has(state)) {
        since.delete(state);
        logger.info({state, lastedMs: nowMs() - beganMs}, 'no longer degraded');
      }
    }
    return found;
  };

  const timer = setInterval(observe, tickMs);
  timer.unref();
  const {text} = metrics;
  metrics.text = () => {
    observe();
    for (const {state, cell} of cells) {
      cell.set(since.has(state) ? 1 : 0);
    }
    return text();
  };

  return {
    /** Why new requests are refused; undefined while they are taken. */
    refusal: () => refusalOf(know(), bounds),
    health(isDraining: boolean): Health {
      const found = observe();
      const degraded = found.map(({state, detail}) => ({
        state,
        since: new Date(since.get(state) as number).toISOString(),
        detail,
      }));
      const reasons = degraded.map(({state, detail}) => `${state}: ${detail}`);
      const reason = [...(isDraining ? ['draining'] : []), ...reasons].join('; ');
      const takesNone = isDraining || found.some(({refuses}) => refuses);
      return {
        status: takesNone ? 'unavailable' : degraded.length > 0 ? 'degraded' : 'ok',
        function: 'gateway',
        ...(reason === '' ? {} : {reason}),
        ...(degraded.length === 0 ? {} : {degraded}),
      };
    },
    close: () => clearInterval(timer),
  };
};
