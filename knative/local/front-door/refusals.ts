/**
Refusals: what the front door answers itself. Under /v1 as the OpenAI API says errors, elsewhere as RFC 9457 does.
*/
import type {ServerResponse} from 'node:http';
import type {Socket} from 'node:net';
import {SluiceError, toOpenAiError, toProblem} from '../../../events/errors.ts';

const render = (path: string, error: SluiceError) =>
  path === '/v1' || path.startsWith('/v1/')
    ? {type: 'application/json', body: JSON.stringify(toOpenAiError(error))}
    : {type: 'application/problem+json', body: JSON.stringify(toProblem(error, path))};

export const refuse = (response: ServerResponse, path: string, error: SluiceError) => {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const {type, body} = render(path, error);
  response.writeHead(error.status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    ...(error.retryAfterSeconds === undefined
      ? {}
      : {'retry-after': String(error.retryAfterSeconds)}),
  });
  response.end(body);
};

const refusalOf = (code: string | undefined) => {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new SluiceError('headers_too_large', 'the request headers are over the limit');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new SluiceError('request_timeout', 'the request did not arrive in time');
    default:
      return new SluiceError('bad_request', 'this is not an HTTP/1.1 request');
  }
};

/**
What node's parser refused or gave up waiting for, when no answer has begun on this connection. There is no response object
to write it with.
*/
export const refuseSocket = (error: NodeJS.ErrnoException, socket: Socket) => {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const refusal = refusalOf(error.code);
  const {type, body} = render('/', refusal);
  socket.end(
    [
      `HTTP/1.1 ${refusal.status} ${refusal.code}`,
      `Content-Type: ${type}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
};
