/**
Fan-out: which subscriptions get an event, by where it comes from and what the Triggers filter.

In: the plan's subscriptions, an origin (`broker:default`, `log:sluice.usage`), an event as text. Out: one delivery for each
subscription that wants it; undefined when nothing has that origin.
*/
import {type Delivery, parseEvent} from '../../../events/brokers/broker.ts';
import type {Plan, SubscriptionPlan} from '../plan/plan.ts';
import {matches} from './filter.ts';

export type FanOut = (
  origin: string,
  event: Readonly<{json: string; org?: string | undefined; barrier?: boolean}>,
) => Delivery[] | undefined;

const takesEverything = ({filter}: SubscriptionPlan) =>
  filter.dialect === 'all' && filter.filters.length === 0;

export const createFanOut = ({
  brokers,
  subscriptions,
}: Pick<Plan, 'brokers' | 'subscriptions'>): FanOut => {
  const byOrigin = new Map<string, SubscriptionPlan[]>(
    brokers.map(({name}) => [`broker:${name}`, []]),
  );
  for (const subscription of subscriptions) {
    byOrigin.set(subscription.origin, [...(byOrigin.get(subscription.origin) ?? []), subscription]);
  }
  return function fanOut(origin, {json, org, barrier}) {
    const some = byOrigin.get(origin);
    // The money path's events are never looked into: its consumers take everything.
    const event = some === undefined || some.every(takesEverything) ? undefined : parseEvent(json);
    return some
      ?.filter(({filter}) => event === undefined || matches(filter, event))
      .map(({name}) => ({subscription: name, json, org, barrier}));
  };
};
