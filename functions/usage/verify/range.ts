/**
Range: which partitions and which request ids a time reaches over. Request ids carry their time and are in its order, so a range of
time is a range of the primary key, in each month's partition.
*/
export type Stretch = Readonly<{month: string; firstId: string; endId: string}>;

const idAt = (ms: number) => {
  const digits = Math.max(0, Math.floor(ms)).toString(16).padStart(12, '0');
  return `${digits.slice(0, 8)}-${digits.slice(8)}-0000-0000-000000000000`;
};

/** One a month, from the first to the last; ids from `firstId` on and before `endId`. */
export const stretchesOf = (fromMs: number, toMs: number): Stretch[] => {
  const stretches: Stretch[] = [];
  const first = new Date(fromMs);
  for (let step = 0; ; step += 1) {
    const start = Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + step);
    if (start >= toMs) {
      return stretches;
    }
    stretches.push({
      month: new Date(start).toISOString().slice(0, 10),
      firstId: idAt(fromMs),
      endId: idAt(toMs),
    });
  }
};
