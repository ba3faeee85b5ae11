/**
Window: how far a group may commit what it read of one partition: to the oldest record that is not settled, never past it.

In: offsets as they are read, ascending, with gaps; offsets that are settled, in any order. Out: the low-water mark.
*/
export type Window = Readonly<{
  /** False for what was read before: after a rebalance reading begins again at what was committed. */
  read(offset: number): boolean;
  /** Nothing below is left to read: control records, and what was compacted away, never come. */
  skipTo(offset: number): void;
  settle(offset: number): void;
  /** What to commit: everything below is settled. */
  lowWater(): number;
  /** One past what was read. */
  readTo(): number;
  /** Records read and at or past the low-water mark, settled ones among them. */
  size(): number;
}>;

export const createWindow = (start: number): Window => {
  /** Read, ascending; what is before `head` is below the low-water mark. */
  let offsets: number[] = [];
  let head = 0;
  let next = start;
  const settled = new Set<number>();

  const compact = () => {
    if (head > 1_000 && head > offsets.length / 2) {
      offsets = offsets.slice(head);
      head = 0;
    }
  };
  const lowWater = () => offsets[head] ?? next;

  return {
    read(offset) {
      if (offset < next) {
        return false;
      }
      offsets.push(offset);
      next = offset + 1;
      return true;
    },
    skipTo(offset) {
      next = Math.max(next, offset);
    },
    settle(offset) {
      if (offset < lowWater() || offset >= next) {
        return;
      }
      settled.add(offset);
      while (head < offsets.length && settled.delete(offsets[head] as number)) {
        head += 1;
      }
      compact();
    },
    lowWater,
    readTo: () => next,
    size: () => offsets.length - head,
  };
};
