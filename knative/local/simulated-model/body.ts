/**
Body: reads a request's body to its end, bounded, and parses it.

In: a request. Out: its bytes, or a RequestError; an object from bytes. What is above the bound is read and thrown away
before the refusal, so that the client gets to read it instead of a reset. A body that never ends answers nobody.
*/

import {isUtf8} from 'node:buffer';
import type {IncomingMessage} from 'node:http';
import {badRequest, type RequestError, tooLarge} from './errors.ts';
import {type Body, isObject} from './fields.ts';

export const bodyMaxBytes = 16 * 1024 * 1024;

export const readBody = (request: IncomingMessage, done: (body: Buffer | RequestError) => void) => {
  const chunks: Buffer[] = [];
  let size = 0;
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= bodyMaxBytes) chunks.push(chunk);
    else chunks.length = 0;
  });
  request.on('end', () => {
    if (size > bodyMaxBytes) done(tooLarge(bodyMaxBytes));
    else done(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
  });
};

export const parseBody = (bytes: Buffer): Body => {
  let value: unknown;
  try {
    if (isUtf8(bytes)) value = JSON.parse(bytes.toString());
  } catch {
    value = undefined;
  }
  if (isObject(value)) return value;
  throw badRequest('The body must be a JSON object in UTF-8.');
};
