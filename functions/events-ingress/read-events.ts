/**
Read events: what a request carries, by its content type.

In: headers and body. Out: the events, and whether they came as a batch. 415 for what is in no mode of CloudEvents, 400 for
what is no event, with the index where it is one of many.
*/
import {type Headers, readHttp, readObject} from '../../events/codec.ts';
import {SluiceError} from '../../events/errors.ts';
import type {Event} from '../../events/event.ts';

const batchType = 'application/cloudevents-batch+json';

const mediaTypeOf = (headers: Headers) =>
  String(headers['content-type'] ?? '')
    .split(';', 1)
    .join()
    .trim()
    .toLowerCase();

/** Before the body is read: what cannot be taken need not be listened to. */
export const checkMode = (headers: Headers) => {
  const coding = String(headers['content-encoding'] ?? 'identity').toLowerCase();
  if (coding !== 'identity') {
    throw new SluiceError('unsupported_media_type', 'the body is taken as it is, not compressed');
  }
  const isBinary = Object.keys(headers).some(name => name.startsWith('ce-'));
  if (!isBinary && !mediaTypeOf(headers).startsWith('application/cloudevents')) {
    throw new SluiceError(
      'unsupported_media_type',
      `expected application/cloudevents+json, ${batchType} or an event in ce- headers`,
    );
  }
};

export const readEvents = (
  headers: Headers,
  body: Buffer,
): Readonly<{events: Event[]; batch: boolean}> => {
  try {
    return readHttp(headers, body);
  } catch (error) {
    throw mediaTypeOf(headers) === batchType ? withIndex(error, body) : error;
  }
};

/** The codec tells what is wrong and not with which; asked again one by one, because nobody waits for a refusal. */
const withIndex = (error: unknown, body: Buffer): unknown => {
  let list: unknown;
  try {
    list = JSON.parse(body.toString('utf8'));
  } catch {
    return error;
  }
  for (const [index, value] of (Array.isArray(list) ? list : []).entries()) {
    try {
      readObject(value);
    } catch (fault) {
      return fault instanceof SluiceError ? atIndex(index, fault.code, fault.message) : fault;
    }
  }
  return error;
};

/** `index` is undefined for an event that came alone. */
export const atIndex = (
  index: number | undefined,
  code: SluiceError['code'],
  reason: string,
  path = '',
) => {
  const parameter = index === undefined ? path : `/${index}${path}`;
  return new SluiceError(
    code,
    index === undefined ? reason : `event ${index}: ${reason}`,
    parameter === '' ? {} : {parameter},
  );
};
