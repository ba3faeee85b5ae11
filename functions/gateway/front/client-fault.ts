/**
Client fault: what is no HTTP request, or did not arrive in time.

In: node's error, the socket, an id, what is answered on it already. Out: an answer written by hand, since node makes no response for it;
or nothing where nobody is there to read one, or where it would stand in the middle of another.
*/
import type {ServerResponse} from 'node:http';
import type {Duplex} from 'node:stream';
import {SluiceError, toOpenAiError} from '../../../events/errors.ts';

export const answerClientFault = (
  error: NodeJS.ErrnoException,
  socket: Duplex,
  id: string,
  running: ReadonlySet<Pick<ServerResponse, 'headersSent'>> = new Set(),
): SluiceError | undefined => {
  const isAnswering = [...running].some(({headersSent}) => headersSent);
  if (error.code === 'ECONNRESET' || !socket.writable || isAnswering) {
    socket.destroy();
    return undefined;
  }
  const fault = clientFault(error);
  const body = JSON.stringify(toOpenAiError(fault));
  const head = [
    `HTTP/1.1 ${fault.status} ${reasons[fault.status]}`,
    'connection: close',
    'x-content-type-options: nosniff',
    'cache-control: no-store',
    `x-request-id: ${id}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  // Who does not close its half is not waited for.
  setTimeout(() => socket.destroy(), 1_000).unref();
  return fault;
};

const reasons: Record<number, string> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

const clientFault = ({code}: NodeJS.ErrnoException): SluiceError => {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new SluiceError('headers_too_large', 'the request headers are over the limit');
  }
  return code === 'ERR_HTTP_REQUEST_TIMEOUT'
    ? new SluiceError('request_timeout', 'the request did not arrive in time')
    : new SluiceError('bad_request', 'this is not an HTTP request');
};
