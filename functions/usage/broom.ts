/**
Broom: once a day, after a batch, drops the usage that is kept no longer.

In: what drops it. Out: a function to be called after batches. A failure is reported, not thrown: the batch before it is
committed, and the next day is soon enough.
*/
import type {Queryable} from '../../events/database.ts';

/** A year and the month that is looked back from. */
export const monthsKept = 13;

export const retainUsageIn = (pool: Queryable) => async () => {
  const {rows} = await pool.query<{dropped: number}>('select retain_usage($1) as dropped', [
    monthsKept,
  ]);
  return rows[0]?.dropped ?? 0;
};

export const createBroom = ({
  retain,
  everyMs = 86_400_000,
  now = () => performance.now(),
  onDropped = () => {},
  onError = () => {},
}: {
  /** Returns how many partitions it dropped. */
  retain: () => Promise<number>;
  everyMs?: number;
  now?: () => number;
  onDropped?: (partitions: number) => void;
  onError?: (error: Error) => void;
}) => {
  let last = Number.NEGATIVE_INFINITY;
  return async function sweep() {
    if (now() - last < everyMs) {
      return;
    }
    last = now();
    try {
      const dropped = await retain();
      if (dropped > 0) {
        onDropped(dropped);
      }
    } catch (error) {
      onError(error as Error);
    }
  };
};
