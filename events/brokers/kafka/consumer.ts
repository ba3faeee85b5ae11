/**
Consumer: keeps one member of a group alive, whatever kafkajs and Kafka do.

In: a group, a topic, a dispatch that takes the records. Out: its end. Reading goes on beside handling: what was fetched is put
down and the next fetch is asked for, so that heartbeats never wait for a handler; a partition whose store is full is paused.
Offsets are committed by our own count alone. A member that crashed, that gives no sign of life or whose handler was given up
leaves, and another takes its place.
*/
import {type ConnectKafka, within} from '../../kafka/connect.ts';
import type {Dispatch} from './dispatch.ts';
import {type ConsumerTimes, createMember} from './member.ts';

/** How long a fetch waits for records. A partition that was paused is asked for again after at most so long. */
const fetchWaitMs = 250;
const joinMs = 60_000;

export const runConsumer = ({
  connect,
  groupId,
  topic,
  dispatch,
  onError,
  beforeJoin = async () => {},
  times,
}: {
  connect: ConnectKafka;
  groupId: string;
  topic: string;
  dispatch: Dispatch;
  onError: (error: Error) => void;
  /** What may fail: it joins all the same. */
  beforeJoin?: () => Promise<void>;
  times: ConsumerTimes;
}) => {
  const stopping = Promise.withResolvers<undefined>();
  let isStopping = false;
  let leave: (reason: Error) => void = () => {};

  const pause = (ms: number) =>
    new Promise<void>(resolve => {
      const timer = setTimeout(resolve, ms);
      stopping.promise.then(() => {
        clearTimeout(timer);
        resolve();
      });
    });

  const keepAlive = async () => {
    let failures = 0;
    while (!isStopping) {
      const began = performance.now();
      await live().catch(error => {
        if (!isStopping) {
          onError(error as Error);
        }
      });
      dispatch.assign([], false);
      failures = performance.now() - began > times.stallMs ? 0 : failures + 1;
      await pause(Math.min(times.backoffMs * 2 ** (failures - 1), times.backoffMaxMs));
      while (!dispatch.hasSlot() && !isStopping) {
        await Promise.race([dispatch.changed(), stopping.promise]);
      }
    }
  };

  /** One member, from its start to its end; throws why it ended. */
  const live = async () => {
    const {kafka, cut} = await connect();
    const consumer = kafka.consumer({
      groupId,
      sessionTimeout: times.sessionMs,
      // No member of ours is ever late: none waits for its handler.
      rebalanceTimeout: times.sessionMs,
      heartbeatInterval: times.heartbeatMs,
      maxWaitTimeInMs: fetchWaitMs,
      allowAutoTopicCreation: false,
      // What is not committed in a transaction is nobody's.
      readUncommitted: false,
      retry: {
        initialRetryTime: 100,
        maxRetryTime: 1_000,
        factor: 0.2,
        multiplier: 2,
        retries: 3,
        restartOnFailure: async () => false,
      },
    });
    const member = createMember({consumer, topic, dispatch, onError, times});
    leave = member.end;
    const fetching = async () => {
      await consumer.connect();
      await beforeJoin().catch(onError);
      // Where nothing is committed, or what was is deleted: nothing that is there is left out.
      await consumer.subscribe({topic, fromBeginning: true});
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: 64,
        eachBatch: member.eachBatch,
      });
    };
    try {
      await within(Promise.race([fetching(), member.ended, stopping.promise]), joinMs, 'joining');
      await Promise.race([member.ended, stopping.promise]);
    } finally {
      leave = () => {};
      await member.close();
      await within(consumer.disconnect(), times.leaveMs, 'leaving').catch(() => {});
      cut();
    }
  };

  const running = keepAlive();
  return {
    /** Leaves the group, so that others get what this one has in hand, and comes back when there is a slot. */
    rejoin: (reason: Error) => leave(reason),
    async stop() {
      isStopping = true;
      stopping.resolve(undefined);
      await running;
    },
  };
};
