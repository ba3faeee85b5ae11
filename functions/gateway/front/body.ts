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
  const {promise, resolve, reject} = Promise.withResolvers<Buffer>();
  const parts: Buffer[] = [];
  let size = 0;
  request.on('data', (part: Buffer) => {
    size += part.length;
    if (size > bytesMax) {
      request.pause();
      reject(tooLarge());
      return;
    }
    parts.push(part);
  });
  request.on('end', () =>
    resolve(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)),
  );
  request.on('error', () => reject(new SluiceError('request_timeout', 'the body did not arrive')));
  request.on('close', () => {
    // Every request closes, and an error that nobody gets costs its stack.
    if (!request.complete) {
      reject(new SluiceError('request_timeout', 'the client left before its body was complete'));
    }
  });
  return promise;
};
