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
import type {Sink, SubscriptionPlan} from '../plan/plan.ts';
import {type Answer, judge} from './delivery.ts';
import {inheritFrom, passBroker, withoutHops} from './hops.ts';
import type {Post} from './post.ts';

/** Undefined while the function is away. */
export type UrlOf = (functionName: string) => string | undefined;

export const addressOf = (sink: Sink, urlOf: UrlOf): string | undefined => {
  if ('url' in sink) {
    return sink.url;
  }
  const base = urlOf(sink.function);
  return base === undefined ? undefined : new URL(sink.path, base).href;
};

export const nameOf = (sink: Sink) => ('url' in sink ? sink.url : `${sink.function}${sink.path}`);

/** A function that is starting: its events wait, as a cluster's activator would hold them. */
export const away: Outcome = {kind: 'retry', afterMs: 500, counted: false};

type Dead = {reason: string; status?: number | undefined; detail?: string | undefined};

export const deliverToTrigger = ({
  subscription,
  urlOf,
  post,
  logger,
}: {
  subscription: SubscriptionPlan;
  urlOf: UrlOf;
  post: Post;
  logger: Logger;
}): OnBatch => {
  const {name, namespace, sink, policy, origin, deadLetterSink} = subscription;

  const send = async (to: Sink, event: Event, headers: Record<string, string>): Promise<Answer> => {
    const url = addressOf(to, urlOf);
    if (url === undefined) {
      return {kind: 'none', reason: `${nameOf(to)} is away`};
    }
    const {headers: binary, body} = toBinary(withoutHops(event));
    const trace = {traceparent: continueTrace(event.traceparent)};
    return post({
      url,
      headers: {...binary, ...trace, 'kn-namespace': namespace, ...headers},
      body,
      timeoutMs: policy.timeoutMs,
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
      knativeerrordest: addressOf(sink, urlOf) ?? nameOf(sink),
      knativeerrorcode: status ?? 500,
      knativeerrordata: Buffer.from(detail ?? reason)
        .toString('base64')
        .slice(0, 1_024),
    };
    const verdict = judge(await send(deadLetterSink, marked, {}), 1, {...policy, retries: 0});
    return verdict.kind === 'done' || verdict.kind === 'reply' ? {kind: 'done'} : outcome;
  };

  const deliver = async ({event, attempt}: Message): Promise<Outcome> => {
    if (addressOf(sink, urlOf) === undefined) {
      return away;
    }
    const answer = await send(sink, event, {prefer: 'reply'});
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
