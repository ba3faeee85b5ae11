/**
Eventing: the data plane of the local runner. Outbox → relay → subscriptions → HTTP, and replies back.

In: the plan, a pool as `sluice_system` (`installPostgresBroker` has run), where functions listen. Out: the ingress of the
Brokers, figures, and a close that lets deliveries in flight end.
*/
import type {RequestListener} from 'node:http';
import type pg from 'pg';
import {Agent} from 'undici';
import type {Broker} from '../../../events/brokers/broker.ts';
import {createPostgresBroker} from '../../../events/brokers/postgres.ts';
import {keepDeadLettersIn} from '../../../events/dead-letters.ts';
import {startRelay} from '../../../events/relay.ts';
import type {Logger} from '../../../events/telemetry.ts';
import type {Enter} from '../activator/gates.ts';
import type {Plan} from '../plan/plan.ts';
import {createBrokerIngress} from './broker-ingress.ts';
import {deliverToTrigger} from './deliver.ts';
import {deliverToSource} from './deliver-batch.ts';
import {type Filter, matches} from './filter.ts';
import {createPost} from './post.ts';

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
  sourceToken,
  logger,
  drainMs = 30_000,
}: {
  plan: Plan;
  /** At least 6 connections: two listen, one relays, the others fetch and settle. */
  pools: Readonly<{system: pg.Pool}>;
  /** The way to a function; it wakes one that rests. */
  enter: Enter;
  sourceToken: string;
  logger: Logger;
  /** A delivery that takes longer at the close is cut, and repeated after the next start. */
  drainMs?: number;
}): Promise<Eventing> => {
  const onError = (error: Error) => logger.error({err: error}, 'eventing: a fault');
  const keepDeadLetters = keepDeadLettersIn(system);
  const dispatcher = new Agent({connections: 32});
  const post = createPost(dispatcher);
  const broker: Broker = await createPostgresBroker({pool: system, keepDeadLetters, onError});
  const topics = topicsOf(plan);
  await broker.declare({
    topics,
    subscriptions: plan.subscriptions.map(({name, origin, filter}) => ({
      name,
      topic: origin,
      wants: takesEverything(filter) ? undefined : event => matches(filter, event),
    })),
  });
  for (const subscription of plan.subscriptions) {
    const onBatch =
      subscription.kind === 'trigger'
        ? deliverToTrigger({subscription, enter, post, logger})
        : deliverToSource({subscription, sourceToken, enter, post, logger});
    const {batchMax, concurrency} = subscription;
    broker.subscribe(subscription.name, {batchMax, concurrency, onBatch});
  }
  const known = new Set<string>(topics);
  const relay = await startRelay({
    pool: system,
    async publish(publications, client) {
      await broker.publish(publications, client);
      return new Map();
    },
    knows: destination => known.has(destination),
    keepDeadLetters,
    onError,
  });

  let closing: Promise<void> | undefined;
  const close = async () => {
    const cut = setTimeout(() => void dispatcher.destroy(), drainMs);
    await relay.close();
    await broker.close();
    clearTimeout(cut);
    await dispatcher.destroy();
  };
  return {
    brokerIngress: createBrokerIngress({brokers: plan.brokers, broker, onError}),
    async stats() {
      return {relayed: relay.relayed(), pending: Object.fromEntries(await broker.pending())};
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
};

/** Where events may be published to: the Brokers, and what some source reads. */
const topicsOf = ({brokers, subscriptions}: Plan) => [
  ...new Set([...brokers.map(({topic}) => topic), ...subscriptions.map(({origin}) => origin)]),
];

/** The money path's consumers: an event that nobody looks into is not parsed. */
const takesEverything = (filter: Filter) => filter.dialect === 'all' && filter.filters.length === 0;
