/**
Fan-out: which subscriptions of a queueing broker get an event, decided when it is published.

In: the declared topics and subscriptions, publications. Out: one delivery for each subscription that wants the event. The event
is parsed only where somebody looks inside: the money path's consumers take everything.
*/
import {type Abilities, type Publication, parseEvent, type Subscription} from './broker.ts';

export type Delivery = Publication & Readonly<{subscription: string}>;

/** What a broker can do that keeps a queue for each subscription. */
export const queueAbilities: Abilities = {
  transactions: true,
  ordered: false,
  barriers: true,
  offsets: false,
  countsCrashes: true,
};

export const createFanOut = () => {
  const byTopic = new Map<string, Map<string, Subscription>>();
  const subscriptionsOf = (topic: string) => {
    const found = byTopic.get(topic);
    if (!found) {
      throw new Error(`the topic ${topic} was not declared`);
    }
    return found;
  };
  const declareTopic = (topic: string) => {
    const found = byTopic.get(topic) ?? new Map<string, Subscription>();
    byTopic.set(topic, found);
    return found;
  };

  return {
    declare({
      topics = [],
      subscriptions,
    }: {
      topics?: readonly string[];
      subscriptions: readonly Subscription[];
    }) {
      topics.forEach(declareTopic);
      for (const subscription of subscriptions) {
        declareTopic(subscription.topic).set(subscription.name, subscription);
      }
    },
    /** Throws for a topic that was not declared, and a SluiceError for what should be looked into and is no event. */
    deliveriesOf(publications: readonly Publication[]): Delivery[] {
      return publications.flatMap(publication => {
        const some = [...subscriptionsOf(publication.topic).values()];
        const event = some.some(({wants}) => wants) ? parseEvent(publication.json) : undefined;
        return some
          .filter(({wants}) => !wants || !event || wants(event))
          .map(({name}) => ({...publication, subscription: name}));
      });
    },
  };
};

/** The topic of each declared subscription. */
export const topicsOf = () => {
  const topics = new Map<string, string>();
  return {
    add(subscriptions: readonly Subscription[]) {
      for (const {name, topic} of subscriptions) {
        topics.set(name, topic);
      }
    },
    of(subscription: string): string {
      const topic = topics.get(subscription);
      if (topic === undefined) {
        throw new Error(`the subscription ${subscription} was not declared`);
      }
      return topic;
    },
    names: () => [...topics.keys()],
  };
};
