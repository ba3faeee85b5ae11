/**
Outbox: events that wait to be sent, written in the transaction that made them true; and the log port, through which the
money path's events are made durable.

A row's id is (source, id) of its event: writing it again does nothing, so a batch that is handled twice emits once.
*/
import {readJson, toJson} from './codec.ts';
import type {Queryable} from './database.ts';
import type {Event, WrittenEvent} from './event.ts';

/** `log:` carries truth and is read by sources; `broker:` carries hints and is read by Triggers, tenants' events by theirs. */
export type Destination = 'log:sluice.usage' | 'broker:default' | 'broker:tenants';
export type OutboxRow<Kind = Event> = Readonly<{
  destination: Destination;
  event: Kind;
  barrier?: boolean;
}>;

/** Resolves when every event is durable; rejects when that is not known. */
export type EventLog = Readonly<{
  append(events: readonly (Event | WrittenEvent)[]): Promise<void>;
}>;

export const insertIntoOutbox = async (
  client: Queryable,
  rows: readonly OutboxRow<Event | WrittenEvent>[],
) => {
  if (rows.length === 0) {
    return;
  }
  await client.query({
    name: 'outbox-insert',
    text: `insert into outbox (destination, org_id, source, event_id, event, barrier)
           select * from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], string_to_array($5, chr(31))::json[], $6::boolean[])
           on conflict do nothing`,
    values: [
      rows.map(row => row.destination),
      rows.map(row => row.event.orgid ?? null),
      rows.map(row => row.event.source),
      rows.map(row => row.event.id),
      // Not an array: escaping every quote of every event costs more than the rest of the statement. JSON has no bare \x1f.
      rows.map(row => toJson(row.event)).join('\x1f'),
      rows.map(row => row.barrier ?? false),
    ],
  });
};

/** The log of embedded mode, and of any mode while the broker is away: rows that the relay takes on. */
export const createOutboxLog = ({client}: {client: Queryable}): EventLog => ({
  async append(events) {
    await insertIntoOutbox(
      client,
      events.map(event => ({destination: 'log:sluice.usage', event})),
    );
  },
});

/** For unit tests: keeps what it was given; `fail` makes the next appends reject. */
export const createMemoryLog = () => {
  const events: Event[] = [];
  const state = {fail: false};
  const log: EventLog = {
    async append(more) {
      if (state.fail) {
        throw new Error('the log is away');
      }
      events.push(
        ...more.map(event => (event.specversion === undefined ? readJson(event.json) : event)),
      );
    },
  };
  return {...log, events, state};
};
