/**
Lag: from a result's way into Kafka until everybody can read what it left in PostgreSQL, with source and function awake.

In: a topic, a database, a rate. Out: milliseconds, one for each result. The table is asked every few milliseconds for what is
still missing; what it answers had been committed by then.
*/
import {setTimeout as wait} from 'node:timers/promises';
import type pg from 'pg';
import type {Event} from '../../../events/event.ts';
import type {FunctionName} from './worker.ts';

export type LagOptions = Readonly<{
  of: FunctionName;
  send: (events: readonly Event[]) => Promise<unknown>;
  client: Pick<pg.ClientBase, 'query'>;
  events: Iterator<Event>;
  /** Events a second. */
  rate: number;
  seconds: number;
  /** Sent before, and not counted. */
  warmSeconds?: number;
  /** After the last was sent; what is not there by then is an error. */
  patienceMs?: number;
}>;

const tickMs = 20;
const lookMs = 10;
const visible = {
  budget: 'select request from ledger where month = any($1::date[]) and request = any($2::uuid[])',
  usage:
    'select request from usage_records where month = any($1::date[]) and request = any($2::uuid[])',
} as const;

const requestOf = ({type, data}: Event) =>
  type === 'dev.sluice.inference.finished.v1' ? (data as {request: string}).request : undefined;

const monthOf = (ms: number) => `${new Date(ms).toISOString().slice(0, 7)}-01`;

export const measureLag = async ({
  of,
  send,
  client,
  events,
  rate,
  seconds,
  warmSeconds = 2,
  patienceMs = 60_000,
}: LagOptions): Promise<number[]> => {
  const began = performance.now();
  // A run over the end of a month has requests of two.
  const months = [monthOf(Date.now()), monthOf(Date.now() + 600_000)];
  const waiting = new Map<string, number>();
  const lags: number[] = [];
  const untilMs = (warmSeconds + seconds) * 1_000;
  let sent = 0;
  let sending = true;

  const take = (count: number): Event[] =>
    Array.from({length: count}, () => events.next())
      .filter(({done}) => !done)
      .map(({value}) => value as Event);

  const sendAll = async () => {
    for (let passed = 0; passed < untilMs; passed = performance.now() - began) {
      const some = take(Math.floor((passed * rate) / 1_000) - sent);
      sent += some.length;
      if (some.length > 0) {
        const at = performance.now();
        for (const request of some.flatMap(event => requestOf(event) ?? [])) {
          waiting.set(request, at);
        }
        await send(some);
      }
      await wait(tickMs);
    }
    sending = false;
  };

  const look = async () => {
    let giveUpAt = Number.POSITIVE_INFINITY;
    while (sending || waiting.size > 0) {
      const {rows} = await client.query<{request: string}>(visible[of], [
        months,
        [...waiting.keys()],
      ]);
      const now = performance.now();
      for (const {request} of rows) {
        const at = waiting.get(request) as number;
        waiting.delete(request);
        if (at - began > warmSeconds * 1_000) {
          lags.push(now - at);
        }
      }
      giveUpAt = sending ? giveUpAt : Math.min(giveUpAt, now + patienceMs);
      if (now > giveUpAt) {
        throw new Error(`${waiting.size} results are not to be seen after ${patienceMs} ms`);
      }
      await wait(lookMs);
    }
  };

  await Promise.all([sendAll(), look()]);
  return lags;
};
