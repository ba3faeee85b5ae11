/**
Binary mode, as every binding has it: attributes as texts beside the data, the data as bytes with a content type.

In: texts by attribute, a content type, the data. Out: an event; and back. How texts are named and coded is the binding's affair.

JSON data is parsed; everything else stays bytes. So does JSON in another charset than UTF-8: to parse it we would have to
translate it, and what is forwarded would not be what was sent; to refuse it would lose an event that others can read.
*/
import type {Event} from '../event.ts';
import {checked, type Gathering, isBase64} from './attributes.ts';
import {bytesIn, checkDepth, parseJson, textOf} from './json.ts';
import {keepText, keptText} from './json-text.ts';
import {isJsonType, isUtf8Charset} from './media-type.ts';

/** Absent data is undefined in both. */
export type Read = Readonly<{
  /** As `gather` has made them; they become the event. */
  attributes: Gathering;
  contentType: string | undefined;
  body: Buffer | undefined;
}>;
export type Written = Readonly<{
  attributes: ReadonlyArray<readonly [name: string, text: string]>;
  contentType: string | undefined;
  /** A text is sent as UTF-8. */
  body: Buffer | string | undefined;
}>;

export const readBinary = ({attributes: members, contentType, body}: Read): Event => {
  const type = contentType || (members.datacontenttype as string | undefined);
  if (type !== undefined) {
    members.datacontenttype = type;
  }
  if (body === undefined) {
    return checked(members);
  }
  const coded = members.specversion === '0.3' && isBase64(members.datacontentencoding);
  if (coded || !isJsonType(type) || !isUtf8Charset(type ?? '')) {
    members.data = body;
    return checked(members);
  }
  if (body.length === 0) {
    // No JSON is empty; senders without data say so like this.
    return checked(members);
  }
  const parsed = type === undefined ? jsonIfAny(body) : jsonIn(body);
  if (parsed === undefined) {
    members.data = body;
    return checked(members);
  }
  checkDepth(parsed.data);
  members.data = parsed.data;
  return keepText(checked(members), {text: parsed.text, of: 'data'});
};

const jsonIn = (body: Buffer) => {
  const text = textOf(body);
  return {text, data: parseJson(text)};
};

/** Where nothing is said, data may be anything, and Knative's brokers forward it. */
const jsonIfAny = (body: Buffer) => {
  try {
    return jsonIn(body);
  } catch {
    return undefined;
  }
};

export const writeBinary = (event: Event, textOfData = keptText): Written => {
  const attributes: [string, string][] = [];
  for (const name of Object.keys(event)) {
    const value = event[name];
    if (value !== undefined && value !== null && !apart.has(name)) {
      attributes.push([name, String(value)]);
    }
  }
  return {attributes, ...bodyOf(event, textOfData)};
};

/** No attributes, or said by the body. An event of the SDK has its bytes under the last name too. */
const apart = new Set(['data', 'datacontenttype', 'data_base64']);

const bodyOf = (
  event: Event,
  textOfData: (event: Event) => string | undefined,
): Pick<Written, 'contentType' | 'body'> => {
  const {data, datacontenttype} = event;
  const bytes = bytesIn(event);
  if (bytes !== undefined) {
    // Without a content type the receiver would take bytes for JSON.
    return {contentType: datacontenttype ?? 'application/octet-stream', body: bytes};
  }
  if (data === undefined) {
    return {contentType: datacontenttype, body: undefined};
  }
  const contentType = datacontenttype ?? 'application/json';
  // JSON format, section 3.1.1: a text of another content type is itself, without quotes.
  const isPlain = typeof data === 'string' && !isJsonType(contentType);
  return {
    contentType,
    body: isPlain ? data : (textOfData(event) ?? JSON.stringify(data)),
  };
};
