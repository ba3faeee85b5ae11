/**
Source: a consumer group on one side, a sink on the other. What is read is sent, and acknowledged only when the sink took it or
it was stored as a dead letter.

In: a broker, what to read, where to send. Out: counters, a state of health, and a close that lets deliveries in flight end.
*/
import type {Broker, KeepDeadLetters, OnBatch, Subscription} from '../brokers/broker.ts';
import {deliverInBatches} from '../delivery/deliver-batch.ts';
import {deliverOneByOne} from '../delivery/deliver-one.ts';
import type {DeliveryPolicy} from '../delivery/policy.ts';
import type {Target} from '../delivery/target.ts';
import type {Metrics} from '../metrics.ts';
import type {Logger} from '../telemetry.ts';
import {repliesTo} from './replies.ts';

export type Source = Readonly<{
  /** What is wrong, while it is. */
  degraded(): string | undefined;
  close(): Promise<void>;
}>;

export const startSource = async ({
  broker,
  subscription,
  target,
  batchMax,
  concurrency,
  ordered,
  policy,
  token,
  extensions,
  replyTo,
  keepDeadLetters,
  metrics,
  logger,
  pendingEveryMs = 5_000,
}: {
  broker: Pick<Broker, 'declare' | 'subscribe' | 'pending' | 'close'>;
  subscription: Subscription;
  target: Target;
  /** 1: each event alone, in binary mode; more: JSON batches. */
  batchMax: number;
  concurrency: number;
  ordered: boolean;
  policy: DeliveryPolicy;
  /** The bearer token that says that these events are true. */
  token?: string | undefined;
  extensions?: Readonly<Record<string, string>> | undefined;
  replyTo?: string | undefined;
  keepDeadLetters: KeepDeadLetters;
  metrics: Metrics;
  logger: Logger;
  pendingEveryMs?: number;
}): Promise<Source> => {
  const {name} = subscription;
  const delivery = {
    name,
    target,
    policy,
    headers: (token === undefined ? {} : {authorization: `Bearer ${token}`}) as Record<
      string,
      string
    >,
    extensions,
    onReply: repliesTo({replyTo, sink: target.name, keepDeadLetters}),
    logger,
  };
  const deliver = batchMax === 1 ? deliverOneByOne(delivery) : deliverInBatches(delivery);
  const watch = createWatch(metrics, name);
  await broker.declare({
    subscriptions: [subscription],
    topics: replyTo === undefined ? [] : [replyTo],
  });
  broker.subscribe(name, {batchMax, concurrency, ordered, onBatch: watch.count(deliver)});

  const pending = metrics.gauge('sluice_source_pending', 'Events that wait or are in flight.');
  const measure = setInterval(() => {
    broker.pending().then(
      counts => pending({subscription: name}).set(counts.get(name) ?? 0),
      error => logger.warn({err: error}, 'what waits could not be counted'),
    );
  }, pendingEveryMs);
  measure.unref();

  return {
    degraded: watch.degraded,
    async close() {
      clearInterval(measure);
      await broker.close();
    },
  };
};

/** Counts outcomes, and remembers since when the sink has taken nothing. */
const createWatch = (metrics: Metrics, subscription: string) => {
  const outcomes = metrics.counter(
    'sluice_source_events_total',
    'Deliveries of events by what came of them.',
  );
  const seconds = metrics.histogram(
    'sluice_source_delivery_seconds',
    'From handing events to the sink to their outcome.',
  );
  const oldest = metrics.gauge(
    'sluice_source_refused_seconds',
    'For how long the sink has taken nothing; 0 when it takes events.',
  );
  let refusedSince: number | undefined;
  return {
    count: (onBatch: OnBatch): OnBatch =>
      async function countOutcomes(messages) {
        const started = performance.now();
        const results = await onBatch(messages);
        seconds({subscription}).observe((performance.now() - started) / 1_000);
        for (const outcome of ['done', 'retry', 'dead'] as const) {
          const count = results.filter(({kind}) => kind === outcome).length;
          if (count > 0) {
            outcomes({subscription, outcome}).add(count);
          }
        }
        if (results.some(({kind}) => kind !== 'retry')) {
          refusedSince = undefined;
        } else if (results.length > 0) {
          refusedSince ??= started;
        }
        oldest({subscription}).set(
          refusedSince === undefined ? 0 : (performance.now() - refusedSince) / 1_000,
        );
        return results;
      },
    degraded: () =>
      refusedSince === undefined
        ? undefined
        : `the sink has taken nothing for ${Math.round((performance.now() - refusedSince) / 1_000)} s`,
  };
};
