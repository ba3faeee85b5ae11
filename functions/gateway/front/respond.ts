/** Respond: errors as the clients of a route expect them, and JSON. */
import type {SluiceError} from '../../../events/errors.ts';
import type {ClientResponse} from '../exchange/admitted.ts';
import {openAiErrors} from '../surface/errors.ts';
import type {ErrorForm} from '../surface/form.ts';

type Receiver = Pick<ClientResponse, 'headersSent' | 'destroyed' | 'writeHead' | 'end'>;

export const sendJson = (
  response: Receiver,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
) => {
  if (response.headersSent || response.destroyed) {
    return;
  }
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': body.length,
    ...headers,
  });
  response.end(body);
};

export const sendError = (
  response: Receiver,
  error: SluiceError,
  errors: ErrorForm = openAiErrors,
) =>
  sendJson(response, error.status, errors.body(error), {
    ...(errors.contentType === undefined ? {} : {'content-type': errors.contentType}),
    ...(error.retryAfterSeconds === undefined
      ? {}
      : {'retry-after': String(error.retryAfterSeconds)}),
    ...(error.status === 401 ? {'www-authenticate': 'Bearer'} : {}),
    // What was not read of the body would be taken for the next request.
    ...(error.status === 413 || error.status === 408 ? {connection: 'close'} : {}),
  });
