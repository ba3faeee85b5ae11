/**
Exchange: exchanges of requests whose every event the test decides: acknowledgements, places, calls, clients that go.

In: where requests go. Out: what was sent, recorded and told. Nothing here waits for anything.
*/
import {EventEmitter} from 'node:events';
import {pino} from 'pino';
import type {Dispatcher} from 'undici';
import type {WrittenEvent} from '../../events/event.ts';
import {noTracing} from '../../events/tracing.ts';
import type {InferenceFinished} from '../../events/types.ts';
import {readOperation} from '../../functions/gateway/admission/operation.ts';
import type {ClientResponse, Exchange} from '../../functions/gateway/exchange/admitted.ts';
import {createExchanges} from '../../functions/gateway/exchange/exchange.ts';
import type {Ending} from '../../functions/gateway/exchange/facts.ts';
import type {Left, Upstream} from '../../functions/gateway/exchange/upstream.ts';
import {createPatience} from '../../functions/gateway/log/patience.ts';
import type {Place, Router, Waiting} from '../../functions/gateway/routing/router.ts';
import type {EndpointEntry, ModelEntry} from '../../functions/registry/catalogue.ts';
import {modelOf} from './routing.ts';

const controllerOf = (call: {handler: Dispatcher.DispatchHandler; isOver: boolean}) => {
  const state = {paused: false};
  const controller = {
    get paused() {
      return state.paused;
    },
    aborted: false,
    reason: null,
    pause() {
      state.paused = true;
    },
    resume() {
      state.paused = false;
    },
    abort(reason: Error) {
      if (!call.isOver) {
        call.isOver = true;
        call.handler.onResponseError?.(controller, reason);
      }
    },
  };
  return controller as Dispatcher.DispatchController;
};

/** A call to a model server, and what the test lets that do. Nothing comes after its end. */
export const callOf = (handler: Dispatcher.DispatchHandler, base: string) => {
  const call = {handler, base, isOver: false, hasBegun: false, isLeft: false};
  const controller = controllerOf(call);
  const told = (step: () => void) => {
    if (!call.isOver) {
      step();
    }
  };
  const over = (step: () => void) =>
    told(() => {
      call.isOver = true;
      step();
    });
  return {
    call,
    controller,
    start: () =>
      told(() => {
        call.hasBegun = true;
        handler.onRequestStart?.(controller, undefined);
      }),
    head: (status: number, type = 'application/json') =>
      told(() => handler.onResponseStart?.(controller, status, {'content-type': type})),
    data: (text: string) => told(() => handler.onResponseData?.(controller, Buffer.from(text))),
    end: () => over(() => handler.onResponseEnd?.(controller, {})),
    fail: (code: string) =>
      over(() =>
        handler.onResponseError?.(controller, Object.assign(new Error(code), {code}) as never),
      ),
  };
};

export type Call = ReturnType<typeof callOf>;

export class TestResponse extends EventEmitter {
  destroyed = false;
  headersSent = false;
  writableFinished = false;
  status: number | undefined;
  text = '';
  setHeader() {}
  removeHeader() {}
  writeHead(status: number) {
    if (this.headersSent) {
      throw new Error('a second head');
    }
    this.headersSent = true;
    this.status = status;
  }
  write(bytes: Buffer | string) {
    if (this.writableFinished) {
      throw new Error('written after its end');
    }
    this.text += bytes.toString();
    return true;
  }
  end(bytes?: Buffer | string, encoding: BufferEncoding = 'utf8') {
    this.write(typeof bytes === 'string' ? Buffer.from(bytes, encoding) : (bytes ?? ''));
    this.writableFinished = true;
    this.close();
  }
  destroy() {
    this.close();
  }
  close() {
    if (!this.destroyed) {
      this.destroyed = true;
      this.emit('close');
    }
  }
}

export const exchangeWorld = (
  router: Pick<Router, 'acquire'>,
  {send, onCall}: {send?: Upstream['send']; onCall?: (call: Call) => void} = {},
) => {
  const calls: Call[] = [];
  const intents: PromiseWithResolvers<void>[] = [];
  const results: InferenceFinished[] = [];
  const held = {settled: 0, usable: true, hurried: 0};
  const upstream = {
    send(asked: {base: string}, handler: Dispatcher.DispatchHandler) {
      const call = callOf(handler, asked.base);
      calls.push(call);
      onCall?.(call);
      return {
        leave(): Left {
          call.call.isLeft = true;
          return {end() {}};
        },
      };
    },
  };
  const run = createExchanges({
    upstream: (send ? {send} : upstream) as Upstream,
    intents: {
      add() {
        const intent = Promise.withResolvers<void>();
        intents.push(intent);
        return intent.promise;
      },
      hurry() {
        held.hurried += 1;
      },
    } as never,
    patience: createPatience(),
    results: {
      async add({json}: WrittenEvent) {
        results.push(JSON.parse(json).data as InferenceFinished);
      },
    } as never,
    router,
    limits: {firstCommentMs: 5_000, commentMs: 10_000},
    logger: pino({level: 'silent'}),
    onEnd: (exchange, ending) => exchange.onEnd?.(ending),
    onEndpointFailed() {},
  });
  let count = 0;

  const start = (
    place: Place | Waiting,
    {
      model = modelOf([]),
      first = 'endpoint' in place ? place.endpoint : (model.endpoints[0] as EndpointEntry),
      stream = false,
      fallBack,
    }: {
      model?: ModelEntry;
      first?: EndpointEntry;
      stream?: boolean;
      fallBack?: Exchange['fallBack'];
    } = {},
  ) => {
    count += 1;
    const body = Buffer.from(
      JSON.stringify({model: 'llama', stream, messages: [{role: 'user', content: 'Hi'}]}),
    );
    const operation = readOperation('chat.completions', body);
    const response = new TestResponse();
    const endings: Ending[] = [];
    run({
      facts: {
        request: `request-${count}`,
        principal: {org: 'one', project: 'p', key: 'k', unsettledPolicy: 'prompt'} as never,
        model: {
          ...model,
          price: {
            free: true,
            inputPerMillion: 0,
            outputPerMillion: 0,
            inputGpuMsPerMillion: 0,
            outputGpuMsPerMillion: 0,
          },
        },
        endpoint: first,
        tries: 0,
        operation: 'chat.completions',
        streamed: stream,
        startedAt: new Date(),
        deadline: new Date(),
        promptBytes: 2,
        holds: [],
        label: undefined,
        traceparent: '',
      },
      operation,
      taken: {
        holds: [],
        maxTokens: 10,
        usable: () => held.usable,
        settle() {
          held.settled += 1;
        },
        abandon() {},
      },
      bounds: {promptTokens: 10},
      place,
      first,
      body,
      underBudget: false,
      response: response as unknown as ClientResponse,
      arrivedMs: performance.now(),
      untilMs: performance.now() + 600_000,
      headers: {},
      span: noTracing.start(''),
      caller: {client: undefined, userAgent: undefined},
      onEnd: ending => endings.push(ending),
      fallBack,
    });
    return {response, endings};
  };
  return {start, calls, intents, results, held};
};

export const answer = JSON.stringify({
  choices: [{message: {content: 'Hello.'}}],
  usage: {prompt_tokens: 3, completion_tokens: 2},
});
