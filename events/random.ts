/**
Random: random bytes, drawn from the system in bulk: one call of it costs several times what a request's few bytes may.

Out: a view of a pool, good until the next call and never to be kept. For ids and traces; keys and secrets have calls of their
own.
*/
import {randomFillSync} from 'node:crypto';

const pool = Buffer.alloc(4096);
let used = pool.length;

/** At most 4096 bytes. */
export const draw = (bytes: number): Buffer => {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.subarray(used - bytes, used);
};
