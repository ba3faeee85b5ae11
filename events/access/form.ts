/**
Form: whether a request to the admin API has a method and a media type that its path takes, before anybody looks what is in it.

In: a request, the methods of its path. Out: it goes on; OPTIONS is answered; 405 with Allow, 415.
*/
import type {Request, Response} from 'express';
import {SluiceError} from '../errors.ts';
import {bodyOf} from '../json-body.ts';

/** What comes without a type is taken for what we take: RFC 9110, 8.3. Its charset is not looked at: the body is UTF-8 or refused. */
const json = /^application\/json\s*(;|$)/i;

/** Where no operation has this method and path. True: it is answered. Where the path has none at all, that is nobody's business here. */
export const answerOtherMethod = (
  request: Request,
  response: Response,
  methods: readonly string[],
): boolean => {
  if (methods.length === 0) {
    return false;
  }
  const allowed = [
    ...new Set([...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS']),
  ];
  response.set('Allow', allowed.join(', '));
  if (request.method === 'OPTIONS') {
    response.status(204).end();
    return true;
  }
  throw new SluiceError('method_not_allowed', `this path takes ${allowed.join(', ')}`);
};

export const refuseOtherType = (request: Request) => {
  const {'content-type': type} = request.headers;
  if (bodyOf(request).length > 0 && type !== undefined && !json.test(type)) {
    throw new SluiceError(
      'unsupported_media_type',
      `Content-Type: expected application/json, got ${type.slice(0, 64)}`,
      {parameter: 'Content-Type'},
    );
  }
};
