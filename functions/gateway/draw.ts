/**
Draw: random bytes, drawn from the system in bulk: one call of it costs several times what a request's few bytes may.

In: how many. Out: bytes that are good until the next call; nobody ever gets them twice.
*/
import {randomFillSync} from 'node:crypto';

const pool = Buffer.alloc(8_192);
let used = pool.length;

export const draw = (bytes: number): Buffer => {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.subarray(used - bytes, used);
};
