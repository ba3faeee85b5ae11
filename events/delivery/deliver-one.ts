/**
Deliver one by one: each event of a source in binary mode to one sink, as Knative's own sources do, but acknowledged only when
it was taken or kept.

In: messages. Out: an outcome for each. What nobody took after all its attempts is a dead letter. A message that already had more attempts than it may (its handler kills its process) is not sent again.
*/
import type {Message, OnBatch, Outcome} from '../brokers/broker.ts';
import type {Logger} from '../telemetry.ts';
import type {OnReply} from './deliver-batch.ts';
import {deliverEach} from './each.ts';
import {backoffAfter, type DeliveryPolicy, judge, summary} from './policy.ts';
import {sendEvent, type Target} from './target.ts';

/** What a source may be wrong about for a while: its token, its sink's path. Not the event's fault. */
const blamesTheSender = [401, 403, 405];

export const deliverOneByOne = ({
  name,
  target,
  policy,
  headers = {},
  extensions = {},
  onReply,
  logger,
}: {
  name: string;
  target: Target;
  policy: DeliveryPolicy;
  headers?: Readonly<Record<string, string>>;
  extensions?: Readonly<Record<string, string>> | undefined;
  onReply: OnReply;
  logger: Logger;
}): OnBatch => {
  const dead = (reason: string, status?: number, detail?: string): Outcome => ({
    kind: 'dead',
    reason: reason.slice(0, 500),
    status,
    destination: target.name,
    detail,
  });

  const deliver = async (message: Message): Promise<Outcome> => {
    const {attempt} = message;
    if (attempt > policy.retries + 1) {
      return dead(`its handler did not survive ${attempt - 1} attempts`);
    }
    const event = {...message.event, ...extensions};
    const answer = await sendEvent(target, event, {
      headers: {prefer: 'reply', ...headers},
      timeoutMs: policy.timeoutMs,
    });
    const verdict = judge(answer, attempt, policy);
    if (verdict.kind === 'done') {
      return {kind: 'done'};
    }
    if (verdict.kind === 'reply') {
      return {kind: 'done', publish: await onReply(message, verdict.event)};
    }
    logger.warn(
      {
        subscription: name,
        event: event.id,
        type: event.type,
        attempt,
        answer: summary(answer),
        verdict: verdict.kind,
      },
      'a delivery failed',
    );
    if (verdict.kind === 'retry') {
      return verdict;
    }
    return attempt <= policy.retries && blamesTheSender.includes(verdict.status ?? 0)
      ? {kind: 'retry', afterMs: backoffAfter(attempt, policy)}
      : dead(verdict.reason, verdict.status, verdict.detail);
  };

  return deliverEach({name, target, logger, deliver});
};
