/**
Message: what a record of Kafka is to a subscription.

In: a record. Out: an event that is wanted, one that is not, or, for what is no event, the reason and a text that keeps its
bytes for the dead letter.
*/
import {readKafkaRecord, toJson, wholeText} from '../../codec.ts';
import type {Event} from '../../event.ts';
import type {Subscription} from '../broker.ts';

export type RawRecord = Readonly<{
  offset: string;
  key: Buffer | null;
  value: Buffer | null;
  headers?: Record<string, Buffer | string | (Buffer | string)[] | undefined> | undefined;
}>;

export type Taken =
  | Readonly<{kind: 'event'; event: Event; json: string}>
  | Readonly<{kind: 'unwanted'}>
  | Readonly<{kind: 'bad'; reason: string; json: string}>;

export const takeRecord = (
  record: RawRecord,
  {wants, types}: Pick<Subscription, 'wants' | 'types'>,
): Taken => {
  try {
    const type = types && typeAtStart(record.value);
    if (type !== undefined && types?.has(type) === false) {
      return {kind: 'unwanted'};
    }
    const event = readKafkaRecord(record);
    if (wants && !wants(event)) {
      return {kind: 'unwanted'};
    }
    // A structured record is the JSON already.
    return {kind: 'event', event, json: wholeText(event) ?? toJson(event)};
  } catch (error) {
    return {kind: 'bad', reason: (error as Error).message, json: keep(record)};
  }
};

/** Members whose values are texts without escapes, and behind them the type. */
const untilType = /^\{(?:"[a-z]+":"[^"\\]*",)*?"type":"([^"\\]*)"/;
const lookedAtBytes = 512;

/** The type of an event of our own making, without reading all of it; undefined where it is not told so early or so plainly. */
const typeAtStart = (value: Buffer | null): string | undefined =>
  value === null ? undefined : untilType.exec(value.toString('latin1', 0, lookedAtBytes))?.[1];

/** Bytes as base64, since nobody knows what they are. */
const keep = ({key, value, headers = {}}: RawRecord) =>
  JSON.stringify({
    key: base64(key),
    value: base64(value),
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, values]) => [name, [values ?? []].flat().map(base64)]),
    ),
  });

const base64 = (bytes: Buffer | string | null) =>
  bytes === null ? null : Buffer.from(bytes).toString('base64');

export const bytesOf = ({key, value}: RawRecord) => (key?.length ?? 0) + (value?.length ?? 0);
