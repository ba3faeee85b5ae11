/**
Redis consumer: a process that consumes from a Redis broker until a test kills it, or until it kills itself.

In: what to do, as JSON in its one argument. Out: to its parent, each delivery and each dead letter before it counts as kept.
*/
import {createRedisBroker} from '../../events/brokers/redis/broker.ts';
import {redisAt} from '../../events/redis.ts';

export type ConsumerTask = Readonly<{
  url: string;
  consumer: string;
  subscription: string;
  expireMs: number;
  batchMax: number;
  /** `crash`: dies in the handler, but gives up at the attempt `deadAt`. `hang`: never ends. */
  how: 'hang' | 'crash' | 'done';
  deadAt?: number;
}>;

export type ConsumerTells = Readonly<
  | {kind: 'got'; id: string; attempt: number}
  | {kind: 'letter'; id: string; attempt: number; reason: string}
>;

const {
  url,
  consumer,
  subscription,
  expireMs,
  batchMax,
  how,
  deadAt = Number.POSITIVE_INFINITY,
} = JSON.parse(process.argv[2] ?? '{}') as ConsumerTask;

const tell = (what: ConsumerTells) =>
  new Promise<void>((resolve, reject) => {
    process.send?.(what, error => (error ? reject(error) : resolve()));
  });
/** Without its test there is nobody left to end it. */
process.on('disconnect', () => process.exit());

const broker = await createRedisBroker({
  redis: redisAt(url),
  consumer,
  expireMs,
  pollMs: 50,
  async keepDeadLetters(letters) {
    for (const {message, reason} of letters) {
      await tell({kind: 'letter', id: message.event.id, attempt: message.attempt, reason});
    }
  },
});
await broker.declare({subscriptions: [{name: subscription, topic: subscription}]});
broker.subscribe(subscription, {
  batchMax,
  concurrency: 1,
  async onBatch(messages) {
    const tries = messages.filter(({attempt}) => attempt < deadAt);
    for (const {event, attempt} of tries) {
      await tell({kind: 'got', id: event.id, attempt});
    }
    if (how === 'hang') {
      await new Promise(() => {});
    }
    if (how === 'crash' && tries.length > 0) {
      process.kill(process.pid, 'SIGKILL');
    }
    return messages.map(({attempt}) =>
      attempt < deadAt
        ? {kind: 'done'}
        : {kind: 'dead', reason: 'given up', destination: '/functions/test'},
    );
  },
});
