/**
Deliver to a source's sink: events in JSON batches, with the token that says they are true.

In: messages. Out: an outcome for each. The sink takes a batch as a whole or not at all; one that it calls bad (400, 413, 422)
is halved until the culprit stands alone, which is a dead letter. Anything else is tried again for ever: what is read from a
log must not be lost because its reader, or its token, is wrong for a while.
*/
import type {Message, OnBatch, Outcome} from '../../../events/brokers/broker.ts';
import {limits} from '../../../events/limits.ts';
import type {Logger} from '../../../events/telemetry.ts';
import type {Enter} from '../activator/gates.ts';
import type {SubscriptionPlan} from '../plan/plan.ts';
import {away, summary} from './deliver.ts';
import {type Answer, backoffAfter, judge} from './delivery.ts';
import type {Post} from './post.ts';
import {nameOf, sendToSink} from './send-to-sink.ts';

const blamesTheEvents = [400, 413, 422];

export const deliverToSource = ({
  subscription: {name, sink, policy, token},
  sourceToken,
  enter,
  post,
  logger,
  batchBytes = limits.batchBytes,
}: {
  subscription: SubscriptionPlan;
  sourceToken: string;
  enter: Enter;
  post: Post;
  logger: Logger;
  batchBytes?: number;
}): OnBatch => {
  const headers = {
    'content-type': 'application/cloudevents-batch+json',
    ...(token ? {authorization: `Bearer ${sourceToken}`} : {}),
  };

  const send = (messages: readonly Message[]): Promise<Answer | 'away'> => {
    // The texts are joined as they are: what was written into the log arrives byte for byte.
    const body = `[${messages.map(message => message.json).join(',')}]`;
    return sendToSink({
      sink,
      enter,
      timeoutMs: policy.timeoutMs,
      send: to => post({...to, headers, body}),
    });
  };

  const deliver = async (messages: readonly Message[]): Promise<readonly Outcome[]> => {
    const all = (outcome: Outcome) => messages.map(() => outcome);
    const attempt = Math.max(...messages.map(message => message.attempt));
    const answer = await send(messages);
    if (answer === 'away') {
      return all(away);
    }
    const verdict = judge(answer, attempt, policy);
    if (verdict.kind === 'done' || verdict.kind === 'reply') {
      return all({kind: 'done'});
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
    if (!blamesTheEvents.includes(verdict.status ?? 0)) {
      return all({kind: 'retry', afterMs: backoffAfter(attempt, policy)});
    }
    if (messages.length > 1) {
      const half = Math.ceil(messages.length / 2);
      return [
        ...(await deliver(messages.slice(0, half))),
        ...(await deliver(messages.slice(half))),
      ];
    }
    return all({
      kind: 'dead',
      reason: verdict.reason.slice(0, 500),
      status: verdict.status,
      destination: nameOf(sink),
    });
  };

  return async function onBatch(messages) {
    const outcomes: Outcome[] = [];
    for (const some of splitByBytes(messages, batchBytes)) {
      outcomes.push(...(await deliver(some)));
    }
    return outcomes;
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
