/**
Memory broker: the twin that every adapter is held to, and what tests use that need no database.

The store is a value of its own, so that two brokers on one store are two processes on one database.
*/
import {
  type Broker,
  type KeepDeadLetters,
  type Message,
  messageOf,
  type Outcome,
  type Publication,
} from './broker.ts';
import {type Consuming, consume} from './consume.ts';
import {createFanOut, type Delivery, queueAbilities, topicsOf} from './fan-out.ts';

type Item = Delivery & {id: number; attempt: number; readyAt: number; takenAt: number | undefined};
export type MemoryStore = {items: Map<string, Item[]>; next: number; wakes: Set<() => void>};

/** Publishes of a transaction, in order; they happen at its commit. */
export type MemoryTransaction = {publishes: (() => void)[]};

export const createMemoryStore = (): MemoryStore => ({items: new Map(), next: 1, wakes: new Set()});

/** Runs work; what it published is there when it returns and never was when it throws. */
export const memoryTransaction = async <Result>(
  work: (client: MemoryTransaction) => Promise<Result>,
): Promise<Result> => {
  const client: MemoryTransaction = {publishes: []};
  const result = await work(client);
  for (const publish of client.publishes) {
    publish();
  }
  return result;
};

export const createMemoryBroker = ({
  store = createMemoryStore(),
  keepDeadLetters,
  onError = () => {},
  expireMs = 60_000,
  pollMs = 1_000,
  now = () => performance.now(),
}: {
  store?: MemoryStore;
  keepDeadLetters: KeepDeadLetters<MemoryTransaction>;
  onError?: (error: Error) => void;
  /** An event that was handed out so long ago is handed out again. */
  expireMs?: number;
  pollMs?: number;
  now?: () => number;
}): Broker<MemoryTransaction> => {
  const consumers: Consuming[] = [];
  const fanOut = createFanOut();
  const topics = topicsOf();
  const wakeAll = () => {
    for (const consumer of consumers) {
      consumer.wake();
    }
  };
  store.wakes.add(wakeAll);

  const queue = (subscription: string): Item[] => {
    const items = store.items.get(subscription);
    if (!items) {
      throw new Error(`the subscription ${subscription} was not declared`);
    }
    return items;
  };

  const append = (deliveries: readonly Delivery[]) => {
    for (const delivery of deliveries) {
      const item = {...delivery, id: store.next++, attempt: 0, readyAt: 0, takenAt: undefined};
      queue(delivery.subscription).push(item);
    }
    for (const wake of store.wakes) {
      wake();
    }
  };

  const fetch = (subscription: string) => async (limit: number) => {
    const items = queue(subscription);
    const found: Message[] = [];
    for (const item of items) {
      if (item.takenAt !== undefined && now() - item.takenAt > expireMs) {
        item.takenAt = undefined;
      }
      const waits =
        item.barrier && items.some(older => older.id < item.id && older.org === item.org);
      if (found.length < limit && item.takenAt === undefined && item.readyAt <= now() && !waits) {
        item.takenAt = now();
        item.attempt += 1;
        found.push(
          messageOf({id: String(item.id), subscription, attempt: item.attempt, json: item.json}),
        );
      }
    }
    return found;
  };

  const settleOne = async (message: Message, outcome: Outcome) => {
    const items = queue(message.subscription);
    const at = items.findIndex(item => String(item.id) === message.id);
    const item = items[at];
    if (!item) {
      return;
    }
    if (outcome.kind === 'retry') {
      item.readyAt = now() + outcome.afterMs;
      item.attempt -= outcome.counted === false ? 1 : 0;
      item.takenAt = undefined;
      return;
    }
    if (outcome.kind === 'dead') {
      const {reason, status, destination, detail} = outcome;
      const topic = topics.of(message.subscription);
      await keepDeadLetters([{message, topic, reason, status, destination, detail}]);
    }
    items.splice(items.indexOf(item), 1);
    append(fanOut.deliveriesOf(outcome.kind === 'done' ? (outcome.publish ?? []) : []));
  };

  return {
    abilities: queueAbilities,
    async declare(wanted) {
      fanOut.declare(wanted);
      topics.add(wanted.subscriptions);
      for (const {name} of wanted.subscriptions) {
        store.items.set(name, store.items.get(name) ?? []);
      }
    },
    async publish(publications: readonly Publication[], client) {
      const deliveries = fanOut.deliveriesOf(publications);
      if (client) {
        client.publishes.push(() => append(deliveries));
      } else {
        append(deliveries);
      }
    },
    subscribe(subscription, consumer) {
      consumers.push(
        consume({
          consumer,
          fetch: fetch(subscription),
          onError,
          pollMs,
          async settle(messages, outcomes) {
            for (const [index, message] of messages.entries()) {
              await settleOne(message, outcomes[index] as Outcome);
            }
          },
        }),
      );
    },
    async pending() {
      return new Map([...store.items].map(([subscription, items]) => [subscription, items.length]));
    },
    async close() {
      store.wakes.delete(wakeAll);
      await Promise.all(consumers.map(consumer => consumer.stop()));
    },
  };
};
