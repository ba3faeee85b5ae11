/**
HTTP: events in requests and answers, in binary, structured and JSON batch mode. Sections are those of the HTTP binding 1.0.2.

In: headers and body, or events. Out: the other. Only this binding percent-codes attributes. An empty body is absent data: HTTP
cannot tell it from data of no bytes.
*/
import {isUtf8} from 'node:buffer';
import {SluiceError} from '../errors.ts';
import type {Event} from '../event.ts';
import {type Gathering, gather, malformed} from './attributes.ts';
import {readBinary, writeBinary} from './binary.ts';
import {batchType, readBatch, readJson, structuredType, toJson} from './json.ts';
import {isEventType, isUtf8Charset, mediaTypeOf} from './media-type.ts';

export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;
export type Message = Readonly<{headers: Record<string, string>; body: Buffer}>;

const header = (headers: Headers, name: string) => {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.join(', ');
};

/** Reads one request. Header names in lower case, as node gives them. A batch may be empty. */
export const readHttp = (headers: Headers, body: Buffer): {events: Event[]; batch: boolean} => {
  const contentType = header(headers, 'content-type');
  if (!isEventType(contentType)) {
    return {
      events: [
        readBinary({
          attributes: attributesIn(headers),
          contentType,
          body: body.length === 0 ? undefined : body,
        }),
      ],
      batch: false,
    };
  }
  return eventFormatOf(contentType as string) === 'batch'
    ? {events: readBatch(body), batch: true}
    : {events: [readJson(body)], batch: false};
};

/** JSON is UTF-8 (RFC 8259, section 8.1): an event that claims another charset is refused, not guessed at. */
export const eventFormatOf = (contentType: string): 'structured' | 'batch' => {
  const mediaType = mediaTypeOf(contentType);
  if (mediaType !== structuredType && mediaType !== batchType) {
    throw new SluiceError(
      'unsupported_media_type',
      `expected ${structuredType}, got another format of events`,
    );
  }
  if (!isUtf8Charset(contentType)) {
    throw new SluiceError('unsupported_media_type', 'an event in JSON is UTF-8');
  }
  return mediaType === batchType ? 'batch' : 'structured';
};

/** Section 3.1.3: `ce-` headers. */
const attributesIn = (headers: Headers) => {
  const attributes: Gathering = {};
  for (const name of Object.keys(headers)) {
    const value = name.startsWith('ce-') ? header(headers, name) : undefined;
    if (value !== undefined) {
      gather(attributes, name.slice(3), decodeHeader(value));
    }
  }
  return attributes;
};

/** Section 3.1.3.2: unquoted, then percent-decoded once. What is no UTF-8 must be refused, a `%` that codes nothing stays. */
const decodeHeader = (received: string) => {
  if (!/["%\u0080-\uffff]/.test(received)) {
    return received;
  }
  const text = uncoded(received);
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(text);
  const unquoted = quoted ? (quoted[1] as string).replace(/\\(.)/g, '$1') : text;
  return unquoted.replace(/(?:%[0-9a-f]{2})+/gi, coded => {
    try {
      return decodeURIComponent(coded);
    } catch {
      throw malformed('a ce- header is not percent-coded UTF-8');
    }
  });
};

/**
The Go SDK, and so Knative's brokers, write UTF-8 into headers as it is; node takes every byte of a header for a character.
*/
const uncoded = (text: string) => {
  if (!/[\u0080-\u00ff]/.test(text) || /[\u0100-\uffff]/.test(text)) {
    return text;
  }
  const bytes = Buffer.from(text, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : text;
};

const percentEncode = (text: string) => (/^[!#$&-~]*$/.test(text) ? text : percentEncoded(text));

const percentEncoded = (text: string) =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the binding says to encode
  text.replace(/[\u0000-\u0020"%\u007f-\u{10ffff}]/gu, character => encodeURIComponent(character));

/** Section 3.2. */
export const toStructured = (event: Event): Message => ({
  headers: {'content-type': structuredType},
  body: Buffer.from(toJson(event)),
});

/** Section 3.3. */
export const toBatch = (events: readonly Event[]): Message => ({
  headers: {'content-type': batchType},
  body: Buffer.from(`[${events.map(toJson).join(',')}]`),
});

/**
Section 3.1: what Knative sends to a subscriber. An event whose data is an event itself is sent in structured mode: by its
content type the receiver would take the inner one, which nobody has stamped, for the event.
*/
export const toBinary = (event: Event): Message => {
  if (isEventType(event.datacontenttype)) {
    return toStructured(event);
  }
  const {attributes, contentType, body} = writeBinary(event);
  const headers: Record<string, string> = {};
  for (const [name, text] of attributes) {
    headers[`ce-${name}`] = percentEncode(text);
  }
  if (contentType !== undefined) {
    headers['content-type'] = contentType;
  }
  return {headers, body: typeof body === 'string' ? Buffer.from(body) : (body ?? Buffer.alloc(0))};
};
