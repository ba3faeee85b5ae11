/**
Body: reads a request's body within its bound. A sender that stops in the middle is ended by the server's request timeout.
*/
import type {IncomingMessage} from 'node:http';
import {SluiceError} from '../../events/errors.ts';

export const readBody = (request: IncomingMessage, bytesMax: number): Promise<Buffer> => {
  const {promise, resolve, reject} = Promise.withResolvers<Buffer>();
  const refuse = () => {
    // Not destroyed: the sender is still to be told.
    request.pause();
    reject(new SluiceError('payload_too_large', `the body has at most ${bytesMax} bytes`));
  };
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) {
    refuse();
    return promise;
  }
  const parts: Buffer[] = [];
  let size = 0;
  request.on('data', (part: Buffer) => {
    size += part.length;
    if (size > bytesMax) {
      refuse();
    } else {
      parts.push(part);
    }
  });
  request.on('end', () => resolve(Buffer.concat(parts)));
  request.on('error', () => reject(new SluiceError('request_timeout', 'the body did not arrive')));
  request.on('close', () => {
    if (!request.complete) {
      reject(new SluiceError('request_timeout', 'the sender left before its body was complete'));
    }
  });
  return promise;
};
