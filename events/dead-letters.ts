/**
Dead letters: events that could not be handled or delivered, kept with the reason, in the transaction that gives them up.

In: an event, who gave it up and why. Out: rows of `dead_letters`. Nothing in a letter can break its statement: what cannot
be stored of a bad event would otherwise fail its whole batch for ever.
*/
import {hash} from 'node:crypto';
import {toJson} from './codec.ts';
import type {Queryable} from './database.ts';
import type {Event} from './event.ts';
import {isUuid} from './uuid.ts';

/** What a letter tells of its event; undefined where the event has no such thing. */
type About = Readonly<{
  org: string | undefined;
  source: string | undefined;
  eventId: string | undefined;
  type: string | undefined;
}>;

export type DeadLetter = About &
  Readonly<{
    id: string;
    /** The Trigger or source consumer whose delivery failed, or the function that refused. */
    subscription: string;
    destination: string;
    /** The event as JSON. */
    event: string;
    attempts: number;
    reason: string;
    status: number | undefined;
  }>;

/** PostgreSQL keeps neither NUL nor halves of surrogate pairs. */
export const storable = (text: string) =>
  text.replaceAll('\0', '\ufffd').toWellFormed().slice(0, 1_000);

const storableOrNothing = (value: unknown) =>
  typeof value === 'string' ? storable(value) : undefined;

/** In: an event, or what is in its place. */
export const aboutOf = (event: Readonly<Record<string, unknown>>): About => ({
  org: isUuid(event.orgid) ? event.orgid : undefined,
  source: storableOrNothing(event.source),
  eventId: storableOrNothing(event.id),
  type: storableOrNothing(event.type),
});

/** The letter of an event in a batch that its function can never handle. The same content is the same letter, however often it comes. */
export const refusedBy = (name: string, event: Event, reason: string): DeadLetter => {
  const json = toJson(event);
  return {
    id: digestId(`${name}\n${json}`),
    ...aboutOf(event),
    subscription: name,
    destination: `/functions/${name}`,
    event: json,
    attempts: 1,
    reason: storable(reason),
    status: 422,
  };
};

/** UUIDv8 (RFC 9562, 5.8): of our own making, here a digest. */
const digestId = (text: string) => {
  const digest = hash('sha256', text);
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-8${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
};

/** A letter that is there already is left as it is. */
export const insertDeadLetters = async (client: Queryable, letters: readonly DeadLetter[]) => {
  if (letters.length === 0) {
    return;
  }
  await client.query({
    name: 'dead-letters-insert',
    text: `insert into dead_letters (id, org_id, subscription, destination, source, event_id, type, event, attempts, reason, status)
           select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::json[],
             $9::integer[], $10::text[], $11::integer[])
           on conflict (id) do nothing`,
    values: [
      letters.map(letter => letter.id),
      letters.map(letter => letter.org ?? null),
      letters.map(letter => letter.subscription),
      letters.map(letter => letter.destination),
      letters.map(letter => letter.source ?? null),
      letters.map(letter => letter.eventId ?? null),
      letters.map(letter => letter.type ?? null),
      letters.map(letter => letter.event),
      letters.map(letter => letter.attempts),
      letters.map(letter => letter.reason),
      letters.map(letter => letter.status ?? null),
    ],
  });
};
