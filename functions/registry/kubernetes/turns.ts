/**
Turns: many are told of one object at once, and a few looks at a time are enough for all.

In: what is looked at, the look. Out: what a look found that began after it was asked for. Who asks while one runs shares the next; looks at other
things wait for their turn, because each holds a connection to PostgreSQL. Where many wait already the next is sent away, to come again.
*/
import {SluiceError} from '../../../events/errors.ts';

export const createTurns = <Result>({
  atOnce = 2,
  waitingMax = 200,
  retryAfterSeconds = 5,
}: {
  atOnce?: number;
  /** Looks that have not begun. */
  waitingMax?: number;
  retryAfterSeconds?: number;
} = {}) => {
  const next = new Map<string, Promise<Result>>();
  const last = new Map<string, Promise<unknown>>();
  const waiting: (() => void)[] = [];
  let free = atOnce;

  const enter = async () => {
    if (free > 0) {
      free -= 1;
      return;
    }
    await new Promise<void>(resolve => waiting.push(resolve));
  };
  const leave = () => {
    const first = waiting.shift();
    if (first) {
      first();
    } else {
      free += 1;
    }
  };

  return function take(name: string, look: () => Promise<Result>): Promise<Result> {
    const shared = next.get(name);
    if (shared) {
      return shared;
    }
    if (next.size >= waitingMax) {
      return Promise.reject(
        new SluiceError('too_many_requests', `${waitingMax} objects wait to be looked at already`, {
          retryAfterSeconds,
        }),
      );
    }
    const before = last.get(name);
    const mine = (async () => {
      await before?.catch(() => {});
      await enter();
      // From here on it has begun, and who comes later needs another.
      next.delete(name);
      try {
        return await look();
      } finally {
        leave();
      }
    })();
    next.set(name, mine);
    last.set(name, mine);
    const forget = () => {
      if (last.get(name) === mine) {
        last.delete(name);
      }
    };
    mine.then(forget, forget);
    return mine;
  };
};
