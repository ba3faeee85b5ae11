/**
Replies: what becomes of the event that a sink answers with.

In: the message, the reply. Out: a publication that is stored before the input is acknowledged; without a place to go the
reply is kept as a dead letter, because somebody made it for somebody.
*/
import {type KeepDeadLetters, messageOf, publicationOf} from '../brokers/broker.ts';
import {toJson} from '../codec.ts';
import type {OnReply} from '../delivery/deliver-batch.ts';
import type {Event} from '../event.ts';

/** A reply takes over the trace and the tenant of what it answers, where it names none. */
const inherit = (cause: Event, reply: Event): Event => ({
  ...reply,
  ...Object.fromEntries(
    ['traceparent', 'orgid', 'projectid', 'partitionkey'].flatMap(name =>
      reply[name] === undefined && cause[name] !== undefined ? [[name, cause[name]]] : [],
    ),
  ),
});

export const repliesTo =
  ({
    replyTo,
    sink,
    keepDeadLetters,
  }: {
    /** A topic or a stream of the broker that the message came from. */
    replyTo: string | undefined;
    sink: string;
    keepDeadLetters: KeepDeadLetters;
  }): OnReply =>
  async (message, reply) => {
    const event = inherit(message.event, reply);
    if (replyTo !== undefined) {
      return [publicationOf(replyTo, event)];
    }
    await keepDeadLetters([
      {
        message: messageOf({
          id: message.id,
          subscription: message.subscription,
          attempt: message.attempt,
          json: toJson(event),
        }),
        topic: '',
        reason: 'the sink replied, and this source has nowhere to send replies',
        destination: sink,
      },
    ]);
    return [];
  };
