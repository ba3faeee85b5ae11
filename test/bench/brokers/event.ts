/**
Event: what every contender carries: `inference.finished` as the schema's example has it, of one of 32 organisations.

In: a run's name. Out: event by event, each with an id of its own.
*/
import {readFileSync} from 'node:fs';
import {type Event, makeEvent} from '../../../events/event.ts';
import type {EventData} from '../../../events/types.ts';

const type = 'dev.sluice.inference.finished.v1';
const organisations = 32;
const schema = new URL('../../../schemas/events/inference.finished.v1.json', import.meta.url);

export const createEvents = (run: string) => {
  const {examples} = JSON.parse(readFileSync(schema, 'utf8'));
  const data = examples[0] as EventData[typeof type];
  const templates = Array.from({length: organisations}, (_, n) => {
    const orgid = `0192f0c1-7a00-7000-8000-${String(n).padStart(12, '0')}`;
    return makeEvent({
      type,
      from: 'gateway',
      id: '',
      orgid,
      projectid: data.project,
      time: new Date('2026-11-21T10:00:02.345Z'),
      data: {...data, orgid},
    }) as Event;
  });
  let made = 0;
  return (count: number): Event[] =>
    Array.from({length: count}, () => {
      made += 1;
      return {...(templates[made % organisations] as Event), id: `${run}-${made}/finished`};
    });
};
