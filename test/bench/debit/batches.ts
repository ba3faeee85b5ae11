/**
Batches: the events of the log as the source hands them to a function: of one partition each, in its order, the partitions in turn.

In: events, the partitions of the topic. Out: batches of at most `limits.batchEvents`.
*/
import type {Event} from '../../../events/event.ts';
import {murmur2} from '../../../events/kafka/partitioner.ts';
import {limits} from '../../../events/limits.ts';

export const partitions = 24;

export const batchesOf = (events: Iterable<Event>, max: number = limits.batchEvents): Event[][] => {
  const logs = Array.from({length: partitions}, (): Event[] => []);
  for (const event of events) {
    const hash = murmur2(Buffer.from(event.partitionkey as string));
    (logs[(hash & 0x7fffffff) % partitions] as Event[]).push(event);
  }
  const longest = Math.max(...logs.map(({length}) => length));
  const batches: Event[][] = [];
  for (let at = 0; at < longest; at += max) {
    batches.push(...logs.map(log => log.slice(at, at + max)).filter(({length}) => length > 0));
  }
  return batches;
};
