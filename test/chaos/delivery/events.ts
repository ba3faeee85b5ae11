/**
Events: the events of a run, made from their numbers alone, so that one that is published again is the same.

In: a number. Out: the event. A deadly one has the sink kill itself between its commit and its answer, when it comes for the
first time: without that a run would be left to luck whether anything is delivered twice.
*/
import type {Event} from '../../../events/event.ts';

export type Task = Readonly<{number: number; deadly: boolean}>;

const organisations = 97;
/** One of so many is deadly; the first of them comes early. */
const deadlyEvery = 2_000;
const deadlyAt = 50;

const orgOf = (number: number) =>
  `00000000-0000-7000-8000-${String(number % organisations).padStart(12, '0')}`;

export const eventAt = (number: number): Event<Task> => {
  const orgid = orgOf(number);
  return {
    specversion: '1.0',
    id: `chaos/${number}`,
    source: '/test/chaos',
    type: 'dev.sluice.test.counted.v1',
    datacontenttype: 'application/json',
    orgid,
    partitionkey: orgid,
    data: {number, deadly: number % deadlyEvery === deadlyAt},
  };
};
