/**
Dead letters: events that could not be handled or delivered, kept with the reason, in the transaction that gives them up.

In: an event, who gave it up and why. Out: rows of `dead_letters`, and in the same statement an event in the outbox that
tells of each new one. Nothing in a letter can break its statement: what cannot be stored of a bad event would otherwise fail
its whole batch for ever.

A letter's id is a digest of what it is about, so that a delivery that is repeated is the same letter. An event that is
redriven carries the attribute `redriven`, the id of its letter; if it fails anew it differs by that, and is another letter.
*/
import {hash} from 'node:crypto';
import type {KeepDeadLetters, DeadLetter as Undelivered} from './brokers/broker.ts';
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
    /** Where it can be published again, as the outbox names it. Undefined: nobody knows. */
    origin?: string | undefined;
    /** Stored by who gave it up, not by who says so over HTTP. False unless said. */
    proved?: boolean;
    /** The event as JSON. */
    event: string;
    /** Undefined when the broker did not tell. */
    attempts: number | undefined;
    reason: string;
    status: number | undefined;
    /** What the receiver said, which may be anything: never in a log or an event. */
    errorData?: string | undefined;
  }>;

/** The type of the event that tells of a letter. A letter about one of these is told of by no other, or they had no end. */
export const storedType = 'dev.sluice.deadletter.stored.v1';

/** PostgreSQL keeps neither NUL nor halves of surrogate pairs. */
export const storable = (text: string) =>
  text.slice(0, 1_000).replaceAll('\0', '\ufffd').toWellFormed();

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
export const refusedBy = (
  name: string,
  event: Event,
  reason: string,
  origin = 'log:sluice.usage',
): DeadLetter => {
  const json = toJson(event);
  return {
    id: digestId(`${name}\n${json}`),
    ...aboutOf(event),
    subscription: name,
    destination: `/functions/${name}`,
    origin,
    proved: true,
    event: json,
    attempts: 1,
    reason: storable(reason),
    status: 422,
  };
};

/** What the outbox takes as a destination. */
const originPattern = /^(?:log|broker|stream):[A-Za-z0-9._/:-]{1,250}$/;

/** The letter of what a broker of ours could not deliver. */
export const undelivered = ({
  message,
  topic,
  reason,
  status,
  destination,
  detail,
}: Undelivered): DeadLetter => {
  const {subscription, json, attempt} = message;
  const [, summary, rest] = /^(the answer (?:was )?\d+[^:]*): (.*)$/s.exec(reason) ?? [];
  return {
    id: digestId(`${subscription}\n${topic}\n${json}`),
    ...aboutOf(eventIn(message)),
    subscription,
    destination,
    origin: originPattern.test(topic) ? topic : undefined,
    proved: true,
    event: json,
    attempts: attempt,
    reason: storable(summary ?? reason),
    status,
    errorData: storableOrNothing(detail ?? rest),
  };
};

/** What cannot be parsed is kept as it came. */
const eventIn = (message: Undelivered['message']): Readonly<Record<string, unknown>> => {
  try {
    return message.event;
  } catch {
    return {};
  }
};

/** Keeps what brokers could not deliver, within their transaction where they have one. */
export const keepDeadLettersIn =
  (pool: Queryable): KeepDeadLetters =>
  (letters, client = pool) =>
    insertDeadLetters(client, letters.map(undelivered));

/** UUIDv8 (RFC 9562, 5.8): of our own making, here a digest. */
export const digestId = (text: string) => {
  const digest = hash('sha256', text);
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-8${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
};

/** A letter that is there already is left as it is, and not told of again. */
const insert = `
  with stored as (
    insert into dead_letters (id, org_id, subscription, destination, origin, proved, source, event_id, type, event, attempts,
      reason, status, error_data)
    select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::text[], $8::text[],
      $9::text[], $10::json[], $11::integer[], $12::text[], $13::integer[], $14::text[])
    on conflict (id) do nothing
    returning id, org_id, subscription, type, reason, status, proved
  ), told as (
    insert into outbox (destination, org_id, source, event_id, event)
    select 'broker:default', org_id, '/functions/deadletter', id::text, json_strip_nulls(json_build_object(
      'specversion', '1.0', 'id', id, 'source', '/functions/deadletter', 'type', '${storedType}',
      'time', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'datacontenttype', 'application/json',
      'orgid', org_id, 'partitionkey', org_id,
      'data', json_build_object('letter', id, 'subscription', subscription, 'type', type, 'reason', reason, 'status', status,
        'proved', proved)))
    from stored where type is distinct from '${storedType}'
    on conflict do nothing
  )
  select count(*)::integer as count from stored`;

/** Returns how many were not there before. */
export const storeDeadLetters = async (
  client: Queryable,
  letters: readonly DeadLetter[],
): Promise<number> => {
  if (letters.length === 0) {
    return 0;
  }
  const column = (value: (letter: DeadLetter) => unknown) =>
    letters.map(letter => value(letter) ?? null);
  const {rows} = await client.query<{count: number}>({
    name: 'dead-letters-insert',
    text: insert,
    values: [
      column(({id}) => id),
      column(({org}) => org),
      column(({subscription}) => subscription),
      column(({destination}) => destination),
      column(({origin}) => origin),
      column(({proved}) => proved ?? false),
      column(({source}) => source),
      column(({eventId}) => eventId),
      column(({type}) => type),
      column(({event}) => event),
      column(({attempts}) => attempts),
      column(({reason}) => reason),
      column(({status}) => status),
      column(({errorData}) => errorData),
    ],
  });
  return rows[0]?.count ?? 0;
};

export const insertDeadLetters = async (client: Queryable, letters: readonly DeadLetter[]) => {
  await storeDeadLetters(client, letters);
};
