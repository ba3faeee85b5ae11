/**
Media type: what a content type says of the bytes beside it, however it is written.

In: the text of a content type, or none. Out: its media type in lower case, and whether the bytes are JSON that we can read.
*/
const charsetOf = (contentType: string) =>
  /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(contentType)?.[1]?.toLowerCase() ?? 'utf-8';

/** As most write them: nothing to take off. */
const plain = new Set([
  'application/json',
  'application/cloudevents+json',
  'application/cloudevents-batch+json',
]);

export const mediaTypeOf = (contentType: string | undefined) =>
  contentType !== undefined && plain.has(contentType) ? contentType : bareTypeOf(contentType);

const bareTypeOf = (contentType: string | undefined) =>
  (contentType?.split(';', 1)[0] ?? '').trim().toLowerCase();

/** US-ASCII is a part of UTF-8; what another charset means is not ours to translate. */
export const isUtf8Charset = (contentType: string) =>
  !contentType.includes(';') || /^(utf-?8|us-ascii|ascii)$/.test(charsetOf(contentType));

/** CloudEvents, section 3.1.1 of the JSON format: JSON is what is meant where nothing is said. */
export const isJsonType = (contentType: string | undefined) =>
  contentType === undefined ||
  contentType === 'application/json' ||
  /^[^/]+\/(json|[^;]+\+json)$/.test(mediaTypeOf(contentType));

/** An event as a whole: structured mode, a batch, or a format that is not read here. */
export const isEventType = (contentType: string | undefined) =>
  mediaTypeOf(contentType).startsWith('application/cloudevents');
