/**
Relay: the model server's answer, passed on as it comes, as fast as the client takes it.

In: undici's events of one call. Out: bytes for the client; `finish` or `fail` of the exchange when the answer ends. After the client
went, only the usage in what still comes is looked at.
*/
import type {Dispatcher} from 'undici';
import {asSluiceError, type SluiceError} from '../../../events/errors.ts';
import type {Exchange, ExchangeParts} from './admitted.ts';
import {type Answer, type Charge, createStreamAnswer, createWholeAnswer} from './answer.ts';
import {nothing} from './ending.ts';
import type {Outcome} from './facts.ts';
import {reachedModel, upstreamFault, upstreamRefusal} from './upstream.ts';

export type State = {
  answer: Answer | undefined;
  controller: Dispatcher.DispatchController | undefined;
  ended: boolean;
  /** Headers went to the client. */
  sent: boolean;
  acknowledged: boolean;
  firstMs: number | undefined;
  /** An error answer of the model server, being collected. */
  refusal: {status: number; parts: Buffer[]; size: number} | undefined;
  /** The model server may have worked for this. */
  reached: boolean;
  /** Nobody waits: told once, when nothing more comes. */
  onLeft: (() => void) | undefined;
  /** Sends what of the answer waits. */
  flush: () => void;
};

export const relayOf = (
  parts: ExchangeParts,
  exchange: Exchange,
  state: State,
  finish: (outcome: Outcome, error: SluiceError | undefined, charge: Charge | undefined) => void,
  fail: (outcome: Outcome, error: SluiceError) => void,
): Dispatcher.DispatchHandler => {
  const {operation, response, facts} = exchange;
  /** Chunks that one read of the upstream's socket brought go out by one write: a write costs more than a chunk. */
  let waiting: Buffer[] = [];

  const takeWaiting = (): Buffer => {
    const bytes = waiting.length === 1 ? (waiting[0] as Buffer) : Buffer.concat(waiting);
    waiting = [];
    return bytes;
  };

  state.flush = () => {
    if (waiting.length > 0 && !response.write(takeWaiting())) {
      state.controller?.pause();
      response.once('drain', () => state.controller?.resume());
    }
  };

  const sendHead = (length: number | undefined) => {
    state.sent = true;
    state.firstMs = performance.now() - exchange.arrivedMs;
    exchange.span.event('first byte');
    response.writeHead(200, {
      'content-type': state.answer?.contentType ?? 'application/json',
      ...(length === undefined ? {} : {'content-length': length}),
      ...(operation.stream ? {'cache-control': 'no-cache', 'x-accel-buffering': 'no'} : {}),
    });
  };

  const write = (bytes: Buffer) => {
    if (bytes.length === 0 || state.ended) {
      return;
    }
    if (!state.sent) {
      sendHead(undefined);
    }
    if (waiting.length === 0) {
      queueMicrotask(() => {
        if (!state.ended) {
          state.flush();
        }
      });
    }
    waiting.push(bytes);
  };

  const end = (bytes: Buffer) => {
    if (!state.sent) {
      sendHead(bytes.length);
    }
    waiting.push(bytes);
    response.end(takeWaiting());
  };

  /** Whatever fails in here is the answer's fault or ours, never the connection's. */
  const guarded = (work: () => void) => {
    try {
      work();
    } catch (error) {
      const fault = asSluiceError(error);
      if (fault.code === 'internal') {
        parts.logger.error({err: fault.cause, request: facts.request}, 'the exchange failed');
      }
      // Nobody got anything of an answer that is none.
      finish('upstream_error', fault, state.sent ? state.answer?.charge() : nothing);
    }
  };

  return {
    onRequestStart(controller) {
      state.controller = controller;
      state.reached = true;
      if (state.ended) {
        controller.abort(new Error('the request ended before it was sent'));
        return;
      }
      parts.onSent?.(exchange);
    },
    onResponseStart(controller, status, headers) {
      if (status >= 100 && status < 200) {
        return;
      }
      if (status !== 200) {
        state.refusal = {status, parts: [], size: 0};
      } else if (operation.stream && !/json/.test(String(headers['content-type'] ?? ''))) {
        const meter = operation.form.meter(operation.streamOptions);
        state.answer = createStreamAnswer(facts.promptBytes, meter);
      } else {
        state.answer = createWholeAnswer(facts.promptBytes, operation.form);
      }
      if (!state.acknowledged && !state.onLeft) {
        controller.pause();
      }
    },
    onResponseData(_controller, chunk) {
      if (state.onLeft) {
        quietly(() => state.refusal ?? state.answer?.push(chunk));
        return;
      }
      guarded(() => {
        if (state.refusal) {
          state.refusal.size += chunk.length;
          if (state.refusal.size <= 65_536) {
            state.refusal.parts.push(chunk);
          }
          return;
        }
        write((state.answer as Answer).push(chunk));
      });
    },
    onResponseEnd() {
      if (state.onLeft) {
        quietly(() => state.refusal ?? state.answer?.end());
        state.onLeft();
        return;
      }
      guarded(() => {
        if (state.refusal) {
          const error = upstreamRefusal(state.refusal.status, Buffer.concat(state.refusal.parts));
          if (error.status >= 500) {
            parts.onEndpointFailed(exchange, error);
          }
          finish(error.status < 500 ? 'refused_upstream' : 'upstream_error', error, nothing);
          return;
        }
        end((state.answer as Answer).end());
        finish('completed', undefined, state.answer?.charge());
      });
    },
    onResponseError(_controller, error) {
      if (state.onLeft) {
        state.onLeft();
        return;
      }
      if (state.ended) {
        return;
      }
      state.reached = reachedModel(error);
      parts.onEndpointFailed(exchange, error);
      fail('upstream_error', upstreamFault(error));
    },
  };
};

/** What came after the client went: garbage ends nobody's answer any more. */
const quietly = (work: () => unknown) => {
  try {
    work();
  } catch {
    // What was understood before is charged.
  }
};
