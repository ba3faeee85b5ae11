/**
Watch: `--watch`, the same command again and again until it is interrupted.

In: one run that writes what it shows, the seconds between. Out: when it was interrupted. A terminal is cleared before each look,
and only when there is something to show instead; anything else gets one look after the other. A server that is away for a while is
told and asked again.
*/
import {exitCodes, Failure} from './failure.ts';

const clear = '\u001b[H\u001b[2J\u001b[3J';

export const watch = async ({
  run,
  seconds,
  terminal,
  out,
  err,
  signal,
  wait,
}: {
  /** What it shows goes to `out` of its own. */
  run: (out: (text: string) => void) => Promise<void>;
  seconds: number;
  terminal: boolean;
  out: (text: string) => void;
  err: (text: string) => void;
  signal: AbortSignal;
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
}): Promise<void> => {
  for (let looks = 0; !signal.aborted; looks += 1) {
    let shown = '';
    try {
      await run(text => {
        shown += text;
      });
      out(terminal ? clear + shown : shown);
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      if (looks === 0 || !(error instanceof Failure) || error.exitCode !== exitCodes.unreachable) {
        throw error;
      }
      err(`sluice: ${error.message}; it is asked again\n`);
    }
    await wait(seconds * 1_000, signal).catch(() => {});
  }
};
