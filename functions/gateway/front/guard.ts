/**
Guard: what is wrong with a request by its head alone, before anybody asks whose it is.

In: a request as node parsed it. Out: nothing, or what its client is told. Node has bounded the head's bytes and its time before.
*/
import type {IncomingMessage} from 'node:http';
import {SluiceError} from '../../../events/errors.ts';
import type {Limits} from '../../../events/limits.ts';

export type HeadLimits = Pick<Limits, 'urlCharacters' | 'headers' | 'bodyBytes'>;

export const checkHead = (
  {url = '', rawHeaders, headers, httpVersionMinor}: IncomingMessage,
  limits: HeadLimits,
) => {
  if (url.length > limits.urlCharacters) {
    throw new SluiceError(
      'url_too_long',
      `the URL is longer than ${limits.urlCharacters} characters`,
    );
  }
  // Node would leave out those beyond its own bound and say nothing.
  if (rawHeaders.length > 2 * limits.headers) {
    throw new SluiceError('headers_too_large', `there are more than ${limits.headers} headers`);
  }
  if (headers.host === undefined && httpVersionMinor > 0) {
    throw new SluiceError('bad_request', 'a request names its host (RFC 9112, 3.2)');
  }
};

/** A body that is packed would be read as JSON, and what it unpacks to has no bound. */
export const checkEncoding = ({headers}: IncomingMessage) => {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== '' && encoding.toLowerCase() !== 'identity') {
    throw new SluiceError(
      'unsupported_media_type',
      'a body is sent as it is, without content-encoding',
    );
  }
};

/** What is on its way of a body that nobody reads: where it may be much, the connection is not kept for it. */
export const leavesMuch = ({complete, headers}: IncomingMessage, bytesMax = 64 * 1024) =>
  !complete &&
  (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > bytesMax);
