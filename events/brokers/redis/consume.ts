/**
Consume from Redis: one subscription of one process: entries made batches, outcomes stored.

In: a subscription and its consumer. Out: `stop`, which waits for what is in flight. What is no CloudEvent becomes a dead
letter at once; what the subscription does not want is acknowledged unseen.
*/
import {setTimeout as wait} from 'node:timers/promises';
import type {Redis} from 'ioredis';
import {
  type Consumer,
  type DeadLetter,
  failureRetryMs,
  type KeepDeadLetters,
  type Message,
  type Outcome,
  type Subscription,
} from '../broker.ts';
import {consume} from '../consume.ts';
import {sortOutcomes} from '../outcomes.ts';
import {type Entry, readEntry} from './entries.ts';
import {createGroup, isMissingGroup} from './groups.ts';
import type {Publisher} from './publish.ts';
import {createHand, createTaking, type Group} from './take.ts';
import type {Waker} from './wake.ts';

export type ReadingOptions = Readonly<{
  client: Redis;
  subscription: Subscription;
  group: Group;
  consumer: Consumer;
  publisher: Publisher;
  waker: Waker;
  keepDeadLetters: KeepDeadLetters<undefined>;
  onError: (error: Error) => void;
  expireMs: number;
  handlerMs: number;
  sweepMs: number;
  heldMax: number;
  pollMs: number;
  settleRetryMs: number;
  now: () => number;
}>;

export const startReading = ({
  client,
  subscription: {name, topic, wants},
  group,
  consumer,
  publisher,
  waker,
  keepDeadLetters,
  onError,
  expireMs,
  handlerMs,
  sweepMs,
  heldMax,
  pollMs,
  settleRetryMs,
  now,
}: ReadingOptions) => {
  const hand = createHand();
  const taking = createTaking({client, group, hand, expireMs, sweepMs, now});
  const stopping = new AbortController();
  /** The delivery that each message is, so that an outcome that comes too late is known. */
  const deliveries = new WeakMap<Message, {until: number}>();

  /** For what is no CloudEvent. When it cannot be kept now, it is tried again like any other. */
  const bury = async (message: Message, fault: Error) => {
    const letter: DeadLetter = {
      message,
      topic,
      reason: `no CloudEvent: ${fault.message}`,
      destination: group.stream,
    };
    try {
      await keepDeadLetters([letter]);
      await taking.acknowledge([message.id]);
    } catch (error) {
      onError(error as Error);
      hand.held.set(message.id, now() + failureRetryMs);
    }
  };

  const isWanted = (message: Message) => {
    try {
      return wants?.(message.event) ?? true;
    } catch (error) {
      // Whoever handles it says better than we could what is wrong with it.
      onError(error as Error);
      return true;
    }
  };

  const admit = async (entries: readonly Entry[]): Promise<Message[]> => {
    const wanted: Message[] = [];
    const unwanted: string[] = [];
    for (const entry of entries) {
      if (!entry.fields) {
        onError(new Error(`${group.stream} ${entry.id} was deleted before ${name} had handled it`));
        continue;
      }
      const {message, fault} = readEntry(name, entry);
      if (fault) {
        await bury(message, fault);
      } else if (isWanted(message)) {
        const delivery = {until: now() + handlerMs};
        deliveries.set(message, delivery);
        hand.running.set(message.id, delivery);
        wanted.push(message);
      } else {
        unwanted.push(message.id);
      }
    }
    try {
      await taking.acknowledge(unwanted);
    } catch (error) {
      onError(error as Error);
      taking.lookAgain();
    }
    return wanted;
  };

  /** Until something is wanted or nothing is left: an empty answer makes the loop rest, a full one makes it come again. */
  const fresh = async (limit: number): Promise<Message[]> => {
    for (;;) {
      const {entries, newest} = await taking.fresh(limit);
      const messages = await admit(entries);
      if (entries.length === 0) {
        waker.hungry(wake, newest);
      }
      if (messages.length > 0 || entries.length === 0 || stopping.signal.aborted) {
        return messages;
      }
    }
  };

  const fetch = async (limit: number): Promise<readonly Message[]> => {
    const taken: Message[] = [];
    const room = () => limit - taken.length;
    try {
      for (const source of [taking.own, taking.due, taking.stale]) {
        if (room() > 0) {
          taken.push(...(await admit(await source(room()))));
        }
      }
      if (room() > 0 && !taking.recovering() && hand.held.size < heldMax) {
        taken.push(...(await fresh(room())));
      }
    } catch (error) {
      // What Redis has handed out by an answer that was lost is ours all the same.
      taking.lookAgain();
      onError(error as Error);
      if (isMissingGroup(error)) {
        onError(
          new Error(`Redis has lost the group ${group.group} of ${group.stream}: made again`),
        );
        await createGroup(client, {...group, from: 'start'}).catch(onError);
      }
    }
    return taken;
  };

  const storing = (messages: readonly Message[], outcomes: readonly Outcome[]) => {
    const {settled, retries, letters, replies} = sortOutcomes(topic, messages, outcomes);
    const attempts = new Map(messages.map(({id, attempt}) => [id, attempt]));
    let kept = letters.length === 0;
    return async () => {
      if (!kept) {
        await keepDeadLetters(letters);
        kept = true;
      }
      const uncounted = retries.filter(({counted}) => !counted);
      await taking.setDeliveries(uncounted.map(({id}) => [id, (attempts.get(id) ?? 1) - 1]));
      await (replies.length > 0
        ? publisher.publishAndAcknowledge(replies, {...group, ids: settled})
        : taking.acknowledge(settled));
    };
  };

  /** Tries until it is stopped: an outcome that is not stored means that a delivery is repeated. */
  const settle = async (messages: readonly Message[], outcomes: readonly Outcome[]) => {
    const {signal} = stopping;
    const store = storing(messages, outcomes);
    for (let attempt = 1; attempt === 1 || !signal.aborted; attempt += 1) {
      try {
        await store();
        break;
      } catch (error) {
        onError(error as Error);
        await wait(settleRetryMs * Math.min(attempt, 10), undefined, {signal}).catch(() => {});
      }
    }
    for (const [index, message] of messages.entries()) {
      const outcome = outcomes[index] as Outcome;
      if (hand.running.get(message.id) === deliveries.get(message)) {
        hand.running.delete(message.id);
        if (outcome.kind === 'retry') {
          hand.held.set(message.id, now() + outcome.afterMs);
        }
      }
    }
  };

  const consuming = consume({consumer, fetch, settle, onError, pollMs});
  const wake = consuming.wake;
  const refreshing = setInterval(() => {
    taking.refresh().catch(onError);
  }, expireMs / 3);

  return {
    async stop() {
      const stopped = consuming.stop();
      stopping.abort();
      await stopped;
      clearInterval(refreshing);
    },
  };
};
