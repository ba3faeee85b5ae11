/**
Retry: whether a call that failed may be made again, and after how long.

In: the error, how often it was tried, whether doing it twice does no more than once. Out: milliseconds, or nothing. A call that
never left this machine may always be made again. What the server asks for by Retry-After is waited for, up to a minute.
*/
import {ApiError, UnreachableError} from './errors.ts';

export const delaysMs: readonly number[] = [1_000, 2_000, 4_000];
const passing: readonly number[] = [429, 502, 503, 504];
const retryAfterMsMax = 60_000;

export const delayBefore = (
  error: unknown,
  {
    tried,
    repeatable,
    random,
    delays = delaysMs,
  }: {tried: number; repeatable: boolean; random: () => number; delays?: readonly number[]},
): number | undefined => {
  const delay = delays[tried - 1];
  if (delay === undefined || !mayPass(error, repeatable)) {
    return undefined;
  }
  const asked = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1_000 : 0;
  // Jittered upwards: clients that failed together do not come back together, and never before they were asked to.
  return Math.min(Math.max(delay, asked), retryAfterMsMax) * (1 + random() / 4);
};

const mayPass = (error: unknown, repeatable: boolean): boolean => {
  if (error instanceof UnreachableError) {
    return repeatable || error.neverSent;
  }
  return (
    repeatable &&
    error instanceof ApiError &&
    (passing.includes(error.status) || error.code === 'request_in_progress')
  );
};
