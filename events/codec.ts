/**
Codec: CloudEvents 1.0 over HTTP, in binary, structured and JSON batch mode, attributes and data untouched.

The SDK's codec is not used on this path: it changes what it carries (numbers become texts, base64 data is corrupted,
nanoseconds are cut). Sections are those of the CloudEvents HTTP binding 1.0.2 and JSON format 1.0.2.
*/
import {SluiceError} from './errors.ts';
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
    return {events: list.map(item => checked(fromJson(item))), batch: true};
  }
  if (mediaType === structured) {
    return {events: [checked(fromJson(parseJson(body)))], batch: false};
  }
  if (mediaType.startsWith('application/cloudevents')) {
    throw new SluiceError(
      'unsupported_media_type',
      `${mediaType} is not a format that is read here; send ${structured}`,
    );
  }
  return {events: [checked(fromBinary(headers, body))], batch: false};
};

const parseJson = (body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw malformed(`the event is not JSON: ${(error as Error).message}`);
  }
};

/** JSON format, section 3.1: `data_base64` carries bytes, `data` any JSON value. */
const fromJson = (value: unknown): Record<string, unknown> => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed('an event is a JSON object');
  }
  const {data_base64: base64, ...attributes} = value as Record<string, unknown>;
  if (base64 === undefined) {
    return attributes;
  }
  if (typeof base64 !== 'string' || 'data' in attributes) {
    throw malformed('data_base64 is a string and stands alone, without data');
  }
  return {...attributes, data: Buffer.from(base64, 'base64')};
};

/** HTTP binding, section 3.1: `ce-` headers, percent-coded; the body is the data. */
const fromBinary = (headers: Headers, body: Buffer): Record<string, unknown> => {
  const event: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith('ce-') && value !== undefined) {
      event[name.slice(3)] = percentDecode(typeof value === 'string' ? value : value.join(', '));
    }
  }
  const contentType = header(headers, 'content-type');
  if (contentType !== undefined) {
    event.datacontenttype = contentType;
  }
  if (body.length > 0) {
    event.data = isJson(mediaTypeOf(contentType ?? 'application/json')) ? parseJson(body) : body;
  }
  return event;
};

/** Section 3.1.3.2. What is not valid percent-coding is taken as it stands. */
const percentDecode = (text: string) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

const percentEncode = (text: string) =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the binding says to encode
  text.replace(/[\u0000-\u0020"%\u007f-\u{10ffff}]/gu, character => encodeURIComponent(character));

const checked = (event: Record<string, unknown>): Event => {
  if (event.specversion === '0.3') {
    event.specversion = '1.0';
  }
  if (event.specversion !== '1.0') {
    throw malformed(`specversion is "1.0", got ${JSON.stringify(event.specversion) ?? 'none'}`);
  }
  for (const name of ['id', 'source', 'type'] as const) {
    if (typeof event[name] !== 'string' || event[name] === '') {
      throw malformed(`the attribute ${name} is a text that is not empty`);
    }
  }
  for (const [name, value] of Object.entries(event)) {
    if (name !== 'data' && (!/^[a-z0-9]{1,64}$/.test(name) || typeof value === 'object')) {
      throw malformed(
        `"${name.slice(0, 64)}" is not an attribute of an event: names are a-z and 0-9, values are scalars`,
      );
    }
  }
  return event as unknown as Event;
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
    if (name === 'datacontenttype') {
      headers['content-type'] = String(value);
    } else if (value !== undefined) {
      headers[`ce-${name}`] = percentEncode(String(value));
    }
  }
  if (data === undefined) {
    return {headers, body: Buffer.alloc(0)};
  }
  if (Buffer.isBuffer(data)) {
    return {headers, body: data};
  }
  headers['content-type'] ??= 'application/json';
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
