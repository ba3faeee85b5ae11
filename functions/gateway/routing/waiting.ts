/**
Waiting: the requests of one model that wait, how long they may, and what each is told in the end.

In: wishes, the word that somebody's turn has come. Out: each wait ends once: with a place, or with why there is none. The order is
queue.ts's; here are its bounds in time.
*/
import type {Limits} from '../../../events/limits.ts';
import {type Place, type Unplaced, unplaced, type Waiting} from './place.ts';
import {createFairQueue} from './queue.ts';
import type {ServiceTimes} from './wait.ts';

/** `tried`: ids of endpoints that failed this request. `untilMs`: monotonic. */
export type Wish = Readonly<{organisation: string; tried: readonly string[]; untilMs: number}>;

type Waiter = Omit<Wish, 'tried'> & {
  readonly sinceMs: number;
  readonly resolve: (result: Place | Unplaced) => void;
  tried: readonly string[];
  dueMs: number;
};

export const createWaitingList = ({
  limits: {queueMax, queueMs},
  times,
  nowMs,
  onWaited,
}: {
  limits: Pick<Limits, 'queueMax' | 'queueMs'>;
  times: ServiceTimes;
  nowMs: () => number;
  onWaited: (seconds: number) => void;
}) => {
  const queue = createFairQueue<Waiter>({max: queueMax});

  const settle = (waiter: Waiter, result: Place | Unplaced, now: number) => {
    onWaited((now - waiter.sinceMs) / 1_000);
    waiter.resolve(result);
  };
  const saturated = (places: number) => unplaced('saturated', times.waitMs(queue.size(), places));

  return {
    size: () => queue.size(),
    /** Why one that comes now need not wait at all. A start is waited for however long it takes. */
    refusal(
      {organisation, untilMs}: Pick<Wish, 'organisation' | 'untilMs'>,
      {now, places, isStarting}: Readonly<{now: number; places: number; isStarting: boolean}>,
    ): Unplaced | undefined {
      const waitMs = isStarting ? 0 : times.waitMs(queue.ahead(organisation), places);
      if (untilMs <= now + waitMs) {
        return unplaced('late', waitMs);
      }
      return waitMs > queueMs || !queue.takes(organisation) ? saturated(places) : undefined;
    },
    /** One who was not refused. */
    add(
      wish: Wish,
      {now, places, isStarting}: Readonly<{now: number; places: number; isStarting: boolean}>,
    ): Pick<Waiting, 'placed' | 'leave'> {
      const {promise, resolve} = Promise.withResolvers<Place | Unplaced>();
      const {organisation, untilMs} = wish;
      const dueMs = isStarting ? untilMs : Math.min(untilMs, now + queueMs);
      const waiter: Waiter = {...wish, sinceMs: now, resolve, dueMs};
      const {isIn, evicted} = queue.offer(organisation, waiter);
      if (!isIn) {
        settle(waiter, saturated(places), now);
      }
      if (evicted) {
        settle(evicted, saturated(places), now);
      }
      return {
        placed: promise,
        leave() {
          if (queue.remove(organisation, waiter)) {
            settle(waiter, unplaced('late', 0), nowMs());
          }
        },
      };
    },
    /** Gives the next whom `placeFor` has a place for what it has. Whether there was one. */
    serveNext(placeFor: (tried: readonly string[]) => (() => Place) | undefined, now: number) {
      let begin: (() => Place) | undefined;
      const waiter = queue.next(({tried}) => {
        begin = placeFor(tried);
        return begin !== undefined;
      });
      if (waiter && begin) {
        settle(waiter, begin(), now);
      }
      return waiter !== undefined;
    },
    dismiss(isHopeless: (tried: readonly string[]) => boolean, result: Unplaced, now: number) {
      for (const waiter of queue.all()) {
        if (isHopeless(waiter.tried)) {
          queue.remove(waiter.organisation, waiter);
          settle(waiter, result, now);
        }
      }
    },
    dismissDue(now: number, places: number) {
      for (const waiter of queue.all()) {
        if (now >= waiter.dueMs) {
          queue.remove(waiter.organisation, waiter);
          settle(waiter, waiter.untilMs <= now ? unplaced('late', 0) : saturated(places), now);
        }
      }
    },
    /** A start began: only their own deadlines count. */
    waitForStart() {
      for (const waiter of queue.all()) {
        waiter.dueMs = waiter.untilMs;
      }
    },
    /** It is up: another server than the ones that were tried, in which they may wait for a place until the start's own time is over. */
    waitForPlace(now: number, untilMs: number) {
      for (const waiter of queue.all()) {
        waiter.tried = [];
        waiter.dueMs = Math.min(waiter.untilMs, Math.max(untilMs, now + queueMs));
      }
    },
  };
};
