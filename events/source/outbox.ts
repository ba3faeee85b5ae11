/**
Outbox source: sends what functions left in the outbox to where it goes on a cluster: to the Broker by HTTP, to a log by Kafka.

In: rows. Out: what was left. A Broker that is away holds up no log, because each has a relay of its own.
*/
import type {Publication} from '../brokers/broker.ts';
import {parseEvent} from '../brokers/broker.ts';
import {judge, sourcePolicy} from '../delivery/policy.ts';
import {sendEvent, type Target} from '../delivery/target.ts';
import type {Event} from '../event.ts';
import type {Left, PublishRows} from '../relay.ts';

/** `urlOf` names the ingress of a Broker. */
export const publishToBrokers =
  ({
    targetOf,
    concurrency = 16,
    timeoutMs = 30_000,
  }: {
    /** In: `broker:<name>`. */
    targetOf: (destination: string) => Target;
    concurrency?: number;
    timeoutMs?: number;
  }): PublishRows =>
  async publications => {
    const left = new Map<number, Left>();
    const sendOne = async (index: number, {topic, json}: Publication) => {
      const event = parsedOrReason(json);
      if (typeof event === 'string') {
        left.set(index, {kind: 'refused', reason: event});
        return;
      }
      const answer = await sendEvent(targetOf(topic), event, {timeoutMs});
      const verdict = judge(answer, 1, sourcePolicy);
      if (verdict.kind === 'retry') {
        left.set(index, {kind: 'kept'});
      } else if (verdict.kind === 'dead') {
        const {reason, status} = verdict;
        left.set(index, {kind: 'refused', reason, ...(status === undefined ? {} : {status})});
      }
    };
    const queue = publications.entries();
    await Promise.all(
      Array.from({length: concurrency}, async () => {
        for (const [index, publication] of queue) {
          await sendOne(index, publication);
        }
      }),
    );
    return left;
  };

const parsedOrReason = (json: string): Event | string => {
  try {
    return parseEvent(json);
  } catch (error) {
    return (error as Error).message;
  }
};

/** All or nothing: a producer that fails leaves every row where it is. */
export const publishToLogs =
  (publish: (publications: readonly Publication[]) => Promise<void>): PublishRows =>
  async publications => {
    await publish(
      publications.map(one => ({...one, topic: one.topic.slice(one.topic.indexOf(':') + 1)})),
    );
    return new Map();
  };
