/**
Hop headers: what a proxy passes on. The headers of RFC 9110, 7.6.1, are between two neighbours and stop here, together with
those that `Connection` names; everything else travels as it came, in its order and its case.
*/
import type {IncomingMessage} from 'node:http';

const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  // Said by this server itself when it read it.
  'expect',
]);

const passed = (
  {headers, rawHeaders}: IncomingMessage,
  except: readonly string[] = [],
): string[] => {
  const named = (headers.connection ?? '').split(',').map(name => name.trim().toLowerCase());
  // Without its length a body cannot be framed, whatever `Connection` says.
  const dropped = new Set([...named.filter(name => name !== 'content-length'), ...except]);
  const kept: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] as string).toLowerCase();
    if (!hopByHop.has(name) && !dropped.has(name)) {
      kept.push(rawHeaders[at] as string, rawHeaders[at + 1] as string);
    }
  }
  return kept;
};

/** For the function: the client's, who it is, and how the body is framed. */
export const forwardedHeaders = (request: IncomingMessage): string[] => {
  const client = request.socket.remoteAddress ?? 'unknown';
  const before = request.headers['x-forwarded-for'];
  return [
    ...passed(request, ['x-forwarded-for']),
    'x-forwarded-for',
    before === undefined ? client : `${before}, ${client}`,
    ...(request.headers['x-forwarded-proto'] === undefined ? ['x-forwarded-proto', 'http'] : []),
    ...(request.headers.host === undefined ? ['host', 'localhost'] : []),
    ...(request.headers['transfer-encoding'] === undefined ? [] : ['transfer-encoding', 'chunked']),
  ];
};

/** For the client: the function's. */
export const returnedHeaders = (answer: IncomingMessage): string[] => passed(answer);
