/**
Attributes: what makes an event of a set of members, whichever binding brought them. CloudEvents 1.0.2, section 3.

In: members by name, and `data`. Out: the same as an event of 1.0, or a refusal. Values are not changed: times keep their digits.
A whole number or a boolean is one only in JSON; bindings with headers carry texts, and what was `5` arrives as `"5"`.
*/
import {SluiceError} from '../errors.ts';
import type {Event} from '../event.ts';
import {isJsonType} from './media-type.ts';

export type Members = Readonly<Record<string, unknown>>;

/** Members in the making, as a binding brings them. */
export type Gathering = Record<string, unknown>;

export const malformed = (message: string) => new SluiceError('malformed_event', message);

const required = ['id', 'source', 'type'] as const;

/**
Adds an attribute that came by itself, as a header or a field. One that comes twice is refused: readers differ in which one counts,
and it may be the organisation.
*/
export const gather = (members: Gathering, name: string, text: string) => {
  // Assigned, this one would be swallowed instead of refused.
  if (name === '__proto__') {
    throw unnamed(name);
  }
  if (name === 'data') {
    throw malformed('data is no attribute: the body is the data');
  }
  if (Object.hasOwn(members, name)) {
    throw malformed(`the attribute ${name.slice(0, 64)} comes twice`);
  }
  members[name] = text;
};

export const checked = (members: Members): Event => {
  const event = members.specversion === '0.3' ? upgraded(members) : members;
  if (event.specversion !== '1.0') {
    throw malformed(
      `specversion is "1.0", got ${typeof event.specversion === 'string' ? `"${event.specversion.slice(0, 16)}"` : 'none'}`,
    );
  }
  for (const name of required) {
    if (typeof event[name] !== 'string' || event[name] === '') {
      throw malformed(`the attribute ${name} is a text that is not empty`);
    }
  }
  for (const name in event) {
    if (name !== 'data') {
      checkAttribute(name, event[name]);
    }
  }
  if (isBrokenText(event)) {
    throw malformed('the data is a text with half a character in it');
  }
  return event as unknown as Event;
};

/** JSON can escape half of a surrogate pair; a text that travels without quotes cannot. */
const isBrokenText = ({data, datacontenttype}: Members) =>
  typeof data === 'string' &&
  !isJsonType(datacontenttype as string | undefined) &&
  !data.isWellFormed();

/** 0.3, still to be taken: it has another name for `dataschema`, and an attribute that says that the data is coded. */
const upgraded = ({schemaurl, datacontentencoding, ...members}: Members): Members => ({
  ...members,
  specversion: '1.0',
  ...(schemaurl === undefined ? {} : {dataschema: schemaurl}),
  ...(members.data === undefined || !isBase64(datacontentencoding)
    ? {}
    : {data: fromBase64(members.data)}),
});

/** RFC 2045, section 6.1: these say that nothing was done to the data. */
const identities = ['7bit', '8bit', 'binary'];

export const isBase64 = (encoding: unknown): boolean => {
  const name = typeof encoding === 'string' ? encoding.toLowerCase() : encoding;
  if (name !== undefined && name !== 'base64' && !identities.includes(name as string)) {
    throw malformed('datacontentencoding is base64, or absent');
  }
  return name === 'base64';
};

/** Node skips what is not base64; an event with such a text was damaged. */
export const fromBase64 = (data: unknown): Buffer => {
  const text = Buffer.isBuffer(data) ? data.toString('latin1') : data;
  if (typeof text !== 'string' || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw malformed('the data is not base64');
  }
  return Buffer.from(text, 'base64');
};

/** Section 3.1 "Type System": no control characters, no half of a pair; neither a header nor a row can hold them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the specification forbids
const forbidden = /[\u0000-\u001f\u007f-\u009f]|\p{Surrogate}/u;

/** Asked of every attribute of every event: `\p{Surrogate}` costs ten times as much, and few need it. */
const plain = /^[ -~]*$/;

const nameRule = /^[a-z0-9]{1,64}$/;
/** Of most events. */
const knownNames = new Set(
  'specversion id source type time subject dataschema orgid projectid partitionkey traceparent'.split(
    ' ',
  ),
);

const unnamed = (name: string) =>
  malformed(`"${name.slice(0, 64)}" is no name of an attribute: a-z and 0-9 make one`);

const checkAttribute = (name: string, value: unknown) => {
  if (!knownNames.has(name) && !nameRule.test(name)) {
    throw unnamed(name);
  }
  if (name === 'datacontenttype') {
    // It travels as it is, where other attributes are percent-coded.
    if (typeof value !== 'string' || !/^[ -~]+$/.test(value) || value.trim() === '') {
      throw malformed('the attribute datacontenttype is a text of ASCII');
    }
  } else if (typeof value === 'string') {
    if (!plain.test(value) && forbidden.test(value)) {
      throw malformed(`the attribute ${name} has characters that no attribute may have`);
    }
  } else if (typeof value !== 'boolean' && !Number.isSafeInteger(value)) {
    throw malformed(`the attribute ${name} is a text, true, false or a whole number`);
  }
};
