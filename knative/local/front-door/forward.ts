/**
Forward: one request to the function that serves it, and its answer back, byte for byte and as they come.

Back-pressure is that of the streams: a client that reads slowly slows the function. Whichever side breaks first takes the
other along, so that nothing runs on for nobody.
*/
import {
  type Agent,
  type IncomingMessage,
  type ServerResponse,
  request as sendRequest,
} from 'node:http';
import {SluiceError} from '../../../events/errors.ts';
import {forwardedHeaders, returnedHeaders} from './hop-headers.ts';

export type Forwarding = Readonly<{
  request: IncomingMessage;
  response: ServerResponse;
  /** The function, for messages, and where it listens. */
  name: string;
  target: string;
  agent: Agent;
  bodyBytes: number;
  /** From the request's first byte to the answer's last. */
  timeoutMs: number;
  /** Answers with an error, or breaks the connection when an answer has begun. */
  refuse: (error: SluiceError) => void;
}>;

export const forward = ({
  request,
  response,
  name,
  target,
  agent,
  bodyBytes,
  timeoutMs,
  refuse,
}: Forwarding) => {
  if (Number(request.headers['content-length'] ?? 0) > bodyBytes) {
    response.shouldKeepAlive = false;
    refuse(tooLarge(bodyBytes));
    return;
  }
  const upstream = sendRequest(target, {
    method: request.method,
    path: request.url,
    headers: forwardedHeaders(request),
    agent,
    setHost: false,
  });
  const timer = setTimeout(() => {
    fail(new SluiceError('upstream_timeout', `the function ${name} did not answer in time`));
  }, timeoutMs);
  const fail = (error: SluiceError) => {
    refuse(error);
    upstream.destroy();
  };

  let received = 0;
  request.on('data', (chunk: Buffer) => {
    received += chunk.length;
    if (received > bodyBytes) {
      response.shouldKeepAlive = false;
      fail(tooLarge(bodyBytes));
    }
  });
  request.pipe(upstream);

  upstream.on('response', answer => {
    response.writeHead(answer.statusCode as number, answer.statusMessage, returnedHeaders(answer));
    // Headers leave now: the first token of a stream may be seconds away.
    response.flushHeaders();
    answer.pipe(response);
    answer.on('error', () => response.destroy());
  });
  upstream.on('error', error => {
    request.unpipe(upstream);
    request.resume();
    if (!response.headersSent) {
      const away = new SluiceError('unavailable', `the function ${name} is away`, {
        retryAfterSeconds: 1,
        cause: error,
      });
      refuse(away);
    }
  });
  response.on('close', () => {
    clearTimeout(timer);
    if (!response.writableFinished) {
      upstream.destroy();
    }
  });
};

const tooLarge = (bodyBytes: number) =>
  new SluiceError('payload_too_large', `the body is over the limit of ${bodyBytes} bytes`);
