/**
Wait: how long one that comes now would wait, by how long the last requests had their places.

In: how long each had its place. Out: an estimate of the mean. Who is next is never refused by it: whatever is true of him, a place that
comes free must find somebody. Who is let in by it may still wait in vain, and is told then.
*/
export type ServiceTimes = Readonly<{
  add(tookMs: number): void;
  /** Until so many others, and then one more, have had one of so many places; 0 for who is next, and while too little is known. */
  waitMs(ahead: number, places: number): number;
}>;

export const createServiceTimes = ({
  samplesMin = 8,
  weight = 1 / 32,
}: {
  samplesMin?: number;
  /** Of the newest: the mean follows the last few dozen. */
  weight?: number;
} = {}): ServiceTimes => {
  let samples = 0;
  let meanMs = 0;
  return {
    add(tookMs) {
      samples += 1;
      meanMs += (tookMs - meanMs) * Math.max(weight, 1 / samples);
    },
    waitMs: (ahead, places) =>
      samples < samplesMin || ahead <= 0 || places <= 0 ? 0 : ((ahead + 1) * meanMs) / places,
  };
};
