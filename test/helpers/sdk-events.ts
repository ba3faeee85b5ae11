/**
SDK events: what every right reader and writer of CloudEvents agrees on with us, in every binding.

Times have the six digits that Python's have, extensions the 32 bits of the specification, attributes that are not plain ASCII
are in `odd`: not every SDK percent-codes.
*/
import type {Event} from '../../events/event.ts';

const required = {
  specversion: '1.0',
  id: 'lease/fenced',
  source: '/functions/budget',
  type: 'dev.sluice.lease.fenced.v1',
  time: '2026-11-21T10:00:00.123456Z',
} as const;
const json = {...required, datacontenttype: 'application/json'} as const;

export const plainEvents: Readonly<Record<string, Event>> = {
  'JSON data and extensions': {
    ...json,
    subject: 'lease',
    dataschema: 'https://example.com/schemas/lease',
    orgid: '0192f0c1-7a00-7000-8000-00000000000a',
    partitionkey: '0192f0c1-7a00-7000-8000-00000000000a',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    data: {lease: 'ü€😀', budgets: [1, 2.5, null, true], nested: {'': []}},
  },
  'no data': {...required, subject: 'nothing'},
  'bytes that are no text': {
    ...required,
    datacontenttype: 'image/png',
    data: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x00, 0xff, 0x0a]),
  },
  'a text': {...required, datacontenttype: 'text/plain', data: 'a text, not "JSON" ü€😀'},
  'a number and a boolean as extensions': {
    ...json,
    attempt: 2_147_483_647,
    sampled: true,
    data: {},
  },
};

/** JSON that is no object. */
export const scalars: Readonly<Record<string, Event>> = Object.fromEntries(
  [0, false, 42, -1.5, '', 'text', [1, 'a', null], []].map(data => [
    `the JSON data ${JSON.stringify(data)}`,
    {...json, data},
  ]),
);

export const odd: Event = {...json, subject: 'Euro € 😀 "100%" ~', data: {a: 1}};
export const nanoseconds: Event = {...json, time: '2026-11-21T10:00:00.123456789Z', data: {a: 1}};
export const withNull: Event = {...json, data: null};
