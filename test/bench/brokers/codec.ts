/**
Codec: what it costs to write and to read one event in each binding, beside JSON.stringify and JSON.parse of the same.

In: rounds. Out: µs of CPU, medians and ranges. Interleaved like everything here, in this process.
*/
import {
  readHttp,
  readJson,
  readKafkaRecord,
  readRedisFields,
  toBinary,
  toJson,
  toKafkaRecord,
  toRedisFields,
  toStructured,
} from '../../../events/codec.ts';
import type {Event} from '../../../events/event.ts';
import {median, rounded} from '../figures.ts';
import {createEvents} from './event.ts';
import type {Figure} from './judge.ts';

export type CodecFinding = Readonly<{
  binding: string;
  writeMicros: Figure;
  readMicros: Figure;
  /** Write and read ÷ JSON.stringify and JSON.parse. */
  ratio: number;
}>;
type Codec = Readonly<{write: (event: Event) => unknown; read: (written: never) => unknown}>;

const events = 500;
const turns = 20;

const onTheWire = (fields: readonly (string | Buffer)[]) => fields.map(field => Buffer.from(field));

/** What is read is what comes off a socket: bytes, where the client gives bytes. */
const codecs: Readonly<Record<string, Codec & {received?: (written: never) => unknown}>> = {
  'JSON.stringify, JSON.parse': {
    write: event => JSON.stringify(event),
    read: (text: string) => JSON.parse(text),
  },
  'JSON text': {write: toJson, read: readJson},
  'HTTP, structured': {
    write: toStructured,
    read: ({headers, body}: ReturnType<typeof toStructured>) => readHttp(headers, body),
  },
  'HTTP, binary': {
    write: toBinary,
    read: ({headers, body}: ReturnType<typeof toBinary>) => readHttp(headers, body),
  },
  'Kafka, structured': {
    write: toKafkaRecord,
    received: ({key, value, headers}: ReturnType<typeof toKafkaRecord>) => ({
      key: Buffer.from(key ?? ''),
      value: Buffer.from(value),
      headers: {'content-type': Buffer.from(headers['content-type'] ?? '')},
    }),
    read: readKafkaRecord,
  },
  'Redis, binary': {write: toRedisFields, received: onTheWire, read: readRedisFields},
};

const microsOf = (work: () => void) => {
  const before = process.cpuUsage();
  for (let turn = 0; turn < turns; turn++) {
    work();
  }
  const {user, system} = process.cpuUsage(before);
  return (user + system) / (turns * events);
};

const figureOf = (values: readonly number[]): Figure => ({
  median: rounded(median(values), 2),
  range: [rounded(Math.min(...values), 2), rounded(Math.max(...values), 2)],
});

export const measureCodec = (rounds: number): CodecFinding[] => {
  const some = createEvents('codec')(events);
  const prepared = Object.entries(codecs).map(([binding, {write, read, received}]) => {
    const written = some.map(event => {
      const one = write(event) as never;
      return (received ? received(one) : one) as never;
    });
    return {
      binding,
      write: () => some.forEach(event => void write(event)),
      read: () => written.forEach(one => void read(one)),
      writes: [] as number[],
      reads: [] as number[],
    };
  });
  // One more, which is not counted: it compiles.
  for (let round = 0; round <= rounds; round++) {
    for (const {write, read, writes, reads} of prepared) {
      writes.push(microsOf(write));
      reads.push(microsOf(read));
    }
  }
  const bothOf = ({writes, reads}: {writes: number[]; reads: number[]}) =>
    median(writes.slice(1)) + median(reads.slice(1));
  const least = bothOf(prepared[0] as {writes: number[]; reads: number[]});
  return prepared.map(one => ({
    binding: one.binding,
    writeMicros: figureOf(one.writes.slice(1)),
    readMicros: figureOf(one.reads.slice(1)),
    ratio: rounded(bothOf(one) / least, 1),
  }));
};
