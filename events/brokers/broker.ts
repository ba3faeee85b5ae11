/**
Broker: the port between those who publish events and those who take them from a subscription.

What every adapter promises, however different the store behind it: each subscription of a topic gets every event published
to the topic once the subscription is declared, and consumers of one subscription share; an event is gone only when its
outcome is stored, and comes again when its consumer fails or dies; no more batches are in flight than asked; one
subscription never waits for another. What only some stores can do is an ability that the adapter declares.
In: publications. Out: messages, a batch at a time, and an outcome for each.
*/
import {readJson, toJson} from '../codec.ts';
import type {Queryable} from '../database.ts';
import type {Event} from '../event.ts';

/** One event on its way to a topic, as JSON text, because most of the way nobody looks inside. */
export type Publication = Readonly<{
  topic: string;
  json: string;
  org?: string | undefined;
  /** What order is kept by, where order is kept; the organisation unless said. */
  key?: string | undefined;
  /** Not handed out while an older event of its organisation is left in the subscription. */
  barrier?: boolean | undefined;
}>;

export type Subscription = Readonly<{
  /** Unique; the name of its queue or consumer group. */
  name: string;
  topic: string;
  /** Queues ask when an event is published, logs when it is read. Absent: every event. */
  wants?: ((event: Event) => boolean) | undefined;
  /** A shortcut: `wants` takes events of no other type, which a log sees before it has read an event. Absent: ask `wants`. */
  types?: ReadonlySet<string> | undefined;
  /** Where a subscription begins that was never declared before. `start` is for logs that keep what was read. */
  from?: 'now' | 'start' | undefined;
}>;

/** `attempt` is 1 at the first try; where the broker counts crashes, also tries that ended with the death of their process. */
export type Message = Readonly<{
  id: string;
  subscription: string;
  attempt: number;
  json: string;
  /** Parsed when it is asked for. */
  event: Event;
}>;

export type Outcome =
  /** `publish` (a reply) is stored with the outcome or before it, so that neither is lost. */
  | Readonly<{kind: 'done'; publish?: readonly Publication[]}>
  /** `counted: false` is for a receiver that is not there yet: the next try has the same attempt. */
  | Readonly<{kind: 'retry'; afterMs: number; counted?: boolean}>
  | Readonly<{
      kind: 'dead';
      reason: string;
      status?: number | undefined;
      destination: string;
      /** What the receiver said, as far as it is kept. */
      detail?: string | undefined;
    }>;

/** A batch in, one outcome a message, in the same order. What throws is tried again after `failureRetryMs`. */
export type OnBatch = (messages: readonly Message[]) => Promise<readonly Outcome[]>;

export type Consumer = Readonly<{
  /** Messages in a batch. */
  batchMax: number;
  /** Batches at once. */
  concurrency: number;
  /**
  What shares a key is handled in the order in which it was published: a retry holds up what follows it. Asks for the ability
  `ordered`; without it the order is that of arrival, and nothing waits for a retry.
  */
  ordered?: boolean | undefined;
  onBatch: OnBatch;
}>;

export type Abilities = Readonly<{
  /** `publish` takes part in a transaction of the caller's. */
  transactions: boolean;
  ordered: boolean;
  /** A publication may be a barrier. Brokers that keep order per key need none: a marker has its organisation's key. */
  barriers: boolean;
  /** A subscription may begin at the start of what the topic keeps. */
  offsets: boolean;
  /** `attempt` counts a try that ended with the death of its process. */
  countsCrashes: boolean;
}>;

/** `Client` is what a transaction of the store looks like; undefined where there is none. */
export type Broker<Client = Queryable> = Readonly<{
  abilities: Abilities;
  /** Makes the topics and subscriptions that are not there yet. Must come before publish and subscribe. */
  declare(wanted: {
    subscriptions: readonly Subscription[];
    /** Topics to publish to that no subscription here names. */
    topics?: readonly string[];
  }): Promise<void>;
  /**
  Resolves when every event is stored. Within `client`'s transaction when given, where there are any: nothing is delivered
  before its commit, nothing after its rollback. A topic that nobody declared is an error.
  */
  publish(publications: readonly Publication[], client?: Client): Promise<void>;
  subscribe(subscription: string, consumer: Consumer): void;
  /** How many events wait or are in flight, by subscription. */
  pending(): Promise<ReadonlyMap<string, number>>;
  /** Takes nothing new, lets what is in flight end, stores its outcomes. */
  close(): Promise<void>;
}>;

/** What is known of an event that could not be delivered. */
export type DeadLetter = Readonly<{
  message: Message;
  /** Where it can be published again. */
  topic: string;
  reason: string;
  status?: number | undefined;
  destination: string;
  detail?: string | undefined;
}>;

/** Stores dead letters, in the transaction that removes them from their subscription where there is one, before it otherwise. */
export type KeepDeadLetters<Client = Queryable> = (
  letters: readonly DeadLetter[],
  client?: Client,
) => Promise<void>;

/** How long a batch waits whose handler threw: a fault of ours, not an answer that the delivery policy could judge. */
export const failureRetryMs = 1_000;

export const publicationOf = (topic: string, event: Event, barrier = false): Publication => ({
  topic,
  json: toJson(event),
  org: event.orgid,
  key: event.partitionkey ?? event.orgid,
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
export const parseEvent = (json: string): Event => readJson(json);

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
