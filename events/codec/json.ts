/**
JSON: one event or a batch as JSON text, which is what logs, queues, rows and structured mode carry. JSON format 1.0.2.

In: text or bytes. Out: events, or a refusal that quotes nothing of what was sent. Written back, the data is the text it was
read from (`json-text.ts`).
*/
import {isUtf8} from 'node:buffer';
import {whereInJson} from '../errors.ts';
import type {Event, WrittenEvent} from '../event.ts';
import {checked, fromBase64, type Members, malformed} from './attributes.ts';
import {keepText, keptText} from './json-text.ts';

export const structuredType = 'application/cloudevents+json';
export const batchType = 'application/cloudevents-batch+json';

/** More is refused: at a few thousand JSON.stringify, PostgreSQL and most other parsers overflow their stacks. */
const depthMax = 200;

export const readJson = (json: Buffer | string): Event => {
  const text = textOf(json);
  return keepText(readObject(parseJson(text)), {text, of: 'event'});
};

export const readBatch = (json: Buffer): Event[] => {
  const text = textOf(json);
  const list = parseJson(text);
  if (!Array.isArray(list)) {
    throw malformed('a batch is a JSON array of events');
  }
  const source = {text, of: 'batch'} as const;
  return list.map((value, index) => keepText(readObject(value), source, index));
};

/** One event that is parsed JSON already, as a row or a queue gives it back. */
export const readObject = (value: unknown): Event => {
  const event = checked(membersOf(value));
  if (!(event.data instanceof Uint8Array)) {
    checkDepth(event.data);
  }
  return event;
};

/** What is no UTF-8 is refused, because decoding would put other characters in its place. */
export const textOf = (bytes: Buffer | string): string => {
  if (typeof bytes === 'string') {
    return bytes;
  }
  const text = bytes.toString('utf8');
  // Decoding puts this character in the place of what is none; where there is none of it, all was well.
  if (text.includes('\ufffd') && !isUtf8(bytes)) {
    throw malformed('the event is not UTF-8');
  }
  return text;
};

export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw malformed(`the event is not JSON: ${whereInJson(error)}`);
  }
};

export const checkDepth = (data: unknown) => {
  if (isObject(data) && isDeeper(data, depthMax)) {
    throw malformed(`the data is nested more than ${depthMax} deep`);
  }
};

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** Asked of every event that is read: a call for each number and text in it would cost as much as parsing it. */
const isDeeper = (value: object, left: number): boolean => {
  if (left === 0) {
    return true;
  }
  if (Array.isArray(value)) {
    return value.some(inner => isObject(inner) && isDeeper(inner, left - 1));
  }
  const members = value as Record<string, unknown>;
  for (const name in members) {
    const inner = members[name];
    if (isObject(inner) && isDeeper(inner, left - 1)) {
      return true;
    }
  }
  return false;
};

/** Sections 2.2 and 3.1: null is absent; `data_base64` carries bytes, `data` any JSON value. */
const membersOf = (value: unknown): Members => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed('an event is a JSON object');
  }
  const given = value as Record<string, unknown>;
  for (const name in given) {
    if (name === 'data_base64' || (given[name] === null && name !== 'data')) {
      return unpacked(given);
    }
  }
  // Most events: nothing to leave out, and no copy to pay for.
  return given;
};

const unpacked = ({data_base64: base64, ...given}: Record<string, unknown>): Members => {
  const members = Object.fromEntries(
    Object.entries(given).filter(([name, member]) => member !== null || name === 'data'),
  );
  if (base64 === undefined || base64 === null) {
    return members;
  }
  if (typeof base64 !== 'string' || 'data' in members) {
    throw malformed('data_base64 is a string and stands alone, without data');
  }
  return {...members, data: fromBase64(base64)};
};

/** One event as a JSON object. */
export const toJson = (event: Event | WrittenEvent): string => {
  if (event.specversion === undefined) {
    return event.json;
  }
  const bytes = bytesIn(event);
  const text = bytes === undefined ? keptText(event) : undefined;
  if (bytes === undefined && text === undefined) {
    return JSON.stringify(event);
  }
  const {data, ...attributes} = event;
  return bytes === undefined
    ? `${JSON.stringify(attributes).slice(0, -1)},"data":${text}}`
    : JSON.stringify({...attributes, data_base64: bytes.toString('base64')});
};

/** Data that is bytes. An event of the SDK says them in `data_base64` also, and only there are they always right. */
export const bytesIn = ({data, data_base64: base64}: Event): Buffer | undefined => {
  if (typeof base64 === 'string') {
    return Buffer.from(base64, 'base64');
  }
  return data instanceof Uint8Array
    ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    : undefined;
};
