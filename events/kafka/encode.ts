/**
Encode: a produce request of Kafka (versions 3 to 7, not compressed) in one buffer, written once.

In: records by topic and partition, as kafkajs hands them to its own encoder. Out: the request's body. kafkajs writes each record, batch,
partition and topic into buffers of its own and copies them into the next: with its checksum that was about a tenth of a request's
processor time at the gateway, by a profile. https://kafka.apache.org/documentation/#recordbatch
*/
import {crc32c} from './crc32c.ts';

type Bytes = Buffer | string | null | undefined;
export type ProduceRecord = Readonly<{
  key?: Bytes;
  value: Bytes;
  /** As text of milliseconds; absent: now. */
  timestamp?: string | number | undefined;
  headers?: Readonly<Record<string, Bytes | readonly Bytes[]>> | undefined;
}>;
/** kafkajs's own: 64 bits in two halves. */
type Long = Readonly<{getHighBits(): number; getLowBits(): number}>;
export type ProduceRequest = Readonly<{
  acks: number;
  timeout: number;
  transactionalId?: string | null | undefined;
  producerId?: Long | number | undefined;
  producerEpoch?: number | undefined;
  topicData: readonly Readonly<{
    topic: string;
    partitions: readonly Readonly<{
      partition: number;
      firstSequence?: number | undefined;
      messages: readonly ProduceRecord[];
    }>[];
  }>[];
}>;

const magic = 2;
const transactionalBit = 16;
/** Of a batch, before its records: from its first offset to their number. */
const batchHeadBytes = 61;
/** Within that: where the length counts from, where the checksum begins and what it covers. */
const [afterLength, checksumAt, checksumFrom] = [12, 17, 21];
/** A record's varints and its attributes, at most. */
const recordHeadBytes = 40;

const bytesIn = (value: Bytes) =>
  typeof value === 'string' ? Buffer.byteLength(value) : (value?.length ?? 0);
const headersOf = ({headers}: ProduceRecord): readonly (readonly [string, Bytes])[] =>
  Object.entries(headers ?? {}).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map(one => [name, one as Bytes] as const),
  );

/** Where a request is being written. */
type Writing = {readonly bytes: Buffer; at: number};

const zigZag = (value: number) => ((value << 1) ^ (value >> 31)) >>> 0;
/** Milliseconds since the first record of a batch: never below nought, and more than 32 bits where somebody says old times. */
const varlongBytes = (value: number) => {
  let size = 1;
  for (let left = value * 2; left > 0x7f; left = Math.floor(left / 128)) {
    size += 1;
  }
  return size;
};
const varintBytes = (value: number) => {
  let size = 1;
  for (let left = zigZag(value); left > 0x7f; left >>>= 7) {
    size += 1;
  }
  return size;
};
const writeVarint = (to: Writing, value: number) => {
  let left = zigZag(value);
  for (; left > 0x7f; left >>>= 7) {
    to.bytes[to.at++] = (left & 0x7f) | 0x80;
  }
  to.bytes[to.at++] = left;
};
const writeVarlong = (to: Writing, value: number) => {
  let left = value * 2;
  for (; left > 0x7f; left = Math.floor(left / 128)) {
    to.bytes[to.at++] = (left % 128) | 0x80;
  }
  to.bytes[to.at++] = left;
};
const writeInt16 = (to: Writing, value: number) => {
  to.at = to.bytes.writeInt16BE(value, to.at);
};
const writeInt32 = (to: Writing, value: number) => {
  to.at = to.bytes.writeInt32BE(value, to.at);
};
const writeInt64 = (to: Writing, value: Long | number) => {
  if (typeof value === 'number') {
    to.at = to.bytes.writeBigInt64BE(BigInt(value), to.at);
  } else {
    writeInt32(to, value.getHighBits());
    writeInt32(to, value.getLowBits());
  }
};
const writeRaw = (to: Writing, value: Bytes) => {
  if (typeof value === 'string') {
    to.at += to.bytes.write(value, to.at);
  } else if (value) {
    to.at += value.copy(to.bytes, to.at);
  }
};
const writeString = (to: Writing, value: string | null) => {
  writeInt16(to, value === null ? -1 : Buffer.byteLength(value));
  writeRaw(to, value);
};
const writeSized = (to: Writing, value: Bytes, size: number) => {
  writeVarint(to, value === null || value === undefined ? -1 : size);
  writeRaw(to, value);
};
const sizedBytes = (value: Bytes, size: number) =>
  value === null || value === undefined ? 1 : varintBytes(size) + size;

const writeHeaders = (record: ProduceRecord): Buffer => {
  const headers = headersOf(record);
  let size = varintBytes(headers.length);
  for (const [name, one] of headers) {
    size += sizedBytes(name, bytesIn(name)) + sizedBytes(one, bytesIn(one));
  }
  const to: Writing = {bytes: Buffer.allocUnsafe(size), at: 0};
  writeVarint(to, headers.length);
  for (const [name, one] of headers) {
    writeSized(to, name, bytesIn(name));
    writeSized(to, one, bytesIn(one));
  }
  return to.bytes;
};

const written = new WeakMap<object, Buffer>();
const noHeaders = writeHeaders({value: null});

/** Headers as they stand in a record: written once where they are frozen, as those of all our records are. */
const headerBytes = (record: ProduceRecord): Buffer => {
  const {headers} = record;
  if (!headers) {
    return noHeaders;
  }
  const known = written.get(headers);
  const bytes = known ?? writeHeaders(record);
  if (!known && Object.isFrozen(headers)) {
    written.set(headers, bytes);
  }
  return bytes;
};

const writeRecord = (to: Writing, record: ProduceRecord, index: number, sinceFirstMs: number) => {
  const {key, value} = record;
  const [keyBytes, valueBytes, headers] = [bytesIn(key), bytesIn(value), headerBytes(record)];
  const size =
    1 +
    varlongBytes(sinceFirstMs) +
    varintBytes(index) +
    sizedBytes(key, keyBytes) +
    sizedBytes(value, valueBytes) +
    headers.length;
  writeVarint(to, size);
  to.bytes[to.at++] = 0;
  writeVarlong(to, sinceFirstMs);
  writeVarint(to, index);
  writeSized(to, key, keyBytes);
  writeSized(to, value, valueBytes);
  writeRaw(to, headers);
};

type Batch = ProduceRequest['topicData'][number]['partitions'][number];

const writeBatch = (
  to: Writing,
  {messages, firstSequence = 0}: Batch,
  {transactionalId, producerId = -1, producerEpoch = 0}: ProduceRequest,
  nowMs: number,
) => {
  const times = messages.map(({timestamp}) => Number(timestamp ?? nowMs));
  const firstMs = Math.min(...times);
  const begin = to.at;
  to.at += checksumFrom;
  writeInt16(to, transactionalId ? transactionalBit : 0);
  writeInt32(to, messages.length - 1);
  writeInt64(to, firstMs);
  writeInt64(to, Math.max(...times));
  writeInt64(to, producerId);
  writeInt16(to, producerEpoch);
  writeInt32(to, firstSequence);
  writeInt32(to, messages.length);
  for (const [index, message] of messages.entries()) {
    writeRecord(to, message, index, (times[index] as number) - firstMs);
  }
  const {bytes} = to;
  bytes.writeBigInt64BE(0n, begin);
  bytes.writeInt32BE(to.at - begin - afterLength, begin + 8);
  bytes.writeInt32BE(0, begin + afterLength);
  bytes[begin + 16] = magic;
  bytes.writeUInt32BE(crc32c(bytes, begin + checksumFrom, to.at), begin + checksumAt);
};

/** No less than what it will take. */
const roomFor = ({topicData, transactionalId}: ProduceRequest) => {
  let bytes = 12 + bytesIn(transactionalId);
  for (const {topic, partitions} of topicData) {
    bytes += 6 + bytesIn(topic);
    for (const {messages} of partitions) {
      bytes += 8 + batchHeadBytes;
      for (const record of messages) {
        bytes += recordHeadBytes + bytesIn(record.key) + bytesIn(record.value);
        bytes += headerBytes(record).length;
      }
    }
  }
  return bytes;
};

export const encodeProduce = (request: ProduceRequest, nowMs = Date.now()): Buffer => {
  const to: Writing = {bytes: Buffer.allocUnsafe(roomFor(request)), at: 0};
  writeString(to, request.transactionalId ?? null);
  writeInt16(to, request.acks);
  writeInt32(to, request.timeout);
  writeInt32(to, request.topicData.length);
  for (const {topic, partitions} of request.topicData) {
    writeString(to, topic);
    writeInt32(to, partitions.length);
    for (const batch of partitions) {
      writeInt32(to, batch.partition);
      const sizeAt = to.at;
      to.at += 4;
      writeBatch(to, batch, request, nowMs);
      to.bytes.writeInt32BE(to.at - sizeAt - 4, sizeAt);
    }
  }
  return to.bytes.subarray(0, to.at);
};
