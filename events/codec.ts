/**
Codec: CloudEvents 1.0 over HTTP, in binary, structured and JSON batch mode, attributes and data untouched.

The SDK's codec is not used on this path: it changes what it carries (numbers become texts, base64 data is corrupted,
nanoseconds are cut). Sections are those of the CloudEvents HTTP binding 1.0.2 and JSON format 1.0.2.
*/
import {isUtf8} from 'node:buffer';
import {SluiceError, whereInJson} from './errors.ts';
import type {Event} from './event.ts';

export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;
export type Message = Readonly<{headers: Record<string, string>; body: Buffer}>;

const structured = 'application/cloudevents+json';
const batch = 'application/cloudevents-batch+json';

const isJson = (mediaType: string) => /^[^/]+\/(json|[^;]+\+json)$/.test(mediaType);
const mediaTypeOf = (contentType: string) => (contentType.split(';')[0] ?? '').trim().toLowerCase();
const header = (headers: Headers, name: string) => {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.join(', ');
};
const malformed = (message: string) => new SluiceError('malformed_event', message);

/** Reads one request. Header names in lower case, as node gives them. A batch may be empty. */
export const readHttp = (headers: Headers, body: Buffer): {events: Event[]; batch: boolean} => {
  const mediaType = mediaTypeOf(header(headers, 'content-type') ?? '');
  if (mediaType === batch) {
    const list = parseJson(body);
    if (!Array.isArray(list)) {
      throw malformed('a batch is a JSON array of events');
    }
    return {events: list.map(readObject), batch: true};
  }
  if (mediaType === structured) {
    return {events: [readObject(parseJson(body))], batch: false};
  }
  if (mediaType.startsWith('application/cloudevents')) {
    throw new SluiceError(
      'unsupported_media_type',
      `${mediaType} is not a format that is read here; send ${structured}`,
    );
  }
  return {events: [checked(fromBinary(headers, body))], batch: false};
};

/** One event that is parsed JSON already, as a row or a queue gives it back. */
export const readObject = (value: unknown): Event => checked(fromJson(value));

/** What is no UTF-8 is refused, because decoding would put other characters in its place. */
const parseJson = (body: Buffer): unknown => {
  if (!isUtf8(body)) {
    throw malformed('the event is not UTF-8');
  }
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw malformed(`the event is not JSON: ${whereInJson(error)}`);
  }
};

/** JSON format, sections 2.2 and 3.1: null is absent; `data_base64` carries bytes, `data` any JSON value. */
const fromJson = (value: unknown): Record<string, unknown> => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed('an event is a JSON object');
  }
  const {data_base64: base64, ...members} = value as Record<string, unknown>;
  const event = Object.fromEntries(
    Object.entries(members).filter(([name, member]) => member !== null || name === 'data'),
  );
  if (base64 === undefined || base64 === null) {
    return event;
  }
  if (typeof base64 !== 'string' || 'data' in event) {
    throw malformed('data_base64 is a string and stands alone, without data');
  }
  return {...event, data: fromBase64(base64)};
};

/** Node skips what is not base64; an event with such a text was damaged. */
const fromBase64 = (text: string): Buffer => {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw malformed('data_base64 is not base64');
  }
  return Buffer.from(text, 'base64');
};

/** HTTP binding, section 3.1: `ce-` headers, percent-coded; the body is the data. */
const fromBinary = (headers: Headers, body: Buffer): Record<string, unknown> => {
  const attributes: [string, string][] = [];
  for (const name of Object.keys(headers)) {
    const value = name.startsWith('ce-') ? header(headers, name) : undefined;
    if (value !== undefined) {
      attributes.push([name.slice(3), decodeHeader(value)]);
    }
  }
  // Not by assignment: `ce-__proto__` would be swallowed instead of refused.
  const event: Record<string, unknown> = Object.fromEntries(attributes);
  if (event.data !== undefined) {
    throw malformed('ce-data is no attribute: the body is the data');
  }
  const contentType = header(headers, 'content-type') ?? event.datacontenttype;
  if (contentType !== undefined) {
    event.datacontenttype = contentType;
  }
  if (body.length > 0) {
    event.data = isJson(mediaTypeOf(String(contentType ?? 'application/json')))
      ? parseJson(body)
      : body;
  }
  return event;
};

/** Section 3.1.3.2: unquoted, then percent-decoded once. What is no UTF-8 must be refused, a `%` that codes nothing stays. */
const decodeHeader = (text: string) => {
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

const percentEncode = (text: string) =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the binding says to encode
  text.replace(/[\u0000-\u0020"%\u007f-\u{10ffff}]/gu, character => encodeURIComponent(character));

const checked = (event: Record<string, unknown>): Event => {
  const current = event.specversion === '0.3' ? upgraded(event) : event;
  if (current.specversion !== '1.0') {
    throw malformed(
      `specversion is "1.0", got ${typeof current.specversion === 'string' ? `"${current.specversion.slice(0, 16)}"` : 'none'}`,
    );
  }
  for (const name of ['id', 'source', 'type'] as const) {
    if (typeof current[name] !== 'string' || current[name] === '') {
      throw malformed(`the attribute ${name} is a text that is not empty`);
    }
  }
  for (const [name, value] of Object.entries(current)) {
    if (name !== 'data') {
      checkAttribute(name, value);
    }
  }
  return current as unknown as Event;
};

/** 0.3, still to be taken: it has another name for `dataschema`, and an attribute that says that the data is base64. */
const upgraded = ({
  schemaurl,
  datacontentencoding,
  ...event
}: Record<string, unknown>): Record<string, unknown> => ({
  ...event,
  specversion: '1.0',
  ...(schemaurl === undefined ? {} : {dataschema: schemaurl}),
  ...(datacontentencoding === 'base64' &&
  (typeof event.data === 'string' || Buffer.isBuffer(event.data))
    ? {data: fromBase64(event.data.toString())}
    : {}),
});

/** CloudEvents, section "Type System": no control characters, no half of a pair; neither a header nor a row can hold them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the specification forbids
const forbidden = /[\u0000-\u001f\u007f-\u009f]|\p{Surrogate}/u;

const checkAttribute = (name: string, value: unknown) => {
  if (!/^[a-z0-9]{1,64}$/.test(name)) {
    throw malformed(`"${name.slice(0, 64)}" is no name of an attribute: a-z and 0-9 make one`);
  }
  if (typeof value === 'string') {
    // The content type travels as it is, where other attributes are percent-coded.
    if (forbidden.test(value) || (name === 'datacontenttype' && !/^[ -~]+$/.test(value))) {
      throw malformed(`the attribute ${name} has characters that no attribute may have`);
    }
  } else if (typeof value !== 'boolean' && !Number.isSafeInteger(value)) {
    throw malformed(`the attribute ${name} is a text, true, false or a whole number`);
  }
};

/** Structured mode, section 3.2. */
export const toStructured = (event: Event): Message => ({
  headers: {'content-type': structured},
  body: Buffer.from(toJson(event)),
});

/** Section 3.3. */
export const toBatch = (events: readonly Event[]): Message => ({
  headers: {'content-type': batch},
  body: Buffer.from(`[${events.map(toJson).join(',')}]`),
});

/** Binary mode, section 3.1: what Knative sends to a subscriber. */
export const toBinary = ({data, ...attributes}: Event): Message => {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'datacontenttype' && value !== undefined) {
      headers['content-type'] = String(value);
    } else if (value !== undefined && value !== null) {
      headers[`ce-${name}`] = percentEncode(String(value));
    }
  }
  if (data === undefined) {
    return {headers, body: Buffer.alloc(0)};
  }
  if (Buffer.isBuffer(data)) {
    // Without a content type the receiver would take bytes for JSON.
    headers['content-type'] ??= 'application/octet-stream';
    return {headers, body: data};
  }
  headers['content-type'] ??= 'application/json';
  if (typeof data === 'string' && !isJson(mediaTypeOf(headers['content-type']))) {
    // JSON format, section 3.1.1: a text of another content type is itself, without quotes.
    return {headers, body: Buffer.from(data)};
  }
  return {headers, body: Buffer.from(JSON.stringify(data))};
};

/** One event as a JSON object: what logs, queues and rows keep. */
export const toJson = (event: Event): string => {
  if (!Buffer.isBuffer(event.data)) {
    return JSON.stringify(event);
  }
  const {data, ...attributes} = event;
  return JSON.stringify({...attributes, data_base64: data.toString('base64')});
};
