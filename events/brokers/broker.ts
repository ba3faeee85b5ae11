/**
Broker: the port between those who publish events and those who take them from a subscription.

What every adapter promises, however different the store behind it: each subscription gets every event published to it,
and consumers of one subscription share; an event is gone only when its outcome is stored, and comes again, with `attempt`
one higher, when its consumer fails or dies; no more batches are in flight than asked; one subscription never waits for
another; a barrier waits until every older event of its organisation is done in the same subscription.
In: deliveries. Out: messages, a batch at a time, and an outcome for each.
*/
import {readHttp, toJson} from '../codec.ts';
import type {Queryable} from '../database.ts';
import type {Event} from '../event.ts';

/** One event on its way to one subscription, as JSON text, because most of the way nobody looks inside. */
export type Delivery = Readonly<{
  subscription: string;
  json: string;
  org?: string | undefined;
  /** Not handed out while an older event of its organisation is left in the subscription. */
  barrier?: boolean | undefined;
}>;

/** `attempt` is 1 at the first try and counts tries that ended with the death of their process. */
export type Message = Readonly<{
  id: string;
  subscription: string;
  attempt: number;
  json: string;
  /** Parsed when it is asked for. */
  event: Event;
}>;

export type Outcome =
  /** `publish` (a reply) is stored with the outcome, so that neither is lost alone where the store has transactions. */
  | Readonly<{kind: 'done'; publish?: readonly Delivery[]}>
  /** `counted: false` is for a receiver that is not there yet: the next try has the same attempt. */
  | Readonly<{kind: 'retry'; afterMs: number; counted?: boolean}>
  | Readonly<{kind: 'dead'; reason: string; status?: number | undefined; destination: string}>;

/** A batch in, one outcome a message, in the same order. What throws is tried again after `failureRetryMs`. */
export type OnBatch = (messages: readonly Message[]) => Promise<readonly Outcome[]>;

export type Consumer = Readonly<{
  /** Messages in a batch. */
  batchMax: number;
  /** Batches at once. */
  concurrency: number;
  onBatch: OnBatch;
}>;

/** `Client` is what a transaction of the store looks like; undefined where there is none. */
export type Broker<Client = Queryable> = Readonly<{
  /** Makes the subscriptions that are not there yet. Must come before publish and subscribe. */
  declare(subscriptions: readonly string[]): Promise<void>;
  /** Within `client`'s transaction when given: nothing is delivered before its commit, nothing after its rollback. */
  publish(deliveries: readonly Delivery[], client?: Client): Promise<void>;
  subscribe(subscription: string, consumer: Consumer): void;
  /** How many events wait or are in flight, by subscription. */
  pending(): Promise<ReadonlyMap<string, number>>;
  /** Takes nothing new, lets what is in flight end, stores its outcomes. */
  close(): Promise<void>;
}>;

/** What is known of an event that could not be delivered. */
export type DeadLetter = Readonly<{
  message: Message;
  reason: string;
  status?: number | undefined;
  destination: string;
}>;

/** Stores dead letters, in the transaction that removes them from their subscription where there is one. */
export type KeepDeadLetters<Client = Queryable> = (
  letters: readonly DeadLetter[],
  client?: Client,
) => Promise<void>;

/** How long a batch waits whose handler threw: a fault of ours, not an answer that the delivery policy could judge. */
export const failureRetryMs = 1_000;

export const deliveryOf = (subscription: string, event: Event, barrier = false): Delivery => ({
  subscription,
  json: toJson(event),
  org: event.orgid,
  barrier,
});

export const messageOf = (fields: Omit<Message, 'event'>): Message => {
  let parsed: Event | undefined;
  return {
    ...fields,
    get event() {
      parsed ??= parseEvent(fields.json);
      return parsed;
    },
  };
};

/** Reads what `toJson` wrote. Throws a SluiceError when it is no event. */
export const parseEvent = (json: string): Event =>
  readHttp({'content-type': 'application/cloudevents+json'}, Buffer.from(json)).events[0] as Event;

/** The outcomes of a handler, made as many as there are messages: one that throws or miscounts retries them all. */
export const handle = async (
  onBatch: OnBatch,
  messages: readonly Message[],
  onError: (error: Error) => void,
): Promise<readonly Outcome[]> => {
  try {
    const outcomes = await onBatch(messages);
    if (outcomes.length === messages.length) {
      return outcomes;
    }
    onError(new Error(`expected ${messages.length} outcomes, got ${outcomes.length}`));
  } catch (error) {
    onError(error as Error);
  }
  return messages.map(() => ({kind: 'retry', afterMs: failureRetryMs}));
};
