/**
JSON body: what a route reads of a request, once express has its bytes.

In: a request of an app of `serve.ts`. Out: its bytes, or a JSON object that can be stored; a SluiceError for what is none.
*/
import {isUtf8} from 'node:buffer';
import type {Request} from 'express';
import {SluiceError, whereInJson} from './errors.ts';

export const bodyOf = (request: Request): Buffer =>
  Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);

/** How JSON.stringify writes NUL and lone surrogates; behind an even number of backslashes it is a text about them. */
const unkeepable = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/;

/** JSON.parse has no bound of depth, JSON.stringify has the stack. */
const written = (value: object) => {
  try {
    return JSON.stringify(value);
  } catch {
    throw new SluiceError('bad_request', 'the body is nested too deep');
  }
};

/** The body as a JSON object; NUL and lone surrogates are refused because PostgreSQL cannot keep them. */
export const readJson = (request: Request): Record<string, unknown> => {
  let value: unknown;
  const body = bodyOf(request);
  if (!isUtf8(body)) {
    throw new SluiceError('malformed_json', 'the body is not UTF-8');
  }
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new SluiceError('malformed_json', `the body is not JSON: ${whereInJson(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SluiceError('bad_request', 'the body is a JSON object');
  }
  if (unkeepable.test(written(value))) {
    throw new SluiceError('bad_request', 'texts may not contain NUL or lone surrogates');
  }
  return value as Record<string, unknown>;
};
