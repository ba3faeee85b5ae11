/**
Refusal lines: a line of the log for each refused request, of so many a second.

In: what a line says. Out: the line; beyond the bound only a count, told with the first line of a later second. A client that is
refused as fast as it can ask would otherwise fill a disk; `/metrics` counts every refusal.
*/
import type {Logger} from '../../../events/telemetry.ts';

export const createRefusalLines = ({
  logger,
  perSecondMax = 100,
  nowMs = () => performance.now(),
}: {
  logger: Pick<Logger, 'info'>;
  perSecondMax?: number;
  nowMs?: () => number;
}) => {
  let second = 0;
  let lines = 0;
  let without = 0;
  return function writeRefusal(fields: object) {
    const current = Math.floor(nowMs() / 1_000);
    if (current !== second) {
      if (without > 0) {
        logger.info({refusals: without}, 'refused, without a line each');
      }
      [second, lines, without] = [current, 0, 0];
    }
    if (lines < perSecondMax) {
      lines += 1;
      logger.info(fields, 'refused');
    } else {
      without += 1;
    }
  };
};
