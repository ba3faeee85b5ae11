/**
Redis: events as entries of a stream, in binary mode: fields `ce_<attribute>`, `content-type`, and `data` with the bytes as they are.

In: an event, or the fields of an entry as a client gives them when asked for buffers. Out: the other. An entry is always
binary mode, so that a content type decides nothing but what the data is; absent data has no field.
*/
import type {Event} from '../event.ts';
import {malformed} from './attributes.ts';
import {readBinary, writeBinary} from './binary.ts';
import {textOf} from './json.ts';

type Field = Buffer | string;

/** Names and values in turn, as XADD takes them. */
export const toRedisFields = (event: Event): Field[] => {
  const {attributes, contentType, body} = writeBinary(event);
  return [
    ...attributes.flatMap(([name, text]) => [`ce_${name}`, text]),
    ...(contentType === undefined ? [] : ['content-type', contentType]),
    ...(body === undefined ? [] : ['data', body]),
  ];
};

/** Names and values in turn. Other fields than ours are nobody's attribute and are left out. */
export const readRedisFields = (fields: readonly Field[]): Event => {
  const values = new Map<string, Field>();
  for (let at = 0; at < fields.length; at += 2) {
    const name = textOf(fields[at] as Field);
    const value = fields[at + 1];
    if (value === undefined || values.has(name)) {
      throw malformed('the fields of an entry are pairs, and each name comes once');
    }
    values.set(name, value);
  }
  const data = values.get('data');
  const contentType = values.get('content-type');
  return readBinary({
    attributes: [...values]
      .filter(([name]) => name.startsWith('ce_'))
      .map(([name, value]) => [name.slice(3), textOf(value)]),
    contentType: contentType === undefined ? undefined : textOf(contentType),
    body: typeof data === 'string' ? Buffer.from(data) : data,
  });
};
