/** Draw: which key asks next, by Zipf's law, from a seeded source. In: how many, the exponent, a seed. Out: indexes. */

/** Mulberry32: small, seeded, even. */
const createRandom = (seed: number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
};

/** Number k (from 0) comes (k + 1)^-exponent times as often as the first. */
export const createDraw = (count: number, exponent: number, seed: number): (() => number) => {
  const random = createRandom(seed);
  const upTo = new Float64Array(count);
  let total = 0;
  for (let rank = 0; rank < count; rank++) {
    total += (rank + 1) ** -exponent;
    upTo[rank] = total;
  }
  return () => {
    const at = random() * total;
    let [low, high] = [0, count - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((upTo[middle] as number) < at) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  };
};
