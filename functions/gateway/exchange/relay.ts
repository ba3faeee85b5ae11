/**
Relay: the model server's answer, passed on as it comes, as fast as the client takes it.

In: undici's events of one call. Out: bytes for the client; how the exchange goes on when the answer ends. After the client
went, only the usage in what still comes is looked at.
*/
import type {Dispatcher} from 'undici';
import {asSluiceError, type SluiceError} from '../../../events/errors.ts';
import {forgetBody} from './admitted.ts';
import {type Answer, createStreamAnswer, createWholeAnswer} from './answer.ts';
import {nothing} from './ending.ts';
import {fail, finish} from './ends.ts';
import {type Going, sendHead} from './state.ts';
import {
  type Retried,
  retriedAfter,
  retriedAtStatus,
  upstreamFault,
  upstreamRefusal,
} from './upstream.ts';

const inOnePieceMax = 16 * 1024;

/** `unanswered`: the call failed before a byte of an answer came. */
export const relayOf = (
  going: Going,
  unanswered: (going: Going, error: SluiceError, why: Retried) => void,
): Dispatcher.DispatchHandler => {
  const {parts, exchange, state} = going;
  const {operation, response, facts} = exchange;
  /** Chunks that one read of the upstream's socket brought go out by one write: a write costs more than a chunk. */
  let waiting: Buffer[] = [];
  /** A byte of an answer came, whether or not it went on. */
  let hasBegun = false;
  let startedMs = 0;

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

  const beginAnswer = (length: number | undefined) => {
    clearTimeout(state.comments);
    state.firstMs = performance.now() - exchange.arrivedMs;
    exchange.span.event('first byte');
    // Not at its head, which servers send before they begin to work.
    state.place?.answers();
    if (!state.sent) {
      sendHead(exchange, state, state.answer?.contentType ?? 'application/json', length);
    }
  };

  const write = (bytes: Buffer) => {
    if (bytes.length === 0 || state.ended) {
      return;
    }
    if (state.firstMs === undefined) {
      beginAnswer(undefined);
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
    if (state.firstMs === undefined) {
      beginAnswer(bytes.length);
    }
    waiting.push(bytes);
    const all = takeWaiting();
    // A text goes out in one piece with its head; bytes would be a second piece, and dearer to send.
    if (all.length <= inOnePieceMax) {
      response.end(all.toString('latin1'), 'latin1');
    } else {
      response.end(all);
    }
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
      finish(
        going,
        'upstream_error',
        fault,
        state.firstMs === undefined ? nothing : state.answer?.charge(),
      );
    }
  };

  return {
    onRequestStart(controller) {
      state.controller = controller;
      state.reached = true;
      startedMs = performance.now();
      if (state.ended) {
        controller.abort(new Error('the request ended before it was sent'));
        return;
      }
      if (facts.tries === 1) {
        parts.onSent?.(exchange);
      }
    },
    onResponseStart(controller, status, headers) {
      if (status >= 100 && status < 200) {
        return;
      }
      if (status !== 200) {
        state.refusal = {status, parts: [], size: 0};
      } else if (
        operation.stream &&
        (state.sent || !/json/.test(String(headers['content-type'] ?? '')))
      ) {
        const meter = operation.form.meter(operation.streamOptions);
        state.answer = createStreamAnswer(facts.promptBytes, meter);
      } else {
        state.answer = createWholeAnswer(facts.promptBytes, operation.form);
      }
      parts.patience.observe(facts.model.id, performance.now() - startedMs);
      if (!state.acknowledged && !state.onLeft) {
        controller.pause();
        parts.intents.hurry();
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
        if (!hasBegun) {
          hasBegun = true;
          forgetBody(exchange);
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
          const why = retriedAtStatus(state.refusal.status);
          if (why) {
            unanswered(going, error, why);
            return;
          }
          finish(going, error.status < 500 ? 'refused_upstream' : 'upstream_error', error, nothing);
          return;
        }
        end((state.answer as Answer).end());
        finish(going, 'completed', undefined, state.answer?.charge());
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
      parts.onEndpointFailed(exchange, error);
      const why = hasBegun ? undefined : retriedAfter(error, state.reached);
      if (why) {
        unanswered(going, upstreamFault(error, state.reached), why);
      } else {
        fail(going, 'upstream_error', upstreamFault(error, state.reached));
      }
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
