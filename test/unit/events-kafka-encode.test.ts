/** A produce request that we write is, byte for byte, the one that kafkajs writes. */
import {createRequire} from 'node:module';
import test from 'ava';
import fc from 'fast-check';
import {crc32c} from '../../events/kafka/crc32c.ts';
import {encodeProduce, type ProduceRequest} from '../../events/kafka/encode.ts';

type Theirs = (request: ProduceRequest) => {encode(): Promise<{buffer: Buffer}>};
const require = createRequire(import.meta.url);
const theirs = require('kafkajs/src/protocol/requests/produce/v7/request.js') as Theirs;
const theirCrc = require('kafkajs/src/protocol/recordBatch/crc32C/index.js') as (
  bytes: Buffer,
) => number;

const text = fc.oneof(fc.string({unit: 'binary', maxLength: 200}), fc.string({maxLength: 3_000}));
const bytes = fc.uint8Array({maxLength: 300}).map(some => Buffer.from(some));
const record = fc.record({
  key: fc.option(fc.oneof(text, bytes)),
  value: fc.oneof(text, bytes, fc.constant(null)),
  timestamp: fc
    .oneof(
      fc.integer({min: 1_700_000_000_000, max: 1_700_000_600_000}),
      fc.integer({min: 1_000_000_000_000, max: 1_900_000_000_000}),
    )
    .map(String),
  headers: fc
    .dictionary(
      fc.string({minLength: 1, maxLength: 30}),
      fc.oneof(
        fc.string({maxLength: 90}),
        fc.array(fc.string({maxLength: 9}), {minLength: 1, maxLength: 3}),
      ),
      {maxKeys: 3, noNullPrototype: true},
    )
    .chain(headers => fc.constantFrom(headers, Object.freeze({...headers}))),
});
const request = fc.record({
  acks: fc.constantFrom(-1, 1),
  timeout: fc.integer({min: 1, max: 60_000}),
  transactionalId: fc.option(fc.string({minLength: 1, maxLength: 20}), {nil: undefined}),
  producerId: fc.constantFrom(-1, 7, 4_294_967_297),
  producerEpoch: fc.nat({max: 100}),
  topicData: fc.array(
    fc.record({
      topic: fc.string({minLength: 1, maxLength: 40}),
      partitions: fc.array(
        fc.record({
          partition: fc.nat({max: 23}),
          firstSequence: fc.nat(),
          messages: fc.array(record, {minLength: 1, maxLength: 70}),
        }),
        {minLength: 1, maxLength: 3},
      ),
    }),
    {minLength: 1, maxLength: 2},
  ),
});

test('a request is written as kafkajs writes it', async t => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(request, async asked => {
      const expected = (await theirs(asked).encode()).buffer;
      compared += 1;
      // Headers that are frozen are written once and copied from then on.
      return encodeProduce(asked).equals(expected) && encodeProduce(asked).equals(expected);
    }),
    {numRuns: 200},
  );
  t.true(compared >= 200);
});

test('the checksum is that of RFC 3720, of any length from anywhere', t => {
  t.is(crc32c(Buffer.from('123456789')), 0xe3069283);
  t.is(crc32c(Buffer.alloc(32)), 0x8a9136aa);
  fc.assert(
    fc.property(fc.uint8Array({maxLength: 200}), fc.nat({max: 20}), (some, start) => {
      const all = Buffer.from(some);
      const from = Math.min(start, all.length);
      return crc32c(all, from) === theirCrc(all.subarray(from));
    }),
  );
  t.pass();
});
