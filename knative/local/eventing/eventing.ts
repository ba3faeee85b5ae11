/**
Eventing: the data plane of the local runner. Outbox → relay → subscriptions → HTTP, and replies back.

In: the plan, a pool as `sluice_system` (`installPostgresBroker` has run), the way to functions, what events travel by. Out: the
ingress of the Brokers, figures, and a close that lets deliveries in flight end.
*/
import type {RequestListener} from 'node:http';
import type pg from 'pg';
import {Agent} from 'undici';
import type {OnBatch} from '../../../events/brokers/broker.ts';
import {keepDeadLettersIn} from '../../../events/dead-letters.ts';
import {deliverInBatches} from '../../../events/delivery/deliver-batch.ts';
import {deliverOneByOne} from '../../../events/delivery/deliver-one.ts';
import {createPost} from '../../../events/delivery/post.ts';
import {startRelay} from '../../../events/relay.ts';
import {repliesTo} from '../../../events/source/replies.ts';
import type {Logger} from '../../../events/telemetry.ts';
import type {Enter} from '../activator/gates.ts';
import type {Plan, SubscriptionPlan} from '../plan/plan.ts';
import {createBrokerIngress} from './broker-ingress.ts';
import {type Carriers, openBrokers} from './brokers.ts';
import {deliverToTrigger} from './deliver-to-trigger.ts';
import {type Filter, matches} from './filter.ts';
import {startPings} from './pings.ts';
import {createTargets} from './targets.ts';

export type EventingStats = Readonly<{
  /** Rows that left the outbox since the start. */
  relayed: number;
  /** Events that wait or are in flight, by subscription. */
  pending: Readonly<Record<string, number>>;
}>;

export type Eventing = Readonly<{
  /** Answers POST /<namespace>/<broker>. For a listener that only functions reach. */
  brokerIngress: RequestListener;
  stats(): Promise<EventingStats>;
  close(): Promise<void>;
}>;

export const startEventing = async ({
  plan,
  pools: {system},
  enter,
  brokersUrl,
  sourceToken,
  logger,
  carriers = {kind: 'postgres'},
  drainMs = 30_000,
}: {
  plan: Plan;
  /** At least 6 connections: two listen, one relays, the others fetch and settle. */
  pools: Readonly<{system: pg.Pool}>;
  /** The way to a function; it wakes one that rests. */
  enter: Enter;
  /** Where `brokerIngress` is listened for. */
  brokersUrl: string;
  sourceToken: string;
  logger: Logger;
  carriers?: Carriers;
  /** A delivery that takes longer at the close is cut, and repeated after the next start. */
  drainMs?: number;
}): Promise<Eventing> => {
  const onError = (error: Error) => logger.error({err: error}, 'eventing: a fault');
  const keepDeadLetters = keepDeadLettersIn(system);
  const dispatcher = new Agent({connections: 32});
  const targetOf = createTargets({enter, post: createPost(dispatcher), brokersUrl});
  const brokers = await openBrokers({carriers, pool: system, keepDeadLetters, logger, onError});

  const handlerOf = (subscription: SubscriptionPlan): OnBatch => {
    if (subscription.kind === 'trigger') {
      return deliverToTrigger({subscription, targetOf, logger});
    }
    const {name, sink, policy, token, extensions, batchMax} = subscription;
    const target = targetOf(sink);
    const delivery = {
      name,
      target,
      policy,
      headers: (token ? {authorization: `Bearer ${sourceToken}`} : {}) as Record<string, string>,
      extensions: extensions && Object.keys(extensions).length > 0 ? extensions : undefined,
      onReply: repliesTo({replyTo: undefined, sink: target.name, keepDeadLetters}),
      logger,
    };
    return batchMax === 1 ? deliverOneByOne(delivery) : deliverInBatches(delivery);
  };

  const topics = new Set([
    ...plan.brokers.map(({topic}) => topic),
    ...plan.subscriptions.map(({origin}) => origin),
  ]);
  for (const topic of topics) {
    await brokers.of(topic).declare({
      topics: [topic],
      subscriptions: plan.subscriptions
        .filter(({origin}) => origin === topic)
        .map(({name, kind, filter}) => ({
          name,
          topic,
          from: kind === 'source' ? 'start' : 'now',
          wants: takesEverything(filter) ? undefined : event => matches(filter, event),
        })),
    });
  }
  for (const subscription of plan.subscriptions) {
    const {name, kind, origin, batchMax, concurrency, ordered} = subscription;
    // What Kafka keeps is read by the sources themselves, as on a cluster.
    if (kind === 'trigger' || !brokers.logsAreKafka) {
      const onBatch = handlerOf(subscription);
      brokers.of(origin).subscribe(name, {batchMax, concurrency, ordered, onBatch});
    }
  }
  const relay = await startRelay({
    pool: system,
    async publish(publications, client) {
      await brokers.publish(publications, client);
      return new Map();
    },
    knows: destination => topics.has(destination as `broker:${string}`),
    keepDeadLetters,
    onError,
  });
  const pings = startPings({pings: plan.pings, targetOf, logger});

  let closing: Promise<void> | undefined;
  const close = async () => {
    const cut = setTimeout(() => void dispatcher.destroy(), drainMs);
    await pings.close();
    await relay.close();
    await brokers.close();
    clearTimeout(cut);
    await dispatcher.destroy();
  };
  return {
    brokerIngress: createBrokerIngress({brokers: plan.brokers, broker: brokers, onError}),
    async stats() {
      return {relayed: relay.relayed(), pending: Object.fromEntries(await brokers.pending())};
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
};

/** The money path's consumers: an event that nobody looks into is not parsed. */
const takesEverything = (filter: Filter) => filter.dialect === 'all' && filter.filters.length === 0;
