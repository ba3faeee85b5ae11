/**
Redis: events as entries of a stream, in binary mode: fields `ce_<attribute>`, `content-type`, and `data` with the bytes as they are.

In: an event, or the fields of an entry as a client gives them when asked for buffers. Out: the other. An entry is always
binary mode, so that a content type decides nothing but what the data is; absent data has no field.
*/
import type {Event} from '../event.ts';
import {type Gathering, gather, malformed} from './attributes.ts';
import {readBinary, type Written, writeBinary} from './binary.ts';
import {parseJson, readObject, textOf} from './json.ts';
import {dataTextIn} from './json-text.ts';

type Field = Buffer | string;

/** Names and values in turn, as XADD takes them. Data that is JSON is a text: clients write one in a piece, and bytes apart. */
export const toRedisFields = (event: Event): Field[] => fieldsOf(writeBinary(event));

/** Of an event that is JSON text already: its data is the text that is there. */
export const redisFieldsOf = (json: string): Field[] =>
  fieldsOf(writeBinary(readObject(parseJson(json)), event => dataTextIn(json, event)));

const fieldsOf = ({attributes, contentType, body}: Written): Field[] => {
  const fields: Field[] = [];
  for (const [name, text] of attributes) {
    fields.push(`ce_${name}`, text);
  }
  if (contentType !== undefined) {
    fields.push('content-type', contentType);
  }
  if (body !== undefined) {
    fields.push('data', body);
  }
  return fields;
};

/** Names and values in turn. Other fields than ours are nobody's attribute and are left out. */
export const readRedisFields = (fields: readonly Field[]): Event => {
  const attributes: Gathering = {};
  const others = new Map<string, Field>();
  for (let at = 0; at < fields.length; at += 2) {
    const name = textOf(fields[at] as Field);
    const value = fields[at + 1];
    if (value === undefined || others.has(name)) {
      throw malformed('the fields of an entry are pairs, and each name comes once');
    }
    if (name.startsWith('ce_')) {
      gather(attributes, name.slice(3), textOf(value));
    } else {
      others.set(name, value);
    }
  }
  const data = others.get('data');
  const contentType = others.get('content-type');
  return readBinary({
    attributes,
    contentType: contentType === undefined ? undefined : textOf(contentType),
    body: typeof data === 'string' ? Buffer.from(data) : data,
  });
};
