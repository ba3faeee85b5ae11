/**
Partitioner: which partition a record goes to: the one that Java's clients, and kafkajs's own partitioner, choose for its key.

In: a key, the topic's partitions. Out: a partition. kafkajs computes the same hash with 64-bit numbers made of objects, which costs
more than all else that a send does with a record.
*/
import type {ICustomPartitioner} from 'kafkajs';

const seed = 0x9747b28c;
const factor = 0x5bd1e995;

/** MurmurHash2 of 32 bits, as `org.apache.kafka.common.utils.Utils` has it. */
export const murmur2 = (bytes: Uint8Array): number => {
  const {length} = bytes;
  const at = (place: number) => bytes[place] as number;
  const rest = length & ~3;
  let hash = seed ^ length;
  for (let place = 0; place < rest; place += 4) {
    let word = at(place) | (at(place + 1) << 8) | (at(place + 2) << 16) | (at(place + 3) << 24);
    word = Math.imul(word, factor);
    word = Math.imul(word ^ (word >>> 24), factor);
    hash = Math.imul(hash, factor) ^ word;
  }
  if (length > rest) {
    for (let place = length - 1; place >= rest; place -= 1) {
      hash ^= at(place) << (8 * (place - rest));
    }
    hash = Math.imul(hash, factor);
  }
  hash = Math.imul(hash ^ (hash >>> 13), factor);
  return hash ^ (hash >>> 15);
};

/** Of as many keys the hashes are remembered. */
const keysMax = 10_000;

const createHashes = () => {
  const hashes = new Map<string, number>();
  return (key: string): number => {
    let hash = hashes.get(key);
    if (hash === undefined) {
      hash = murmur2(Buffer.from(key)) & 0x7fffffff;
      if (hashes.size >= keysMax) {
        hashes.clear();
      }
      hashes.set(key, hash);
    }
    return hash;
  };
};

/** `other` is asked for records without a key. */
export const partitionByKey =
  (other: ICustomPartitioner): ICustomPartitioner =>
  () => {
    const keyless = other();
    const hashOf = createHashes();
    return function partition(args) {
      const {key, partition: chosen} = args.message;
      if (key === null || key === undefined || typeof chosen === 'number') {
        return keyless(args);
      }
      const hash = typeof key === 'string' ? hashOf(key) : murmur2(key) & 0x7fffffff;
      return hash % args.partitionMetadata.length;
    };
  };
