/**
Request: what goes out of a plain call. In: its path, headers and body. Out: one write, or an error where a header would end its line.
*/
import type {Socket} from 'node:net';
import {errors} from 'undici';
import type {PlainRequest} from './call.ts';

/** In one piece with its head; a longer one is not worth a copy. */
const copiedBodyMax = 65_536;
const illegal = /[^\t\x20-\x7e]/;

const headOf = (hostHeader: string, {path, headers, body}: PlainRequest): string => {
  let head = `POST ${path} HTTP/1.1\r\nhost: ${hostHeader}\r\nconnection: keep-alive\r\n`;
  for (const name in headers) {
    const value = headers[name] as string;
    if (illegal.test(value)) {
      throw new errors.InvalidArgumentError(`invalid ${name} header`);
    }
    head += `${name}: ${value}\r\n`;
  }
  return `${head}content-length: ${body.length}\r\n\r\n`;
};

export const writeRequest = (
  socket: Pick<Socket, 'write' | 'cork' | 'uncork'>,
  hostHeader: string,
  request: PlainRequest,
) => {
  const {body} = request;
  const head = headOf(hostHeader, request);
  if (body.length > copiedBodyMax) {
    socket.cork();
    socket.write(head, 'latin1');
    socket.write(body);
    socket.uncork();
    return;
  }
  const bytes = Buffer.allocUnsafe(head.length + body.length);
  bytes.write(head, 0, 'latin1');
  bytes.set(body, head.length);
  socket.write(bytes);
};
