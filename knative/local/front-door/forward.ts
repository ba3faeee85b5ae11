/**
Forward: one request through the gate of the function that serves it, and its answer back, byte for byte and as they come.

Back-pressure is that of the streams: a client that reads slowly slows the function. Whichever side breaks first takes the
other along, so that nothing runs on for nobody. A process that takes no connection got no byte of the request, so that
another may be asked, as Knative's proxies dial again.
*/
import {type IncomingMessage, type ServerResponse, request as sendRequest} from 'node:http';
import {setTimeout as pause} from 'node:timers/promises';
import {SluiceError} from '../../../events/errors.ts';
import type {Entered, Gate, Refused} from '../activator/gate.ts';
import {watchAnswer} from '../activator/patience.ts';
import {forwardedHeaders, returnedHeaders} from './hop-headers.ts';

export type Forwarding = Readonly<{
  request: IncomingMessage;
  response: ServerResponse;
  gate: Gate;
  bodyBytes: number;
  /** Answers with an error, or breaks the connection when an answer has begun. */
  refuse: (error: SluiceError) => void;
}>;

/** A process that was killed is noticed within milliseconds; the pauses add up to 0.6 s. */
const dialsMax = 6;
const dialPauseMs = 20;

export const forward = async (forwarding: Forwarding): Promise<void> => {
  const {request, response, gate, bodyBytes, refuse} = forwarding;
  if (Number(request.headers['content-length'] ?? 0) > bodyBytes) {
    response.shouldKeepAlive = false;
    refuse(tooLarge(bodyBytes));
    return;
  }
  const gone = new AbortController();
  let sending: Sending | undefined;
  response.once('close', () => {
    gone.abort();
    sending?.end();
  });
  const sinceMs = performance.now();
  for (let dial = 0; ; dial += 1) {
    const entry = await gate.enter({signal: gone.signal, sinceMs});
    if (entry.kind === 'refused') {
      if (entry.reason !== 'left') {
        refuse(errorOf(entry));
      }
      return;
    }
    if (gone.signal.aborted) {
      entry.release();
      return;
    }
    sending = send(forwarding, entry);
    if (await sending.reached) {
      return;
    }
    sending.end();
    // Refused for another reason meanwhile, or nobody is left to answer.
    if (response.headersSent || gone.signal.aborted) {
      return;
    }
    if (dial + 1 === dialsMax) {
      refuse(awayError(gate.name));
      return;
    }
    await pause(dialPauseMs * 2 ** dial);
  }
};

type Sending = Readonly<{
  /** Whether there was a connection to write to. */
  reached: Promise<boolean>;
  /** Breaks off what has not ended, and leaves. */
  end(): void;
}>;

const send = (forwarding: Forwarding, entry: Entered): Sending => {
  const {request, response, gate, bodyBytes, refuse} = forwarding;
  const reached = Promise.withResolvers<boolean>();
  let isReached = false;
  let isBroken = false;
  const upstream = sendRequest(entry.url, {
    method: request.method,
    path: request.url,
    headers: forwardedHeaders(request),
    agent: entry.agent,
    setHost: false,
  });
  const fail = (error: SluiceError) => {
    refuse(error);
    upstream.destroy();
  };
  const patience = watchAnswer({
    ...gate.timeouts,
    leftMs: entry.leftMs(),
    onLate: what => fail(new SluiceError('upstream_timeout', `the function ${gate.name} ${what}`)),
  });
  const begin = () => {
    isReached = true;
    reached.resolve(true);
    limitBody(request, bodyBytes, () => {
      response.shouldKeepAlive = false;
      fail(tooLarge(bodyBytes));
    });
    request.pipe(upstream);
  };
  upstream.once('socket', socket => {
    if (socket.connecting) {
      socket.once('connect', begin);
    } else {
      begin();
    }
  });
  upstream.on('response', answer => {
    patience.heard();
    response.writeHead(answer.statusCode as number, answer.statusMessage, returnedHeaders(answer));
    // Headers leave now: the first token of a stream may be seconds away.
    response.flushHeaders();
    answer.on('data', patience.heard);
    answer.pipe(response);
    answer.on('error', () => {
      isBroken = true;
      response.destroy();
    });
  });
  upstream.on('error', error => {
    if (!isReached) {
      reached.resolve(false);
      return;
    }
    request.unpipe(upstream);
    request.resume();
    if (!response.headersSent) {
      isBroken = true;
      refuse(awayError(gate.name, error));
    }
  });
  return {
    reached: reached.promise,
    end() {
      patience.end();
      if (!response.writableFinished) {
        upstream.destroy();
      }
      entry.release(isBroken ? 'broken' : undefined);
    },
  };
};

const limitBody = (request: IncomingMessage, bodyBytes: number, onTooLarge: () => void) => {
  let received = 0;
  request.on('data', (chunk: Buffer) => {
    received += chunk.length;
    if (received > bodyBytes) {
      onTooLarge();
    }
  });
};

const awayError = (name: string, cause?: Error) =>
  new SluiceError('unavailable', `the function ${name} is away`, {retryAfterSeconds: 1, cause});

const errorOf = ({reason, message}: Refused) =>
  reason === 'late'
    ? new SluiceError('upstream_timeout', message)
    : new SluiceError('unavailable', message, {retryAfterSeconds: 1});

const tooLarge = (bodyBytes: number) =>
  new SluiceError('payload_too_large', `the body is over the limit of ${bodyBytes} bytes`);
