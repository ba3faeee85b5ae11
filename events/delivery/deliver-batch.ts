/**
Deliver batches: events in JSON batches to one sink, which takes a batch as a whole or not at all.

In: messages. Out: an outcome for each. A batch that the sink calls bad (400, 413, 422), or that is out of attempts, is halved
until the culprit stands alone, which is a dead letter. Anything else is tried again: what is read from a log must not be lost
because its reader, or its token, is wrong for a while. After a part that was not taken nothing younger is sent, so that an
ordered log stays in order.
*/
import type {Message, OnBatch, Outcome, Publication} from '../brokers/broker.ts';
import {toJson} from '../codec.ts';
import type {Event} from '../event.ts';
import {limits} from '../limits.ts';
import type {Logger} from '../telemetry.ts';
import {type Answer, backoffAfter, type DeliveryPolicy, judge, summary} from './policy.ts';
import type {Target} from './target.ts';

/** What becomes of a reply: publications that are stored with the outcome. */
export type OnReply = (message: Message, reply: Event) => Promise<readonly Publication[]>;

const blamesTheEvents = [400, 413, 422];
const waitsForOlder: Outcome = {kind: 'retry', afterMs: 0, counted: false};

export const deliverInBatches = ({
  name,
  target,
  policy,
  headers = {},
  extensions,
  onReply,
  logger,
  batchBytes = limits.batchBytes,
}: {
  /** The subscription, for logs. */
  name: string;
  target: Target;
  policy: DeliveryPolicy;
  headers?: Readonly<Record<string, string>>;
  /** Added to every event. */
  extensions?: Readonly<Record<string, string>> | undefined;
  onReply: OnReply;
  logger: Logger;
  batchBytes?: number;
}): OnBatch => {
  const textOf = (message: Message) =>
    // Texts are joined as they are: what was written into the log arrives byte for byte.
    extensions ? toJson({...message.event, ...extensions}) : message.json;

  const send = (messages: readonly Message[]): Promise<Answer> =>
    target.send({
      headers: {'content-type': 'application/cloudevents-batch+json', ...headers},
      body: `[${messages.map(textOf).join(',')}]`,
      timeoutMs: policy.timeoutMs,
    });

  const deliver = async (messages: readonly Message[]): Promise<readonly Outcome[]> => {
    const all = (outcome: Outcome) => messages.map(() => outcome);
    const attempt = Math.max(...messages.map(message => message.attempt));
    const answer = await send(messages);
    const verdict = judge(answer, attempt, policy);
    if (verdict.kind === 'done') {
      return all({kind: 'done'});
    }
    if (verdict.kind === 'reply') {
      const publish = await onReply(messages[0] as Message, verdict.event);
      return messages.map((_, index) => ({kind: 'done', ...(index === 0 ? {publish} : {})}));
    }
    logger.warn(
      {
        subscription: name,
        events: messages.length,
        attempt,
        answer: summary(answer),
        verdict: verdict.kind,
      },
      'a delivery failed',
    );
    if (verdict.kind === 'retry') {
      return all(verdict);
    }
    const exhausted = attempt > policy.retries;
    if (!exhausted && !blamesTheEvents.includes(verdict.status ?? 0)) {
      return all({kind: 'retry', afterMs: backoffAfter(attempt, policy)});
    }
    if (messages.length > 1) {
      const half = Math.ceil(messages.length / 2);
      return inOrder([messages.slice(0, half), messages.slice(half)]);
    }
    return all({
      kind: 'dead',
      reason: verdict.reason.slice(0, 500),
      status: verdict.status,
      destination: target.name,
      detail: verdict.detail,
    });
  };

  const inOrder = async (parts: readonly (readonly Message[])[]): Promise<readonly Outcome[]> => {
    const outcomes: Outcome[] = [];
    let held = false;
    for (const part of parts) {
      const some: readonly Outcome[] = held ? part.map(() => waitsForOlder) : await deliver(part);
      held ||= some.some(outcome => outcome.kind === 'retry');
      outcomes.push(...some);
    }
    return outcomes;
  };

  return function onBatch(messages) {
    return inOrder(splitByBytes(messages, batchBytes));
  };
};

/** An event that is larger than a batch may be goes alone. */
export const splitByBytes = (messages: readonly Message[], max: number): Message[][] => {
  const parts: Message[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const message of messages) {
    const bytes = Buffer.byteLength(message.json) + 1;
    if (size + bytes > max) {
      parts.push([]);
      size = 2;
    }
    parts.at(-1)?.push(message);
    size += bytes;
  }
  return parts;
};
