/**
Reply: writes an answer, always with the header that says that a simulation speaks.

In: a response, a status, a body. Out: bytes on the connection.
*/
import type {OutgoingHttpHeaders, ServerResponse} from 'node:http';

export const writeHead = (
  response: ServerResponse,
  status: number,
  contentType: string,
  extra?: OutgoingHttpHeaders,
) =>
  response.writeHead(status, {
    'content-type': contentType,
    'x-simulated-model': 'true',
    ...extra,
  });

export const sendText = (
  response: ServerResponse,
  status: number,
  contentType: string,
  body: string,
  extra?: OutgoingHttpHeaders,
) => {
  writeHead(response, status, contentType, {'content-length': Buffer.byteLength(body), ...extra});
  response.end(body);
};

export const sendJson = (response: ServerResponse, body: string, status = 200) =>
  sendText(response, status, 'application/json', body);
