/**
Upstream: one call to a model server, on kept-alive connections, with the waits of `limits.ts` as bounds.

In: a call, a handler of what comes of it. Out: the handler's events, and a way to leave a call that nobody waits for: the
server is told at once, and what it had already sent is still read, because its usage report is in it.
Where there is no TLS a call runs on a connection of ours (`plain/`), elsewhere by undici's dispatch, used bare: its fetch costs four
times the processor time of that a call.
*/
import type {Dispatcher} from 'undici';
import {SluiceError} from '../../../events/errors.ts';
import {limits as defaults, type Limits} from '../../../events/limits.ts';
import type {Place} from './connection.ts';
import {createPools} from './pools.ts';

export type UpstreamCall = Readonly<{
  /** The endpoint's base; a trailing `/v1` is understood. */
  base: string;
  /** From `/v1` on. */
  path: string;
  headers: Record<string, string>;
  body: Buffer;
}>;

/** No model makes so much of one answer within `leaveMs`: it was waiting in buffers, for a client that did not read. */
const restBytesMin = 1024 * 1024;

/** So often `leaveMs` a server may be silent: it, or we, got no processor time, and what it had written is still to come. */
const silencesMax = 5;

/** A call that nobody waits for any more. */
export type Left = Readonly<{
  /** Its handler was told of its end. */
  end(): void;
}>;

/** A call that was sent. */
export type Sent = Readonly<{
  /** Tells the server that nobody waits, as a connection that closes does; its handler is still told of the end. */
  leave(controller: Dispatcher.DispatchController): Left;
}>;

export const createUpstream = ({
  limits = defaults,
  leaveMs = 1_000,
  basesMax,
}: {
  limits?: Pick<Limits, 'firstByteMs' | 'idleUpstreamMs'>;
  /** A server that still writes by then is cut off, unless it is a rest of much; one that is silent a few times later. */
  leaveMs?: number;
  /** Of endpoints that are remembered. */
  basesMax?: number;
} = {}) => {
  const pools = createPools({limits, ...(basesMax === undefined ? {} : {basesMax})});
  const leaving = new Set<Left>();
  const onIdle: (() => void)[] = [];

  const leave = (place: Place, controller: Dispatcher.DispatchController): Left => {
    const socket = place.connection?.closeHalf();
    const cutOff = () => controller.abort(new Error('nobody waits for the answer'));
    let bytes = socket?.bytesRead ?? 0;
    let silences = 0;
    const timer = setInterval(() => {
      const read = (socket?.bytesRead ?? 0) - bytes;
      bytes += read;
      silences = read === 0 ? silences + 1 : silencesMax;
      if (read < restBytesMin && silences >= silencesMax) {
        cutOff();
      }
    }, leaveMs);
    const left: Left = {
      end() {
        clearInterval(timer);
        // A server that finished just then keeps the connection; nothing can be asked on it any more.
        socket?.destroy();
        if (leaving.delete(left) && leaving.size === 0) {
          for (const tell of onIdle.splice(0)) {
            tell();
          }
        }
      },
    };
    leaving.add(left);
    if (socket) {
      controller.resume();
    } else {
      cutOff();
    }
    return left;
  };

  return {
    send({base, path, headers, body}: UpstreamCall, handler: Dispatcher.DispatchHandler): Sent {
      const {pool, plain, prefix} = pools.baseOf(base);
      const place: Place = {connection: undefined};
      const request = {path: prefix + path, headers, body};
      if (plain) {
        plain.send(request, handler, place);
      } else {
        pool.dispatch(
          {method: 'POST' as const, ...request, place} as Dispatcher.DispatchOptions,
          handler,
        );
      }
      return {leave: controller => leave(place, controller)};
    },
    /** Until every call that was left has ended. */
    idle: (): Promise<void> =>
      leaving.size === 0 ? Promise.resolve() : new Promise(resolve => onIdle.push(resolve)),
    /** A small call that is waited for: counting a prompt's tokens. Undefined when the server cannot. */
    async countTokens(
      base: string,
      request: unknown,
      timeoutMs = 5_000,
    ): Promise<number | undefined> {
      const {pool, prefix} = pools.baseOf(base);
      try {
        const {statusCode, body} = await pool.request({
          method: 'POST',
          path: `${prefix}/tokenize`,
          headers: {'content-type': 'application/json'},
          body: JSON.stringify(request),
          // Of the whole call: a server that sends a byte now and then would hold its request for ever.
          signal: AbortSignal.timeout(timeoutMs),
        });
        const answer = (await body.json()) as {count?: unknown};
        return statusCode === 200 &&
          Number.isSafeInteger(answer.count) &&
          (answer.count as number) >= 0
          ? (answer.count as number)
          : undefined;
      } catch {
        return undefined;
      }
    },
    close: () => pools.close(),
  };
};

export type Upstream = ReturnType<typeof createUpstream>;

/** Why a call that had no answer is made again at another endpoint: the connection, or the status that came. */
export type Retried = 'unreachable' | 'broken' | '429' | '502' | '503' | '504';

/**
Undefined: no other endpoint is asked. One that was silent until the time was over would be followed by another as long, and its
model may have worked all the while. `reached`: it went out, on a connection.
*/
export const retriedAfter = (error: Error, reached: boolean): Retried | undefined => {
  const code = (error as {code?: string}).code ?? '';
  if (
    error instanceof SluiceError ||
    ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_ABORTED'].includes(code)
  ) {
    return undefined;
  }
  return reached ? 'broken' : 'unreachable';
};

const retriedStatuses: Readonly<Partial<Record<number, Retried>>> = {
  429: '429',
  502: '502',
  503: '503',
  504: '504',
};
export const retriedAtStatus = (status: number): Retried | undefined => retriedStatuses[status];

/** What a failed call is to the client. Reasons of the network stay in the log. */
export const upstreamFault = (error: Error, reached: boolean): SluiceError => {
  if (error instanceof SluiceError) {
    return error;
  }
  const code = (error as {code?: string}).code ?? '';
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    return new SluiceError('upstream_timeout', 'the model server did not answer in time', {
      cause: error,
    });
  }
  return reached
    ? new SluiceError('upstream_error', 'the model server broke the connection', {cause: error})
    : new SluiceError('upstream_error', 'the model server could not be reached', {cause: error});
};

/** What an error answer of a model server is to the client: its 400 is about the request, anything else is behind us. */
export const upstreamRefusal = (status: number, body: Buffer): SluiceError => {
  if (status === 400 || status === 413 || status === 422) {
    return new SluiceError(
      'bad_request',
      messageOf(body) ?? 'the model server refused the request',
    );
  }
  // A route it has not: nothing is wrong with it. That it has not the model is an error object, and its fault.
  const hasNoRoute = (status === 404 || status === 405) && messageOf(body) === undefined;
  if (hasNoRoute || status === 501) {
    return new SluiceError('not_found', 'the model server of this model does not serve this route');
  }
  if (status === 429 || status === 503) {
    return new SluiceError('unavailable', 'the model server is busy or starting', {
      retryAfterSeconds: 1,
    });
  }
  return status === 504
    ? new SluiceError('upstream_timeout', 'the model server did not answer in time')
    : new SluiceError('upstream_error', `the model server answered ${status}`);
};

const messageOf = (body: Buffer): string | undefined => {
  try {
    const value = JSON.parse(body.toString('utf8')) as {
      error?: {message?: unknown};
      message?: unknown;
    };
    const message = value.error?.message ?? value.message;
    return typeof message === 'string' ? message.slice(0, 1_000) : undefined;
  } catch {
    return undefined;
  }
};
