/**
Plain call: a call on a plain connection, and its handler's way to pause it, to go on and to end it; nothing of it reaches the connection
once it is over.
*/
import type {Dispatcher} from 'undici';

export type PlainRequest = Readonly<{
  path: string;
  headers: Readonly<Record<string, string>>;
  body: Buffer;
}>;

export type Carrier = Readonly<{pause(): void; resume(): void; fail(error: Error): void}>;

export type PlainCall = Dispatcher.DispatchController & {
  /** Until it is written: a prompt is not kept for as long as its answer lasts. */
  request: PlainRequest | undefined;
  readonly handler: Dispatcher.DispatchHandler;
  /** While it runs. */
  carrier: Carrier | undefined;
  paused: boolean;
};

export const createCall = (
  request: PlainRequest,
  handler: Dispatcher.DispatchHandler,
): PlainCall => {
  const call = {
    request: request as PlainRequest | undefined,
    handler,
    carrier: undefined as Carrier | undefined,
    paused: false,
    aborted: false,
    reason: null as Error | null,
    pause() {
      call.paused = true;
      call.carrier?.pause();
    },
    resume() {
      if (call.paused) {
        call.paused = false;
        call.carrier?.resume();
      }
    },
    abort(reason: Error) {
      if (!call.aborted && call.carrier) {
        call.aborted = true;
        call.reason = reason;
        call.carrier.fail(reason);
      }
    },
  };
  return call;
};
