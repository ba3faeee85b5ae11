/**
Outbox: keeps a copy of every event that a running Sluice writes into its outbox, so that a test can write it again.

In: a data folder. Out: what was kept, and a second delivery of all of it, in an order of its own.
*/
import {asSuperuser} from './books.ts';

export const keepOutbox = (dataFolder: string) =>
  asSuperuser(dataFolder, async client => {
    await client.query(`
      create schema kept;
      create table kept.outbox as select * from public.outbox with no data;
      create function kept.keep() returns trigger language plpgsql security definer as $$
      begin
        insert into kept.outbox select new.*;
        return null;
      end $$;
      create trigger keep after insert on public.outbox for each row execute function kept.keep();`);
  });

/** How many of each type were kept. */
export const keptTypes = (dataFolder: string): Promise<Record<string, number>> =>
  asSuperuser(dataFolder, async client => {
    const {rows} = await client.query<{type: string; count: number}>(
      `select event ->> 'type' as type, count(*)::int from kept.outbox group by 1 order by 1`,
    );
    return Object.fromEntries(rows.map(({type, count}) => [type, count]));
  });

/** As often as asked, each time shuffled. Returns how many rows were written. */
export const sendAgain = (dataFolder: string, times: number): Promise<number> =>
  asSuperuser(dataFolder, async client => {
    let written = 0;
    await client.query('alter table public.outbox disable trigger keep');
    for (let time = 0; time < times; time += 1) {
      const {rowCount} = await client.query(`
        insert into public.outbox (destination, org_id, source, event_id, event, barrier)
        select destination, org_id, source, event_id, event, barrier from kept.outbox order by random()
        on conflict do nothing`);
      written += rowCount ?? 0;
    }
    await client.query('alter table public.outbox enable trigger keep');
    return written;
  });
