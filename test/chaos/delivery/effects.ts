/**
Effects: what the sink does with an event, in PostgreSQL, and what can be read of it afterwards.

In: events. Out: a line for each effect and a sum for each organisation, with nothing of their own that would hold a second one
back: only the inbox does. Deliveries are counted outside of any transaction, so that those count too that came to nothing.
*/
import {type Queryable, type Transaction, transactionOn} from '../../../events/database.ts';
import type {Event} from '../../../events/event.ts';
import {onceInTransaction} from '../../../events/once.ts';

const consumer = 'chaos';

type TransactionPool = Parameters<typeof transactionOn>[0];

/** As `sluice_owner`. */
export const createTables = async (client: Queryable) => {
  await client.query(`
    create unlogged table chaos_deliveries (event_id text not null);
    create index on chaos_deliveries (event_id);
    create table chaos_effects (event_id text not null, org_id uuid not null);
    create table chaos_totals (org_id uuid primary key, events bigint not null);
    grant select, insert, update on chaos_deliveries, chaos_effects, chaos_totals to sluice_system`);
};

export const countDeliveries = async (client: Queryable, events: readonly Event[]) => {
  await client.query('insert into chaos_deliveries select unnest($1::text[])', [
    events.map(({id}) => id),
  ]);
};

export const isFirstDelivery = async (client: Queryable, {id}: Event): Promise<boolean> => {
  const {rows} = await client.query<{times: bigint}>(
    'select count(*) as times from chaos_deliveries where event_id = $1',
    [id],
  );
  return Number(rows[0]?.times) === 1;
};

const takeEffect = async (client: Queryable, events: readonly Event[]) => {
  await client.query(
    `with effects as (
       insert into chaos_effects select * from unnest($1::text[], $2::uuid[]) returning org_id)
     insert into chaos_totals as t
     select org_id, count(*) from effects group by org_id order by org_id
     on conflict (org_id) do update set events = t.events + excluded.events`,
    [events.map(({id}) => id), events.map(({orgid}) => orgid)],
  );
};

/** In order of their ids: two batches with the same events would wait for each other. */
const unseen = async (client: Queryable, events: readonly Event[]): Promise<Event[]> => {
  const byId = new Map(events.map(event => [event.id, event]));
  const ids = [...byId.keys()].sort();
  const {rows} = await client.query<{event_id: string}>(
    `insert into inbox (consumer, source, event_id)
     select $1, source, event_id from unnest($2::text[], $3::text[]) as e (source, event_id)
     on conflict do nothing returning event_id`,
    [consumer, ids.map(id => byId.get(id)?.source), ids],
  );
  return rows.flatMap(row => byId.get(row.event_id) ?? []);
};

export type Effects = Readonly<{
  one(event: Event): Promise<void>;
  many(events: readonly Event[]): Promise<void>;
}>;

/** `once: false` is a sink that does not look whether it has seen an event: what a run must find out. */
export const effectsIn = (pool: TransactionPool, {once}: {once: boolean}): Effects => {
  const transaction: Transaction = transactionOn(pool);
  const handleOnce = onceInTransaction({transaction, consumer})(async (event, client) => {
    await takeEffect(client, [event]);
    return undefined;
  });
  const many = (events: readonly Event[]) =>
    transaction(async client => {
      const wanted = once ? await unseen(client, events) : events;
      if (wanted.length > 0) {
        await takeEffect(client, wanted);
      }
    });
  return {
    many,
    async one(event) {
      await (once ? handleOnce(event) : many([event]));
    },
  };
};

export type Books = Readonly<{
  deliveries: number;
  /** Events that were delivered at least once. */
  delivered: number;
  effects: number;
  /** Events that had an effect at all. */
  effective: number;
  /** What the organisations' sums say. */
  counted: number;
  deadLetters: number;
}>;

export const readBooks = async (client: Queryable): Promise<Books> => {
  const {rows} = await client.query<Record<keyof Books, bigint>>(`
    select (select count(*) from chaos_deliveries) as deliveries,
      (select count(distinct event_id) from chaos_deliveries) as delivered,
      (select count(*) from chaos_effects) as effects,
      (select count(distinct event_id) from chaos_effects) as effective,
      (select coalesce(sum(events), 0)::bigint from chaos_totals) as counted,
      (select count(*) from dead_letters) as "deadLetters"`);
  return Object.fromEntries(
    Object.entries(rows[0] ?? {}).map(([name, count]) => [name, Number(count)]),
  ) as Books;
};
