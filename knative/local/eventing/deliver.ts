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
import {toBinary} from '../../../events/codec.ts';
import type {Event} from '../../../events/event.ts';
import {continueTrace, type Logger} from '../../../events/telemetry.ts';
import type {Enter} from '../activator/gates.ts';
import type {Sink, SubscriptionPlan} from '../plan/plan.ts';
import {type Answer, judge} from './delivery.ts';
import {inheritFrom, passBroker, withoutHops} from './hops.ts';
import type {Post} from './post.ts';
import {nameOf, sendToSink} from './send-to-sink.ts';

/** A function that has no process: its events wait, and no attempt is counted. */
export const away: Outcome = {kind: 'retry', afterMs: 500, counted: false};

type Dead = {reason: string; status?: number | undefined; detail?: string | undefined};

export const deliverToTrigger = ({
  subscription,
  enter,
  post,
  logger,
}: {
  subscription: SubscriptionPlan;
  enter: Enter;
  post: Post;
  logger: Logger;
}): OnBatch => {
  const {name, namespace, sink, policy, origin, deadLetterSink} = subscription;

  let address = nameOf(sink);

  const send = (to: Sink, event: Event, headers: Record<string, string>) => {
    const {headers: binary, body} = toBinary(withoutHops(event));
    const trace = {traceparent: continueTrace(event.traceparent)};
    return sendToSink({
      sink: to,
      enter,
      timeoutMs: policy.timeoutMs,
      send: ({url, timeoutMs}) => {
        address = to === sink ? url : address;
        return post({
          url,
          headers: {...binary, ...trace, 'kn-namespace': namespace, ...headers},
          body,
          timeoutMs,
        });
      },
    });
  };

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
      destination: nameOf(sink),
    };
    if (deadLetterSink === undefined) {
      return outcome;
    }
    const marked = {
      ...event,
      knativeerrordest: address,
      knativeerrorcode: status ?? 500,
      knativeerrordata: Buffer.from(detail ?? reason)
        .toString('base64')
        .slice(0, 1_024),
    };
    const answer = await send(deadLetterSink, marked, {});
    if (answer === 'away') {
      return outcome;
    }
    const verdict = judge(answer, 1, {...policy, retries: 0});
    return verdict.kind === 'done' || verdict.kind === 'reply' ? {kind: 'done'} : outcome;
  };

  const deliver = async ({event, attempt}: Message): Promise<Outcome> => {
    const answer = await send(sink, event, {prefer: 'reply'});
    if (answer === 'away') {
      return away;
    }
    const verdict = judge(answer, attempt, policy);
    if (verdict.kind === 'done') {
      return {kind: 'done'};
    }
    if (verdict.kind === 'reply') {
      return replied(event, verdict.event);
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
    return verdict.kind === 'retry'
      ? verdict
      : bury(event, {...verdict, detail: answer.kind === 'answer' ? answer.detail : undefined});
  };

  return function onBatch(messages) {
    return Promise.all(messages.map(message => deliver(message).catch(unsendable(nameOf(sink)))));
  };
};

/** What cannot even be written as a request (an attribute that is half a character) will never be. */
const unsendable =
  (destination: string) =>
  (error: unknown): Outcome => ({
    kind: 'dead',
    reason: `the event cannot be sent: ${(error as Error).message}`,
    destination,
  });

export const summary = (answer: Answer) => (answer.kind === 'none' ? answer.reason : answer.status);
