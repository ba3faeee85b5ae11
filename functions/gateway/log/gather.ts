/**
Gather: many small appends become few large ones, because an append of one event costs the log nearly what fifty cost.

In: events. Out: a promise each, kept when the log has made it durable. One batch is in flight; what comes meanwhile makes
the next. Intents linger 2 ms, since a client waits; results linger longer, since nobody does. A batch of results that fails is
sent again until it succeeds: its ids make the repetition harmless. Intents are given up instead: their client is told.
*/
import {SluiceError} from '../../../events/errors.ts';
import type {Event} from '../../../events/event.ts';
import {limits} from '../../../events/limits.ts';
import type {EventLog} from '../../../events/outbox.ts';
import {withDeadline} from '../deadline.ts';

type Waiting = {event: Event; addedMs: number; resolve: () => void; reject: (error: Error) => void};

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
  let sending: Promise<void> | undefined;
  let inFlight = 0;

  const schedule = () => {
    if (sending || timer || waiting.length === 0) {
      return;
    }
    timer = setTimeout(send, waiting.length >= batchMax ? 0 : lingerMs);
  };

  const send = () => {
    timer = undefined;
    const batch = waiting.splice(0, batchMax);
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
    add(event: Event): Promise<void> {
      if (waiting.length >= waitingMax) {
        return Promise.reject(
          new SluiceError('unavailable', 'too many events wait for the log', {
            retryAfterSeconds: 1,
          }),
        );
      }
      return new Promise((resolve, reject) => {
        waiting.push({event, addedMs: performance.now(), resolve, reject});
        schedule();
      });
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
