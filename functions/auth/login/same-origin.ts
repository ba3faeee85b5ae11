/**
Same origin: that a page of ours asks, or a program, and no page of another site.

In: a request that changes something, the origin by which browsers reach us. Out: nothing, or 403, 415. A form can send no JSON without
the leave that CORS gives, and we give none; what browsers add (`Origin`, `Sec-Fetch-Site`) no page can forge.
*/
import type {IncomingMessage} from 'node:http';
import {SluiceError} from '../../../events/errors.ts';

export const refuseForeign = (request: IncomingMessage, publicUrl: string) => {
  const {origin} = request.headers;
  const site = request.headers['sec-fetch-site'];
  if (origin !== undefined && origin !== publicUrl) {
    throw new SluiceError(
      'forbidden',
      `expected a page of ${publicUrl} to ask, got another origin`,
    );
  }
  if (site !== undefined && site !== 'same-origin') {
    throw new SluiceError(
      'forbidden',
      'expected a page of the same origin to ask, got another site',
    );
  }
  if (!/^application\/json *(;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new SluiceError('unsupported_media_type', 'expected the content type application/json');
  }
};
