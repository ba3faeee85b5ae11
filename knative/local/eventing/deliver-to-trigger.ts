/**
Deliver to a Trigger's subscriber: one event at a time, in binary mode, as Knative's broker does.

In: a message. Out: its outcome. A reply goes back to the broker and is stored with the outcome. An event out of attempts goes
to the dead letter sink, and where there is none or it fails too, to the table of dead letters.
*/
import {
  type Message,
  type OnBatch,
  type Outcome,
  publicationOf,
} from '../../../events/brokers/broker.ts';
import {deliverEach} from '../../../events/delivery/each.ts';
import {judge, summary} from '../../../events/delivery/policy.ts';
import {sendEvent, type Target} from '../../../events/delivery/target.ts';
import type {Event} from '../../../events/event.ts';
import {continueTrace, type Logger} from '../../../events/telemetry.ts';
import type {Sink, SubscriptionPlan} from '../plan/plan.ts';
import {inheritFrom, passBroker, withoutHops} from './hops.ts';

type Dead = {reason: string; status?: number | undefined; detail?: string | undefined};

export const deliverToTrigger = ({
  subscription,
  targetOf,
  logger,
}: {
  subscription: SubscriptionPlan;
  targetOf: (sink: Sink) => Target;
  logger: Logger;
}): OnBatch => {
  const {name, namespace, policy, origin} = subscription;
  const target = targetOf(subscription.sink);
  const deadLetterTarget =
    subscription.deadLetterSink === undefined ? undefined : targetOf(subscription.deadLetterSink);

  const send = (to: Target, event: Event, headers: Record<string, string>) =>
    sendEvent(to, withoutHops(event), {
      headers: {
        traceparent: continueTrace(event.traceparent),
        'kn-namespace': namespace,
        ...headers,
      },
      timeoutMs: policy.timeoutMs,
    });

  const replied = (cause: Event, reply: Event): Outcome => {
    const passed = passBroker(inheritFrom(cause, reply));
    if (passed === undefined) {
      logger.error(
        {subscription: name, event: reply.id, type: reply.type},
        'a reply was dropped: its events answer each other without end',
      );
      return {kind: 'done'};
    }
    return {kind: 'done', publish: [publicationOf(origin, passed)]};
  };

  const bury = async (event: Event, {reason, status, detail}: Dead): Promise<Outcome> => {
    const outcome: Outcome = {
      kind: 'dead',
      reason: reason.slice(0, 500),
      status,
      destination: target.name,
      ...(detail === undefined ? {} : {detail}),
    };
    if (deadLetterTarget === undefined) {
      return outcome;
    }
    const marked = {
      ...event,
      knativeerrordest: target.address(),
      knativeerrorcode: status ?? 500,
      knativeerrordata: Buffer.from(detail ?? reason)
        .toString('base64')
        .slice(0, 1_024),
    };
    const answer = await send(deadLetterTarget, marked, {});
    if (answer.kind === 'away') {
      return outcome;
    }
    const verdict = judge(answer, 1, {...policy, retries: 0});
    return verdict.kind === 'done' || verdict.kind === 'reply' ? {kind: 'done'} : outcome;
  };

  const deliver = async ({event, attempt}: Message): Promise<Outcome> => {
    const answer = await send(target, event, {prefer: 'reply'});
    const verdict = judge(answer, attempt, policy);
    if (verdict.kind === 'done') {
      return {kind: 'done'};
    }
    if (verdict.kind === 'reply') {
      return replied(event, verdict.event);
    }
    if (answer.kind === 'away' && verdict.kind === 'retry') {
      return verdict;
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
    return verdict.kind === 'retry' ? verdict : bury(event, verdict);
  };

  return deliverEach({name, target, logger, deliver});
};
