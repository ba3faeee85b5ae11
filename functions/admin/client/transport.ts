/**
Transport: one call over HTTP, made again where that does no harm.

In: method, path, query, headers, body. Out: status, headers and the parsed answer, or the text as it comes; else an ApiError or an
UnreachableError. Redirects are never followed: the token is for one server, wherever that would send us.
*/
import {ApiError, parseObject, toApiError, UnreachableError} from './errors.ts';
import {delayBefore, delaysMs} from './retry.ts';

export type Token = string | (() => string | Promise<string>);
export type QueryValue = string | number | boolean | undefined;
export type Call = Readonly<{
  method: string;
  path: string;
  /** What is undefined is not sent. */
  query?: Readonly<Record<string, QueryValue>>;
  headers?: Readonly<Record<string, string>>;
  body?: object;
  signal?: AbortSignal;
  timeoutMs?: number;
}>;
export type Answered = Readonly<{status: number; headers: Headers; body: unknown}>;
/** What is happening, for whoever wants to show it. Never has a token in it. */
export type Notice =
  | Readonly<{kind: 'sent'; method: string; url: string; body?: object}>
  | Readonly<{
      kind: 'answered';
      method: string;
      url: string;
      status: number;
      requestId?: string;
      ms: number;
    }>
  | Readonly<{
      kind: 'retry';
      method: string;
      url: string;
      error: Error;
      delayMs: number;
      tried: number;
    }>;

export type TransportOptions = Readonly<{
  /** Of the server, without `/admin/v1`. */
  url: string;
  /** The admin key, a service key, or what asks for one before each call. */
  token: Token;
  timeoutMs?: number;
  /** Before each repetition; empty: none is made. */
  retryDelaysMs?: readonly number[];
  onNotice?: (notice: Notice) => void;
  fetch?: typeof globalThis.fetch;
  wait?: (ms: number, signal?: AbortSignal) => Promise<void>;
  random?: () => number;
  now?: () => number;
}>;

const safeMethods: readonly string[] = ['GET', 'HEAD'];
export const idempotencyHeader = 'idempotency-key';
/** Nothing was sent: no name, no connection. */
const neverSent: readonly unknown[] = [
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
];

export const waitFor = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, {once: true});
    if (signal?.aborted) {
      stop();
    }
  });

export const createTransport = ({
  url: given,
  token,
  timeoutMs: usualMs = 120_000,
  retryDelaysMs = delaysMs,
  onNotice = () => {},
  fetch = globalThis.fetch,
  wait = waitFor,
  random = Math.random,
  now = () => performance.now(),
}: TransportOptions) => {
  const base = given.replace(/\/+$/, '');

  const addressOf = ({path, query = {}}: Call) => {
    const address = new URL(base + path);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) {
        address.searchParams.set(name, String(value));
      }
    }
    return address.href;
  };

  const open = async (call: Call, signal: AbortSignal) => {
    const {method, body} = call;
    const url = addressOf(call);
    onNotice({kind: 'sent', method, url, ...(body === undefined ? {} : {body})});
    const began = now();
    const bearer = typeof token === 'function' ? await token() : token;
    const response = await reach(base, call.signal, () =>
      fetch(url, {
        method,
        redirect: 'manual',
        headers: {
          ...call.headers,
          authorization: `Bearer ${bearer}`,
          ...(body === undefined ? {} : {'content-type': 'application/json'}),
        },
        ...(body === undefined ? {} : {body: JSON.stringify(body)}),
        signal,
      }),
    );
    const requestId = response.headers.get('x-request-id');
    const about = {method, url, status: response.status, ms: now() - began};
    onNotice({kind: 'answered', ...about, ...(requestId === null ? {} : {requestId})});
    // What is as it was, for who asked by an ETag.
    if (!response.ok && response.status !== 304) {
      throw toApiError(base, response, await reach(base, call.signal, () => response.text()));
    }
    return response;
  };

  const again = async <Result>(call: Call, once: () => Promise<Result>): Promise<Result> => {
    const repeatable =
      safeMethods.includes(call.method) ||
      Object.keys(call.headers ?? {}).some(name => name.toLowerCase() === idempotencyHeader);
    for (let tried = 1; ; tried += 1) {
      try {
        return await once();
      } catch (error) {
        const delayMs = delayBefore(error, {tried, repeatable, random, delays: retryDelaysMs});
        if (delayMs === undefined || call.signal?.aborted) {
          throw error;
        }
        const {method} = call;
        onNotice({
          kind: 'retry',
          method,
          url: addressOf(call),
          error: error as Error,
          delayMs,
          tried,
        });
        await wait(delayMs, call.signal);
      }
    }
  };

  const bounded = (call: Call, late: AbortSignal) =>
    call.signal ? AbortSignal.any([call.signal, late]) : late;

  return {
    send: (call: Call): Promise<Answered> =>
      again(call, async () => {
        const signal = bounded(call, AbortSignal.timeout(call.timeoutMs ?? usualMs));
        const response = await open(call, signal);
        const text = await reach(base, call.signal, () => response.text());
        const body = text === '' ? undefined : parseObject(text);
        if (text !== '' && body === undefined) {
          throw toApiError(base, response, text);
        }
        return {status: response.status, headers: response.headers, body};
      }),
    /** Waits for each piece, not for the whole. What was begun is not begun again. */
    async *stream(call: Call): AsyncGenerator<string, void> {
      const late = new AbortController();
      const timer = setTimeout(
        () => late.abort(new Error('nothing came for a while')),
        call.timeoutMs ?? usualMs,
      );
      try {
        const response = await again(call, () => open(call, bounded(call, late.signal)));
        const decoder = new TextDecoder();
        const reader = response.body?.getReader();
        for (;;) {
          const piece = await reach(base, call.signal, async () => reader?.read());
          timer.refresh();
          if (!piece || piece.done) {
            return;
          }
          yield decoder.decode(piece.value, {stream: true});
        }
      } finally {
        clearTimeout(timer);
        late.abort();
      }
    },
  };
};

export type Transport = ReturnType<typeof createTransport>;

/** Who aborts gets their own reason; everything else is that no answer came. */
const reach = async <Result>(
  url: string,
  signal: AbortSignal | undefined,
  work: () => Promise<Result>,
): Promise<Result> => {
  try {
    return await work();
  } catch (error) {
    if (signal?.aborted || error instanceof ApiError) {
      throw signal?.aborted ? signal.reason : error;
    }
    const {cause, message} = error as Error & {cause?: {code?: string; message?: string}};
    throw new UnreachableError(url, cause?.code ?? cause?.message ?? message, {
      cause: error,
      neverSent: neverSent.includes(cause?.code),
    });
  }
};
