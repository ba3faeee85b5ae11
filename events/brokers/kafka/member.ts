/**
Member: one consumer of kafkajs in its group, from its start to its end.

In: kafkajs's consumer, a dispatch. Out: `eachBatch`, which puts down what was fetched; commits of what the dispatch says; a
promise that breaks when the member is of no more use: it crashed, its heartbeats stopped, or somebody ends it.
*/
import type {Consumer, EachBatchPayload} from 'kafkajs';
import {within} from '../../kafka/connect.ts';
import type {Dispatch} from './dispatch.ts';

export type ConsumerTimes = Readonly<{
  /** Without a heartbeat for so long a member is taken for dead by Kafka. At least Kafka's own minimum, 6 s. */
  sessionMs: number;
  heartbeatMs: number;
  commitMs: number;
  /** Without a heartbeat for so long a member is taken for dead by us. More than the session. */
  stallMs: number;
  /** Before a member takes the place of one that is gone; doubled at each failure, up to the second. */
  backoffMs: number;
  backoffMaxMs: number;
  /** For leaving the group; after that its sockets are cut. */
  leaveMs: number;
}>;

export const consumerTimes: ConsumerTimes = {
  sessionMs: 30_000,
  heartbeatMs: 1_000,
  commitMs: 200,
  stallMs: 60_000,
  backoffMs: 250,
  backoffMaxMs: 5_000,
  leaveMs: 5_000,
};

/**
With so much in store a partition waits a moment for its handler, then it is paused; unless all of them together have less than
the second, because it is asked for again only when a fetch of the others has waited in vain: one that has nearly all of the
log would stand still for most of the time.
*/
const storeBytes = 2 * 1024 * 1024;
const storeOfAllBytes = 24 * 1024 * 1024;
const roomWaitMs = 100;
const rebalancing = new Set(['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID']);
export const createMember = ({
  consumer,
  topic,
  dispatch,
  onError,
  times,
}: {
  consumer: Consumer;
  topic: string;
  dispatch: Dispatch;
  onError: (error: Error) => void;
  times: ConsumerTimes;
}) => {
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {});
  const paused = new Set<number>();
  let crashed = false;
  let memberId: string | undefined;
  let generation = 0;
  let lastSign = performance.now();
  let committing: Promise<void> | undefined;

  consumer.on('consumer.crash', ({payload: {error}}) => {
    crashed = true;
    ended.reject(error);
  });
  consumer.on('consumer.heartbeat', () => {
    lastSign = performance.now();
  });
  consumer.on('consumer.group_join', ({payload}) => {
    lastSign = performance.now();
    generation += 1;
    const numbers = payload.memberAssignment[topic] ?? [];
    // A new name means that Kafka had taken us for dead: others may have had our partitions meanwhile.
    dispatch.assign(numbers, payload.memberId === memberId);
    memberId = payload.memberId;
    // kafkajs keeps a partition paused that goes and comes again.
    paused.clear();
    consumer.resume([{topic, partitions: [...numbers]}]);
  });

  const isFull = (partition: number, share: number) =>
    dispatch.arrivedBytes(partition) >= storeBytes * share &&
    dispatch.allArrivedBytes() >= storeOfAllBytes * share;

  const resume = () => {
    for (const partition of paused) {
      if (!isFull(partition, 0.5)) {
        paused.delete(partition);
        consumer.resume([{topic, partitions: [partition]}]);
      }
    }
  };

  const hasRoom = async (partition: number) => {
    const end = performance.now() + roomWaitMs;
    while (isFull(partition, 1)) {
      const left = end - performance.now();
      if (left <= 0) {
        return false;
      }
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>(resolve => {
        timer = setTimeout(resolve, left);
      });
      await Promise.race([dispatch.changed(), late]);
      clearTimeout(timer);
    }
    return true;
  };

  const eachBatch = async ({batch, resolveOffset, isRunning, isStale}: EachBatchPayload) => {
    const began = generation;
    const last = batch.messages.at(-1);
    if (!last || !isRunning() || isStale()) {
      return;
    }
    dispatch.receive(batch.partition, batch.messages, Number(batch.lastOffset()) + 1);
    resolveOffset(last.offset);
    if (!(await hasRoom(batch.partition)) && began === generation) {
      paused.add(batch.partition);
      consumer.pause([{topic, partitions: [batch.partition]}]);
    }
  };

  /** One at a time. What fails is tried again at the next turn, by then perhaps under another generation. */
  const commit = async () => {
    await committing;
    const offsets = dispatch.toCommit();
    if (offsets.length === 0 || crashed) {
      return;
    }
    const work = consumer.commitOffsets(
      offsets.map(({partition, offset}) => ({
        topic,
        partition: partition.number,
        offset: String(offset),
      })),
    );
    committing = within(work, times.leaveMs, 'committing offsets')
      .then(
        () => {
          for (const {partition, offset} of offsets) {
            partition.onCommitted(offset);
          }
        },
        error => {
          // Between two generations of the group no commit counts.
          const {type} = (error.cause ?? error) as {type?: string};
          if (!rebalancing.has(type ?? '')) {
            onError(error);
          }
        },
      )
      .finally(() => {
        committing = undefined;
      });
    await committing;
  };

  const tick = setInterval(() => {
    resume();
    if (!committing) {
      commit().catch(onError);
    }
    if (performance.now() - lastSign > times.stallMs) {
      ended.reject(new Error(`no heartbeat for ${times.stallMs} ms`));
    }
  }, times.commitMs);

  return {
    eachBatch,
    ended: ended.promise,
    end: (reason: Error) => ended.reject(reason),
    /** Commits what is settled. */
    async close() {
      clearInterval(tick);
      await commit().catch(onError);
    },
  };
};
