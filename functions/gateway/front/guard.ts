/**
Guard: what is wrong with a request by its head alone, before anybody asks whose it is.

In: a request. Out: nothing, or what its client is told. Its head's bytes and time were bounded before, by its connection.
*/
import {SluiceError} from '../../../events/errors.ts';
import type {Limits} from '../../../events/limits.ts';
import type {GatewayRequest} from '../http/request.ts';

export type HeadLimits = Pick<Limits, 'urlCharacters' | 'headers' | 'bodyBytes'>;

export const checkHead = (
  {url, headerCount, headers, versionMinor}: GatewayRequest,
  limits: HeadLimits,
) => {
  if (url.length > limits.urlCharacters) {
    throw new SluiceError(
      'url_too_long',
      `the URL is longer than ${limits.urlCharacters} characters`,
    );
  }
  if (headerCount > limits.headers) {
    throw new SluiceError('headers_too_large', `there are more than ${limits.headers} headers`);
  }
  if (headers.host === undefined && versionMinor > 0) {
    throw new SluiceError('bad_request', 'a request names its host (RFC 9112, 3.2)');
  }
};

/** A body that is packed would be read as JSON, and what it unpacks to has no bound. */
export const checkEncoding = ({headers}: GatewayRequest) => {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== '' && encoding.toLowerCase() !== 'identity') {
    throw new SluiceError(
      'unsupported_media_type',
      'a body is sent as it is, without content-encoding',
    );
  }
};
