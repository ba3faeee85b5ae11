/**
Wait for: whether what a program depends on answers, before a deadline.

In: dependencies, each with a check that is over after the time it is given. Out: those that have not answered when the deadline has
passed, each with the reason of its last failure; none when all have. What has answered once is not asked again.
*/
import {setTimeout as pause} from 'node:timers/promises';

export type Dependency = Readonly<{
  name: string;
  /** Rejects when there is no answer, at the latest after `withinMs`. */
  check(withinMs: number): Promise<void>;
}>;

export type Missing = Readonly<{name: string; reason: string}>;

export const waitFor = async (
  dependencies: readonly Dependency[],
  {
    deadlineMs = 120_000,
    attemptMs = 3_000,
    intervalMs = 500,
    now = () => performance.now(),
    sleep = async (ms: number): Promise<void> => pause(ms),
    onMissing = () => {},
  }: {
    deadlineMs?: number;
    /** Of one check. */
    attemptMs?: number;
    intervalMs?: number;
    now?: () => number;
    sleep?: (ms: number) => Promise<void>;
    /** Hears of each reason once in a row: a log of five hundred equal lines tells nobody anything. */
    onMissing?: (missing: Missing) => void;
  } = {},
): Promise<Missing[]> => {
  const end = now() + deadlineMs;
  const answers = async ({name, check}: Dependency): Promise<Missing | undefined> => {
    let last = '';
    for (;;) {
      // One attempt is made however short the deadline is.
      const leftMs = Math.max(end - now(), 1);
      try {
        await check(Math.ceil(Math.min(attemptMs, leftMs)));
        return undefined;
      } catch (error) {
        const reason = reasonOf(error);
        if (reason !== last) {
          onMissing({name, reason});
        }
        last = reason;
      }
      if (now() + intervalMs >= end) {
        return {name, reason: last};
      }
      await sleep(intervalMs);
    }
  };
  const found = await Promise.all(dependencies.map(answers));
  return found.filter(missing => missing !== undefined);
};

const reasonOf = (error: unknown): string => {
  const {message, errors} = error as Error & {errors?: readonly Error[]};
  // What could not connect to any of several addresses says so by its parts only.
  return message || (errors ?? []).map(each => each.message).join('; ') || String(error);
};
