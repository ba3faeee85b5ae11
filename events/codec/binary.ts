/**
Binary mode, as every binding has it: attributes as texts beside the data, the data as bytes with a content type.

In: texts by attribute, a content type, bytes. Out: an event; and back. How texts are named and coded is the binding's affair.

JSON data is parsed; everything else stays bytes. So does JSON in another charset than UTF-8: to parse it we would have to
translate it, and what is forwarded would not be what was sent; to refuse it would lose an event that others can read.
*/
import type {Event} from '../event.ts';
import {checked, isBase64, malformed} from './attributes.ts';
import {bytesIn, checkDepth, parseJson, textOf} from './json.ts';
import {keepText, keptText} from './json-text.ts';
import {isJsonType, isUtf8Charset} from './media-type.ts';

export type Binary = Readonly<{
  attributes: ReadonlyArray<readonly [name: string, text: string]>;
  contentType: string | undefined;
  /** Undefined for absent data. */
  body: Buffer | undefined;
}>;

export const readBinary = ({attributes, contentType, body}: Binary): Event => {
  // Not by assignment: `ce-__proto__` would be swallowed instead of refused.
  const members: Record<string, unknown> = Object.fromEntries(attributes);
  if (members.data !== undefined) {
    throw malformed('data is no attribute: the body is the data');
  }
  const type = contentType || (members.datacontenttype as string | undefined);
  if (type !== undefined) {
    members.datacontenttype = type;
  }
  if (body === undefined) {
    return checked(members);
  }
  const coded = members.specversion === '0.3' && isBase64(members.datacontentencoding);
  if (coded || !isJsonType(type) || !isUtf8Charset(type ?? '')) {
    return checked({...members, data: body});
  }
  if (body.length === 0) {
    // No JSON is empty; senders without data say so like this.
    return checked(members);
  }
  const text = textOf(body);
  const data = parseJson(text);
  checkDepth(data);
  return keepText(checked({...members, data}), {text, of: 'data'});
};

export const writeBinary = (event: Event): Binary => {
  const {data, datacontenttype, ...others} = event;
  const attributes: [string, string][] = [];
  for (const [name, value] of Object.entries(others)) {
    // An event of the SDK has its bytes under this name too.
    if (value !== undefined && value !== null && name !== 'data_base64') {
      attributes.push([name, String(value)]);
    }
  }
  return {attributes, ...bytesOf(event)};
};

const bytesOf = (event: Event): Pick<Binary, 'contentType' | 'body'> => {
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
    body: Buffer.from(isPlain ? data : (keptText(event) ?? JSON.stringify(data))),
  };
};
