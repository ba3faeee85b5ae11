/**
Events: the events of a run, made from their numbers alone, so that one that is published again is the same.

In: a number. Out: the event. A deadly one has the sink kill itself between its commit and its answer, when it comes for the
first time: without that a run would be left to luck whether anything is delivered twice.
*/
import type {Event} from '../../events/event.ts';

export type Task = Readonly<{number: number; deadly: boolean}>;

const organisations = 97;
/** In a run, whatever its size. */
const deadlyEvents = 10;

const orgOf = (number: number) =>
  `00000000-0000-7000-8000-${String(number % organisations).padStart(12, '0')}`;

export const eventAt = (number: number, events: number): Event<Task> => {
  const every = Math.max(Math.floor(events / deadlyEvents), 1);
  const orgid = orgOf(number);
  return {
    specversion: '1.0',
    id: `chaos/${number}`,
    source: '/test/chaos',
    type: 'dev.sluice.test.counted.v1',
    datacontenttype: 'application/json',
    orgid,
    partitionkey: orgid,
    data: {number, deadly: number % every === Math.floor(every / 2)},
  };
};
