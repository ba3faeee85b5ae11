/**
Follow: shows what is there and then what comes, until it is interrupted.

In: a look at the newest, oldest of them first, each with an id; how one is shown. What comes in greater number than one look can have
between two looks is not shown. A server that is away for a while is asked again.
*/
import {waitFor} from '../../client/transport.ts';
import type {Surroundings} from '../program.ts';
import type {Item} from './client.ts';
import {exitCodes, Failure} from './failure.ts';

const seenMax = 10_000;

export const follow = async ({
  look,
  show,
  surroundings: {interrupted, wait = waitFor, err},
  everyMs = 2_000,
}: {
  look: () => Promise<readonly Item[]>;
  show: (item: Item) => void;
  surroundings: Pick<Surroundings, 'interrupted' | 'wait' | 'err'>;
  everyMs?: number;
}): Promise<void> => {
  const signal = interrupted?.() ?? new AbortController().signal;
  const seen = new Set<unknown>();
  for (let looks = 0; !signal.aborted; looks += 1) {
    try {
      for (const item of (await look()).filter(({id}) => !seen.has(id))) {
        seen.add(item.id);
        show(item);
      }
    } catch (error) {
      if (looks === 0 || !(error instanceof Failure) || error.exitCode !== exitCodes.unreachable) {
        throw error;
      }
      err(`sluice: ${error.message}; it is asked again\n`);
    }
    forgetOldest(seen);
    await wait(everyMs, signal).catch(() => {});
  }
};

const forgetOldest = (seen: Set<unknown>) => {
  for (const id of seen) {
    if (seen.size <= seenMax) {
      return;
    }
    seen.delete(id);
  }
};
