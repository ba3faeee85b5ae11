/**
Body: reads a request's body within its bounds.

Node's own requestTimeout ends a client that sends half a body and stops; here is only the size, and the client's leaving.
*/
import type {IncomingMessage} from 'node:http';
import {SluiceError} from '../../../events/errors.ts';

export const readBody = (request: IncomingMessage, bytesMax: number): Promise<Buffer> => {
  const tooLarge = () => new SluiceError('payload_too_large', `the body is over ${bytesMax} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) {
    return Promise.reject(tooLarge());
  }
  const {promise, ...settle} = Promise.withResolvers<Buffer>();
  // The request lives as long as its answer, and its listeners with it: they let go of what they gave away.
  let waiting: typeof settle | undefined = settle;
  let parts: Buffer[] = [];
  let size = 0;
  const fail = (error: SluiceError) => {
    waiting?.reject(error);
    waiting = undefined;
    parts = [];
  };
  request.on('data', (part: Buffer) => {
    size += part.length;
    if (size > bytesMax) {
      request.pause();
      fail(tooLarge());
      return;
    }
    parts.push(part);
  });
  request.on('end', () => {
    waiting?.resolve(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts));
    waiting = undefined;
    parts = [];
  });
  request.on('error', () => fail(new SluiceError('request_timeout', 'the body did not arrive')));
  request.on('close', () => {
    // Every request closes, and an error that nobody gets costs its stack.
    if (!request.complete) {
      fail(new SluiceError('request_timeout', 'the client left before its body was complete'));
    }
  });
  return promise;
};
