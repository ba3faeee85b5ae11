/**
Statements: what is asked of `dead_letters`.

$1 to $4 of those with a filter: organisation, subscription, type, since; null means all.
*/
import {instantOfMicros, microsOf} from '../../events/cursor.ts';
import type {State} from './query.ts';

const waiting = 'redriven_at is null and dropped_at is null';

/** Those that a redrive would take: the rule of `refusalOf`, for many at once. */
const redrivable = `event is not null and origin is not null and (proved or origin like 'broker:%')`;

const filtered = `($1::uuid is null or org_id = $1) and ($2::text is null or subscription = $2)
  and ($3::text is null or type = $3) and ($4::timestamptz is null or dead_at >= $4)`;

const about = `id, org_id, subscription, destination, origin, proved, source, event_id, type, attempts, reason, status,
  dead_at, redriven_at, dropped_at`;

const inState: Readonly<Record<State, string>> = {
  waiting,
  redriven: 'redriven_at is not null',
  dropped: 'dropped_at is not null',
};

/** $5 and $6: what the page comes after; $7: how many. */
export const list = (state: State | undefined) => `
  select ${about}, ${microsOf('dead_at')} as micros from dead_letters
  where ${filtered} and ${state === undefined ? 'true' : inState[state]}
    and ($5::bigint is null or (dead_at, id) < (${instantOfMicros('$5')}, $6::uuid))
  order by dead_at desc, id desc limit $7`;

export const find = `select ${about}, error_data, event::text as event from dead_letters where id = $1`;

/** Who comes second waits for the first to commit, and then sees what became of the letter. */
export const lock = `
  select id, org_id, event::text as event, origin, proved, redriven_at, dropped_at from dead_letters where id = $1 for update`;

/** $5: how many. Those that somebody else has in hand are theirs. */
export const lockSome = (act: 'redrive' | 'drop') => `
  select id, org_id, event::text as event, origin, proved, redriven_at, dropped_at from dead_letters
  where ${waiting} and ${act === 'redrive' ? redrivable : 'true'} and ${filtered} and id <> all ($6::uuid[])
  order by dead_at, id limit $5 for update skip locked`;

/** $5: how many ids are shown. */
export const preview = (act: 'redrive' | 'drop') => `
  select count(*)::integer as count, (array_agg(id order by dead_at, id))[1:$5] as ids from dead_letters
  where ${waiting} and ${act === 'redrive' ? redrivable : 'true'} and ${filtered}`;

export const countRefused = `
  select count(*)::integer as count from dead_letters where ${waiting} and not (${redrivable}) and ${filtered}`;

export const countWaiting = `select count(*)::integer as count from dead_letters where ${waiting}`;

/**
$1 ids, $2 origins, $3 organisations, $4 events. The row of a redrive has the letter's name, not the event's: it meets no other
row, and there is one a letter. In a log it keeps behind everything older of its organisation, as a marker must.
*/
export const redrive = `
  with redriven as (
    update dead_letters set redriven_at = now() where id = any ($1::uuid[]) and ${waiting} returning id
  )
  insert into outbox (destination, org_id, source, event_id, event, barrier)
  select origin, org_id, '/functions/deadletter', id || '/redriven', event, origin like 'log:%'
  from unnest($1::uuid[], $2::text[], $3::uuid[], $4::json[]) as sent (id, origin, org_id, event) join redriven using (id)
  order by id`;

export const drop = `
  update dead_letters set dropped_at = now(), event = null, error_data = null
  where id = any ($1::uuid[]) and ${waiting}`;
