/**
Start: what every stage of a start is given, and how it waits.

A stage begins something with what the stages before it made, and adds to `parts` what undoes it before it waits for it, so that
a start that fails or is given up leaves nothing behind.
*/
import {join} from 'node:path';
import {limits} from '../../../events/limits.ts';
import type {Logger} from '../../../events/telemetry.ts';
import type {Options} from '../options.ts';
import type {Parts} from '../parts.ts';
import type {State} from '../state.ts';

export type Start = Readonly<{
  options: Options;
  environment: Readonly<Record<string, string | undefined>>;
  parts: Parts;
  /** Aborted when the person does not want to wait for the start any more. */
  signal: AbortSignal;
  /** One line for the person. */
  say: (line: string) => void;
  /** A line that a function wrote. */
  onLine: (name: string, line: string) => void;
  logger: Logger;
  /** Something that nothing here can do without is gone for good. */
  onLost: (error: Error) => void;
}>;

/** A request may take 600 s, and is given the time to be accounted for. */
export const gatewayDrainMs = limits.drainMs + 20_000;
export const functionDrainMs = 35_000;

export const compileCacheOf = (state: State) => join(state.folder, 'compile-cache');

/** Gives up waiting, not what is waited for: that is in `parts`. */
export const abortable = async <Value>(
  promise: Promise<Value>,
  signal: AbortSignal,
): Promise<Value> => {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, {once: true});
  try {
    signal.throwIfAborted();
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
    promise.catch(() => {});
  }
};
