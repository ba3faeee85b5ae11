/**
Kafka: events as records. Ours are structured JSON; binary ones of other producers are read as well. Kafka binding 1.0.2.

In: an event, or a record as kafkajs gives it. Out: the other. Texts are UTF-8, never percent-coded; the key only orders and
is no attribute: what the producer meant by it is in the event.
*/

import {SluiceError} from '../errors.ts';
import type {Event, WrittenEvent} from '../event.ts';
import {type Gathering, gather, malformed} from './attributes.ts';
import {readBinary} from './binary.ts';
import {eventFormatOf} from './http.ts';
import {readJson, structuredType, textOf, toJson} from './json.ts';
import {isEventType} from './media-type.ts';

type Value = Buffer | string;
export type KafkaRecord = Readonly<{
  key?: Value | null;
  /** Null, a tombstone, is absent data. */
  value: Value | null;
  headers?: Readonly<Record<string, Value | Value[] | undefined>>;
}>;
export type WrittenRecord = {
  key: string | null;
  value: string;
  headers: Readonly<Record<string, string>>;
};

/** One object for all: who writes records looks at it once (`kafka/encode.ts`). */
const structuredHeaders = Object.freeze({'content-type': structuredType});

/** Of an event that is JSON text already: what was read is sent as it is. */
export const recordOf = (json: string, key: string | null): WrittenRecord => ({
  key,
  value: json,
  headers: structuredHeaders,
});

/** Order is kept by `partitionkey`, and by the organisation where nothing is said. */
export const toKafkaRecord = (event: Event | WrittenEvent): WrittenRecord =>
  recordOf(toJson(event), String(event.partitionkey ?? '') || String(event.orgid ?? '') || null);

export const readKafkaRecord = ({value, headers = {}}: KafkaRecord): Event => {
  const contentType = textIn(headers, 'content-type') ?? textIn(headers, 'Content-Type');
  if (!isEventType(contentType)) {
    return readBinary({
      attributes: attributesIn(headers),
      contentType,
      body: typeof value === 'string' ? Buffer.from(value) : (value ?? undefined),
    });
  }
  if (eventFormatOf(contentType as string) === 'batch') {
    throw new SluiceError('unsupported_media_type', 'a record is one event, never a batch');
  }
  if (value === null) {
    throw malformed('the record has no value');
  }
  return readJson(value);
};

const attributesIn = (headers: NonNullable<KafkaRecord['headers']>) => {
  const attributes: Gathering = {};
  for (const name of Object.keys(headers)) {
    const text = name.startsWith('ce_') ? textIn(headers, name) : undefined;
    if (text !== undefined) {
      gather(attributes, name.slice(3), text);
    }
  }
  return attributes;
};

/** A header that comes twice is refused: readers differ in which one counts, and it may be the organisation. */
const textIn = (headers: NonNullable<KafkaRecord['headers']>, name: string) => {
  const value = headers[name];
  if (!Array.isArray(value)) {
    return value === undefined ? undefined : textOf(value);
  }
  if (value.length > 1) {
    throw malformed('a header of the record comes twice');
  }
  return value[0] === undefined ? undefined : textOf(value[0]);
};
