/**
SDK letters: our side of an exchange with an SDK: every way that we write an event, and how we read what comes back.

In: events. Out: messages by binding and mode; and back.
*/
import {
  readHttp,
  readKafkaRecord,
  toBinary,
  toKafkaRecord,
  toStructured,
} from '../../events/codec.ts';
import type {Event} from '../../events/event.ts';
import {type Binding, type Letter, type Mode, meaningOf, plainOf, type Sdk} from './sdks.ts';

/** We write structured records only; a binary one is made as the Kafka binding says. */
const toBinaryRecord = ({data, datacontenttype, ...attributes}: Event): Letter => {
  const plain = plainOf({...attributes, datacontenttype, data} as Event);
  return {
    headers: {
      ...Object.fromEntries(
        Object.entries(attributes).map(([name, value]) => [`ce_${name}`, String(value)]),
      ),
      ...(datacontenttype === undefined ? {} : {'content-type': datacontenttype}),
    },
    body: plain.data,
  };
};

const toStructuredRecord = (event: Event): Letter => {
  const {headers, value} = toKafkaRecord(event);
  return {headers, body: Buffer.from(value)};
};

type Single = Exclude<Mode, 'batch'>;

export const ways: ReadonlyArray<readonly [Binding, Single, (event: Event) => Letter]> = [
  ['http', 'binary', toBinary],
  ['http', 'structured', toStructured],
  ['kafka', 'binary', toBinaryRecord],
  ['kafka', 'structured', toStructuredRecord],
];

export const receive = (
  binding: Binding,
  {headers, body}: Pick<Letter, 'headers' | 'body'>,
): Event[] =>
  binding === 'http'
    ? readHttp(headers, body ?? Buffer.alloc(0)).events
    : [readKafkaRecord({headers, value: body ?? null})];

export const meaning = (event: Event) => meaningOf(plainOf(event));

/** What the SDK reads of what we write. */
export const theyRead = async (sdk: Sdk, way: (typeof ways)[number], event: Event) => {
  const [read] = await sdk.read(way[0], way[2](event));
  return read && meaningOf(read);
};

/** What we read of what the SDK writes. */
export const weRead = async (sdk: Sdk, [binding, mode]: (typeof ways)[number], event: Event) => {
  const [read] = receive(binding, await sdk.write(binding, mode, [plainOf(event)]));
  return read && meaning(read);
};
