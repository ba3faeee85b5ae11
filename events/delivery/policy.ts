/**
Policy: what an answer to a delivery means, and when the next attempt is.

In: a delivery policy, an answer or its absence, the number of the attempt. Out: done, a reply, a retry after so many ms, or
dead. The retry set and the backoff are those of Knative's multi-tenant broker: no answer, 404, 408, 409, 429 and 5xx are
tried again, everything else is final; a 2xx with a body that is no CloudEvent is a fault of the receiver, worth a 502.
*/
import type {Event} from '../event.ts';

export type DeliveryPolicy = Readonly<{
  /** After the first attempt; Infinity for what must not be lost. */
  retries: number;
  backoff: 'linear' | 'exponential';
  backoffMs: number;
  backoffMaxMs: number;
  timeoutMs: number;
}>;

export type Answer =
  | Readonly<{
      kind: 'answer';
      status: number;
      body: 'empty' | 'event' | 'other';
      reply?: Event;
      retryAfter?: string | undefined;
      detail?: string;
    }>
  | Readonly<{kind: 'none'; reason: string}>
  /** Nothing was sent, because the receiver is not there yet: no attempt. */
  | Readonly<{kind: 'away'; afterMs: number}>;

export type Verdict =
  | Readonly<{kind: 'done'}>
  | Readonly<{kind: 'reply'; event: Event}>
  | Readonly<{kind: 'retry'; afterMs: number; counted?: boolean}>
  | Readonly<{kind: 'dead'; reason: string; status?: number; detail?: string | undefined}>;

/** What Knative's default configuration gives a Broker without `spec.delivery`. */
export const defaultPolicy: DeliveryPolicy = {
  retries: 10,
  backoff: 'exponential',
  backoffMs: 200,
  backoffMaxMs: 600_000,
  timeoutMs: 600_000,
};

/** A source acknowledges only what was taken or stored: it tries for ever, and is soon back when its sink is. */
export const sourcePolicy: DeliveryPolicy = {
  ...defaultPolicy,
  retries: Number.POSITIVE_INFINITY,
  backoffMaxMs: 5_000,
  timeoutMs: 60_000,
};

/** A receiver may ask for a longer wait than the backoff, up to this; Knative has it as `retryAfterMax`, off by default. */
export const retryAfterMaxMs = 60_000;

const retried = (status: number) => [404, 408, 409, 429].includes(status) || status >= 500;

/** `attempt` counts from 1: the first retry waits `backoffMs` or, linear, not at all. */
export const backoffAfter = (attempt: number, {backoff, backoffMs, backoffMaxMs}: DeliveryPolicy) =>
  Math.min(
    backoffMaxMs,
    backoff === 'linear' ? backoffMs * (attempt - 1) : backoffMs * 2 ** (attempt - 1),
  );

/** RFC 9110, 10.2.3: seconds or a date. */
export const readRetryAfter = (header: string | undefined, now: number): number => {
  if (header === undefined) {
    return 0;
  }
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1_000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), retryAfterMaxMs) : 0;
};

export const judge = (
  answer: Answer,
  attempt: number,
  policy: DeliveryPolicy,
  now = Date.now(),
): Verdict => {
  if (answer.kind === 'away') {
    return {kind: 'retry', afterMs: answer.afterMs, counted: false};
  }
  if (answer.kind === 'none') {
    return attempt > policy.retries
      ? {kind: 'dead', reason: answer.reason}
      : {kind: 'retry', afterMs: backoffAfter(attempt, policy)};
  }
  if (answer.status >= 200 && answer.status < 300 && answer.body !== 'other') {
    return answer.reply ? {kind: 'reply', event: answer.reply} : {kind: 'done'};
  }
  const unusable = answer.status >= 200 && answer.status < 300;
  const status = unusable ? 502 : answer.status;
  if (retried(status) && attempt <= policy.retries) {
    const asked = status === 429 || status === 503 ? readRetryAfter(answer.retryAfter, now) : 0;
    return {kind: 'retry', afterMs: Math.max(backoffAfter(attempt, policy), asked)};
  }
  const reason = unusable
    ? `the answer ${answer.status} has a body that is no CloudEvent`
    : `the answer was ${status}`;
  // What the receiver said may be anything, so it is kept apart: the reason goes into logs.
  return {kind: 'dead', reason, status, ...(answer.detail ? {detail: answer.detail} : {})};
};

/** For a log line. */
export const summary = (answer: Answer): string | number =>
  answer.kind === 'answer' ? answer.status : answer.kind === 'none' ? answer.reason : 'away';
