import test from 'ava';
import fc from 'fast-check';
import {Partitioners, type PartitionMetadata} from 'kafkajs';
import {partitionByKey} from '../../events/kafka/partitioner.ts';

const metadata = (count: number) =>
  Array.from({length: count}, (_, partitionId) => ({
    ...{partitionId, leader: 0, replicas: [0], isr: [0], partitionErrorCode: 0},
  })) as PartitionMetadata[];

test('a key goes to the partition that other clients choose for it', t => {
  const theirs = Partitioners.DefaultPartitioner();
  const ours = partitionByKey(Partitioners.DefaultPartitioner)();
  fc.assert(
    fc.property(
      fc.oneof(fc.string({unit: 'binary'}), fc.uuid(), fc.uint8Array().map(Buffer.from)),
      fc.integer({min: 1, max: 50}),
      (key, count) => {
        const args = {topic: 'a', partitionMetadata: metadata(count), message: {key, value: ''}};
        t.is(ours(args), theirs(args));
      },
    ),
    {numRuns: 1_000},
  );
});

test('records without a key go round, and a partition that was chosen stays', t => {
  const ours = partitionByKey(Partitioners.DefaultPartitioner)();
  const partitionOf = (message: {key: null; partition?: number}) =>
    ours({topic: 'a', partitionMetadata: metadata(4), message: {...message, value: ''}});
  const seen = new Set(Array.from({length: 4}, () => partitionOf({key: null})));
  t.is(seen.size, 4);
  t.is(partitionOf({key: null, partition: 2}), 2);
});
