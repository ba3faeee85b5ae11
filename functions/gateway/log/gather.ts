/**
Gather: many small appends become few large ones, because an append of one event costs the log nearly what fifty cost.

In: events. Out: a promise each, kept when the log has made it durable. One batch is in flight; what comes meanwhile makes
the next. An intent lingers for as long as its client need not wait for it; results linger longer, since nobody does. A batch of results that fails is
sent again until it succeeds: its ids make the repetition harmless. Intents are given up instead: their client is told.
*/
import {SluiceError} from '../../../events/errors.ts';
import type {Event, WrittenEvent} from '../../../events/event.ts';
import {limits} from '../../../events/limits.ts';
import type {EventLog} from '../../../events/outbox.ts';
import {withDeadline} from '../deadline.ts';

type Waiting = {
  event: Event | WrittenEvent;
  addedMs: number;
  resolve: () => void;
  reject: (error: Error) => void;
};
const never = Number.POSITIVE_INFINITY;

export const createGather = ({
  log,
  lingerMs,
  persistent,
  batchMax = limits.batchEvents,
  waitingMax = 2 * limits.openRequests,
  appendMs = limits.appendMs,
  retryMs = 250,
  onError = () => {},
  onDurable = () => {},
}: {
  log: EventLog;
  /** At least; an event may be given longer. */
  lingerMs: number;
  /** Send again until it succeeds. */
  persistent: boolean;
  batchMax?: number;
  waitingMax?: number;
  appendMs?: number;
  retryMs?: number;
  onError?: (error: Error) => void;
  /** How long the log took for a batch, and how long ago its first event was made. */
  onDurable?: (seconds: number, lagSeconds: number) => void;
}) => {
  const waiting: Waiting[] = [];
  let timer: NodeJS.Timeout | undefined;
  /** When the timer is due, and when the first of those that wait is. */
  let timerMs = never;
  let dueMs = never;
  let sending: Promise<void> | undefined;
  let inFlight = 0;

  const schedule = () => {
    if (sending || waiting.length === 0 || timerMs <= dueMs) {
      return;
    }
    clearTimeout(timer);
    timerMs = dueMs;
    timer = setTimeout(send, Math.max(dueMs - performance.now(), 0));
  };

  const send = () => {
    timerMs = never;
    const batch = waiting.splice(0, batchMax);
    // What is left could not go with it, and has waited enough.
    dueMs = waiting.length > 0 ? 0 : never;
    inFlight = batch.length;
    sending = deliver(batch).then(() => {
      sending = undefined;
      inFlight = 0;
      schedule();
    });
  };

  const deliver = async (batch: readonly Waiting[]) => {
    for (;;) {
      try {
        const asked = performance.now();
        await withDeadline(
          log.append(batch.map(({event}) => event)),
          appendMs,
          'the log did not acknowledge',
        );
        const now = performance.now();
        onDurable((now - asked) / 1_000, (now - (batch[0]?.addedMs ?? now)) / 1_000);
        for (const {resolve} of batch) {
          resolve();
        }
        return;
      } catch (error) {
        onError(error as Error);
        if (!persistent) {
          for (const {reject} of batch) {
            reject(error as Error);
          }
          return;
        }
        await new Promise(resolve => setTimeout(resolve, retryMs));
      }
    }
  };

  return {
    /** `patienceMs`: how long this one may linger. */
    add(event: Event | WrittenEvent, patienceMs = lingerMs): Promise<void> {
      if (waiting.length >= waitingMax) {
        return Promise.reject(
          new SluiceError('unavailable', 'too many events wait for the log', {
            retryAfterSeconds: 1,
          }),
        );
      }
      return new Promise((resolve, reject) => {
        const addedMs = performance.now();
        waiting.push({event, addedMs, resolve, reject});
        dueMs = waiting.length >= batchMax ? 0 : Math.min(dueMs, addedMs + patienceMs);
        schedule();
      });
    },
    /** Somebody waits now: nothing lingers longer than it must. */
    hurry() {
      const [first] = waiting;
      if (first) {
        dueMs = Math.min(dueMs, first.addedMs + lingerMs);
        schedule();
      }
    },
    waiting: () => waiting.length,
    /** Those on their way included. */
    unacknowledged: () => waiting.length + inFlight,
    /** Until nothing waits, or the time is over; true when nothing does. */
    async flush(timeoutMs: number): Promise<boolean> {
      const until = performance.now() + timeoutMs;
      while ((waiting.length > 0 || sending) && performance.now() < until) {
        // A timer in every turn: a promise that is already kept would never let the timers run.
        await new Promise(resolve => setTimeout(resolve, lingerMs));
      }
      return waiting.length === 0 && !sending;
    },
  };
};

export type Gather = ReturnType<typeof createGather>;
