/**
Turns: whose records come next. In: partitions, how often somebody had a turn. Out: the same in their order of now, and a batch.
*/
import type {Entry, Partition} from './partition.ts';

export type Held = Readonly<{partition: Partition; entry: Entry}>;

/** Each partition has its turn, so that none that is always full keeps another waiting. */
export const inTurn = (all: readonly Partition[], turn: number): Partition[] => {
  const at = all.length === 0 ? 0 : turn % all.length;
  return [...all.slice(at), ...all.slice(0, at)];
};

/**
Of as many partitions as it takes. Ordered, those of which something is tried again go alone, so that what fails for ever holds up
its own partition and no other.
*/
export const gather = (
  all: readonly Partition[],
  {time, batchMax, ordered}: {time: number; batchMax: number; ordered: boolean},
): Held[] => {
  const held: Held[] = [];
  for (const partition of all) {
    const alone = ordered && partition.isRetrying();
    if (alone && held.length > 0) {
      continue;
    }
    for (const entry of partition.take(time, batchMax - held.length)) {
      held.push({partition, entry});
    }
    if (held.length === batchMax || (alone && held.length > 0)) {
      break;
    }
  }
  return held;
};
