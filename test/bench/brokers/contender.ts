/**
Contender: what is measured: our broker, or a raw client that does the least that is the same.

Of both it is asked: events in as objects, each stored before `publish` resolves; handed out as objects, and not gone before
whoever handled them has said so.
*/

import type {Broker} from '../../../events/brokers/broker.ts';
import {publicationOf} from '../../../events/brokers/broker.ts';
import type {Event} from '../../../events/event.ts';

/** How a row publishes and consumes. */
export type Load = Readonly<{
  /** Events of a publish, and at most of a batch that is handled. */
  batch: number;
  /** Publishes at once. */
  publishers: number;
  /** Batches in hand at once. */
  concurrency: number;
  /** Published and not handled: publishers wait. */
  aheadMax: number;
}>;

export type Contender = Readonly<{
  publish(events: readonly Event[]): Promise<void>;
  /** Between two runs: what the last one left behind. Nothing is in flight. */
  clean(): Promise<void>;
  close(): Promise<void>;
}>;

/** `onEvent` is told of each event that is handed out. */
export type Started = Readonly<{load: Load; gate: Gate; onEvent: (event: Event) => void}>;

/** Who polls does so only during its own runs, or the others would be measured with it. */
export const createGate = () => {
  let opening = Promise.withResolvers<void>();
  let isOpen = false;
  return {
    open() {
      isOpen = true;
      opening.resolve();
    },
    close() {
      isOpen = false;
      opening = Promise.withResolvers<void>();
    },
    isOpen: () => isOpen,
    opened: () => opening.promise,
  };
};

export type Gate = ReturnType<typeof createGate>;

export const topic = 'bench';
export const subscription = 'bench';

/** Ours, whatever the store: a subscription whose handler looks at each event and says that it is done. */
export const startOurs = async <Client>(
  broker: Broker<Client>,
  {load: {batch, concurrency}, onEvent}: Started,
): Promise<Pick<Contender, 'publish' | 'close'>> => {
  await broker.declare({subscriptions: [{name: subscription, topic}]});
  broker.subscribe(subscription, {
    batchMax: batch,
    concurrency,
    async onBatch(messages) {
      for (const {event} of messages) {
        onEvent(event);
      }
      return messages.map(() => ({kind: 'done'}));
    },
  });
  return {
    publish: events => broker.publish(events.map(event => publicationOf(topic, event))),
    close: () => broker.close(),
  };
};

/** What a raw client hands out. */
export const parsed = (text: string) => JSON.parse(text) as Event;
