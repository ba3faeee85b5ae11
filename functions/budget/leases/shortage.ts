/**
Shortage: what becomes of a request whose budget lacks money on this process's lease.

In: what the store last said, how long ago, how long the request has waited. Out: ask (the store knows more than we do), wait (the
others were asked to give back what they do not use), clamp (a shorter answer is what the money covers), or why it is refused.
exhausted: not enough is left uncharged. busy: it is there, but held or leased elsewhere. paused: by its owner.
*/
export type Shortage = 'ask' | 'wait' | 'clamp' | 'exhausted' | 'busy' | 'paused';

export const shortage = ({
  remaining,
  paused,
  isFresh,
  isAllHere,
  leastHold,
  wholeHold,
  hasWaited,
}: {
  /** Limit less what was charged; undefined before the first answer. */
  remaining: number | undefined;
  paused: boolean;
  /** Was the store asked since the request came, or a moment before? */
  isFresh: boolean;
  /** Nobody else holds anything of what is left. */
  isAllHere: boolean;
  /** Of the shortest answer that is worth giving, and of the whole that was asked for. */
  leastHold: number;
  wholeHold: number;
  /** As long as others need to give something back. */
  hasWaited: boolean;
}): Shortage => {
  if (!isFresh || remaining === undefined) {
    return 'ask';
  }
  if (paused) {
    return 'paused';
  }
  if (remaining < leastHold) {
    return 'exhausted';
  }
  const isEnough = remaining >= wholeHold;
  if (!isEnough && isAllHere) {
    return 'clamp';
  }
  if (!hasWaited) {
    return 'wait';
  }
  return isEnough ? 'busy' : 'clamp';
};
