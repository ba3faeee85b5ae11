/**
Client fault: what is told to a client that sent no HTTP request, or none in time.

In: the fault, an id. Out: a whole answer as it goes over the wire, since there is no request that a response could belong to.
*/
import {STATUS_CODES} from 'node:http';
import {type SluiceError, toOpenAiError} from '../../../events/errors.ts';

export const clientFault = (fault: SluiceError, id: string): string => {
  const body = JSON.stringify(toOpenAiError(fault));
  const head = [
    `HTTP/1.1 ${fault.status} ${STATUS_CODES[fault.status]}`,
    'connection: close',
    'x-content-type-options: nosniff',
    'cache-control: no-store',
    `x-request-id: ${id}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
};
