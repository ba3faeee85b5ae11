/**
Exchange: one admitted request, from the intent to the result.

In: its facts, its holds, the body for the model server, the client's response. Out: the answer, and exactly one result,
whatever way it ends: `finish` is the only end, and works once. The intent is on its way while the model works; its
acknowledgement is waited for before the first byte goes to the client.
*/
import type {ServerResponse} from 'node:http';
import type {Dispatcher} from 'undici';
import {asSluiceError, SluiceError, toOpenAiError} from '../../events/errors.ts';
import type {Limits} from '../../events/limits.ts';
import type {Logger} from '../../events/telemetry.ts';
import type {Taken} from '../budget/account.ts';
import {costOf, type Tokens} from '../budget/cost.ts';
import {amountsOf} from '../budget/lease-book.ts';
import {type Answer, type Charge, createStreamAnswer, createWholeAnswer} from './answer.ts';
import {type Ending, type Facts, intentOf, type Outcome, resultOf} from './facts.ts';
import type {Gather} from './gather.ts';
import type {Operation} from './operation.ts';
import {sendError} from './respond.ts';
import {reachedModel, type Upstream, upstreamFault, upstreamRefusal} from './upstream.ts';
import {estimate} from './usage.ts';

export type Exchange = Readonly<{
  facts: Facts;
  operation: Operation;
  taken: Taken;
  /** The most the request was admitted for, for the policy `hold`. */
  bounds: Readonly<{promptTokens: number}>;
  body: Buffer;
  response: ServerResponse;
  /** Monotonic ms of the request's arrival. */
  arrivedMs: number;
  headers: Record<string, string>;
}>;

export type ExchangeParts = Readonly<{
  upstream: Upstream;
  intents: Gather;
  results: Gather;
  limits: Pick<Limits, 'requestMs'>;
  logger: Logger;
  onEnd: (exchange: Exchange, ending: Ending, error: SluiceError | undefined) => void;
  onEndpointFailed: (exchange: Exchange, error: Error) => void;
}>;

const none: Tokens = {inputTokens: 0, cachedInputTokens: 0, outputTokens: 0};
const nothing: Charge = {tokens: none, estimated: false};

export const createExchanges = (parts: ExchangeParts) =>
  function runExchange(exchange: Exchange): void {
    const {facts, operation, taken, response} = exchange;
    const state: State = {
      answer: undefined,
      controller: undefined,
      ended: false,
      sent: false,
      acknowledged: false,
      firstMs: undefined,
      refusal: undefined,
      reached: false,
    };

    /** The only end. `charge`: what to pay for; undefined = by the project's policy for answers that never came. */
    const finish = (
      outcome: Outcome,
      error: SluiceError | undefined,
      charge: Charge | undefined,
    ) => {
      if (state.ended) {
        return;
      }
      state.ended = true;
      clearTimeout(deadline);
      state.controller?.abort(new Error(outcome));
      if (error) {
        endWithError(response, error, state.sent, operation.stream);
      }
      settle(parts, exchange, {
        outcome,
        charge: charge ?? byPolicy(exchange),
        firstMs: state.firstMs,
        error,
      });
    };

    const fail = (outcome: Outcome, error: SluiceError) =>
      finish(outcome, error, state.answer?.charge() ?? (state.reached ? undefined : nothing));
    const deadline = setTimeout(
      () =>
        fail(
          'deadline_exceeded',
          new SluiceError('upstream_timeout', 'the request ran into its deadline'),
        ),
      parts.limits.requestMs,
    );
    response.once('close', () => {
      if (!response.writableFinished) {
        finish(
          'client_aborted',
          undefined,
          state.answer?.charge() ?? (state.controller ? undefined : nothing),
        );
      }
    });

    parts.intents.add(intentOf(facts)).then(
      () => {
        if (!taken.usable()) {
          // Frozen between hold and acknowledgement: the lease may be fenced by now, so nothing goes out and nothing is charged.
          finish(
            'lease_lost',
            new SluiceError('unavailable', 'the budget lease ran out; try again', {
              retryAfterSeconds: 1,
            }),
            nothing,
          );
          return;
        }
        state.acknowledged = true;
        state.controller?.resume();
      },
      cause => {
        const error = new SluiceError('unavailable', 'the request could not be recorded', {
          retryAfterSeconds: 1,
          cause,
        });
        finish('lease_lost', error, nothing);
      },
    );
    parts.upstream.send(
      {
        base: facts.endpoint,
        path: `/v1/${operation.name.replace('.', '/')}`,
        headers: exchange.headers,
        body: exchange.body,
      },
      handlerOf(parts, exchange, state, finish, fail),
    );
  };

type State = {
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
};

const handlerOf = (
  parts: ExchangeParts,
  exchange: Exchange,
  state: State,
  finish: (outcome: Outcome, error: SluiceError | undefined, charge: Charge | undefined) => void,
  fail: (outcome: Outcome, error: SluiceError) => void,
): Dispatcher.DispatchHandler => {
  const {operation, response, facts} = exchange;

  const write = (bytes: Buffer) => {
    if (bytes.length === 0 || state.ended) {
      return;
    }
    if (!state.sent) {
      state.sent = true;
      state.firstMs = performance.now() - exchange.arrivedMs;
      response.writeHead(200, {
        'content-type': state.answer?.contentType ?? 'application/json',
        ...(operation.stream ? {'cache-control': 'no-cache', 'x-accel-buffering': 'no'} : {}),
      });
    }
    if (!response.write(bytes)) {
      state.controller?.pause();
      response.once('drain', () => state.controller?.resume());
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
      finish('upstream_error', fault, state.sent ? state.answer?.charge() : nothing);
    }
  };

  return {
    onRequestStart(controller) {
      state.controller = controller;
      state.reached = true;
      if (state.ended) {
        controller.abort(new Error('the request ended before it was sent'));
      }
    },
    onResponseStart(controller, status, headers) {
      if (status >= 100 && status < 200) {
        return;
      }
      if (status !== 200) {
        state.refusal = {status, parts: [], size: 0};
      } else if (operation.stream && !/json/.test(String(headers['content-type'] ?? ''))) {
        state.answer = createStreamAnswer(facts.promptBytes, {
          keepFinal: operation.streamOptions?.include_usage === true,
          keepEvery: operation.streamOptions?.continuous_usage_stats === true,
        });
      } else {
        state.answer = createWholeAnswer(facts.promptBytes);
      }
      if (!state.acknowledged) {
        controller.pause();
      }
    },
    onResponseData(_controller, chunk) {
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
      guarded(() => {
        if (state.refusal) {
          const error = upstreamRefusal(state.refusal.status, Buffer.concat(state.refusal.parts));
          if (error.status >= 500) {
            parts.onEndpointFailed(exchange, error);
          }
          finish(error.status < 500 ? 'refused_upstream' : 'upstream_error', error, nothing);
          return;
        }
        write((state.answer as Answer).end());
        response.end();
        finish('completed', undefined, state.answer?.charge());
      });
    },
    onResponseError(_controller, error) {
      if (state.ended) {
        return;
      }
      state.reached = reachedModel(error);
      parts.onEndpointFailed(exchange, error);
      fail('upstream_error', upstreamFault(error));
    },
  };
};

/** What an answer costs of which nothing is known: the project's policy, never more than was admitted. */
const byPolicy = ({facts, operation, bounds, taken}: Exchange): Charge => {
  switch (facts.principal.unsettledPolicy) {
    case 'waive':
      return {tokens: none, estimated: true};
    case 'hold':
      return {
        tokens: {
          inputTokens: bounds.promptTokens,
          cachedInputTokens: 0,
          outputTokens: operation.copies * taken.maxTokens,
        },
        estimated: true,
      };
    case 'prompt':
      return {
        tokens: estimate(Math.min(facts.promptBytes, bounds.promptTokens * 4), 0),
        estimated: true,
      };
  }
};

const settle = (
  parts: ExchangeParts,
  exchange: Exchange,
  {
    outcome,
    charge,
    firstMs,
    error,
  }: {
    outcome: Outcome;
    charge: Charge;
    firstMs: number | undefined;
    error: SluiceError | undefined;
  },
) => {
  const {facts, taken} = exchange;
  const amounts = amountsOf(facts.holds, facts.model.price, charge.tokens);
  const ending: Ending = {
    outcome,
    status: error && firstMs === undefined ? error.status : firstMs === undefined ? undefined : 200,
    ...charge,
    costNanos: costOf('usd', facts.model.price, charge.tokens),
    amounts,
    finishedAt: new Date(),
    latencyMs: Math.round(performance.now() - exchange.arrivedMs),
    timeToFirstTokenMs: firstMs === undefined ? undefined : Math.round(firstMs),
  };
  // The hold goes back into the lease only when the result is durable: until then a reader of the log may not know of it.
  parts.results.add(resultOf(facts, ending)).then(
    () => taken.settle(amounts),
    cause =>
      parts.logger.error(
        {err: cause, request: facts.request},
        'the result was not recorded; the reconciler settles it',
      ),
  );
  parts.onEnd(exchange, ending, error);
};

const endWithError = (
  response: ServerResponse,
  error: SluiceError,
  sent: boolean,
  stream: boolean,
) => {
  if (!sent) {
    sendError(response, error);
  } else if (stream && !response.destroyed) {
    // Headers are gone, so the error is an event; the missing [DONE] tells those who do not read it.
    response.end(`data: ${JSON.stringify(toOpenAiError(error))}\n\n`);
  } else {
    response.destroy();
  }
};
