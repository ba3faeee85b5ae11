/**
Ascending ids: UUIDs of which each is higher than the one before, even in one millisecond and after the clock stepped back.

RFC 9562, 5.7, with the counter of 6.2 (method 1) in `rand_a` and the upper bits of `rand_b`.
*/
import {randomBytes} from 'node:crypto';

const counterBits = 26;

/** The time part of an id; what follows it is higher. */
const timeIn = (id: string) => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);

export const createAscendingIds = ({
  now = Date.now,
  random = randomBytes,
}: {
  now?: () => number;
  random?: (bytes: number) => Buffer;
} = {}) => {
  let time = 0;
  let counter = 0;
  return {
    /** Every id made from now on is higher than this one. */
    startAfter(id: string) {
      time = Math.max(time, timeIn(id) + 1);
      counter = 0;
    },
    next(): string {
      const at = now();
      counter += 1;
      if (at > time || counter >= 2 ** counterBits) {
        time = Math.max(at, time + 1);
        counter = 0;
      }
      const hex = time.toString(16).padStart(12, '0');
      const high = (counter >>> 14) | 0x70_00;
      const low = (counter & 0x3f_ff) | 0x80_00;
      return `${hex.slice(0, 8)}-${hex.slice(8)}-${high.toString(16)}-${low.toString(16)}-${random(6).toString('hex')}`;
    },
  };
};
