-- Events at rest: what waits to be sent (outbox), what was handled (inbox), what could not be (dead_letters).

create table outbox (
  id bigint generated always as identity primary key,
  -- 'log:<topic>', 'broker:<name>' or 'stream:<name>', as the broker port names its topics
  destination text not null check (destination ~ '^(log|broker|stream):[A-Za-z0-9._/:-]{1,250}$'),
  org_id uuid,
  source text not null,
  event_id text not null,
  event json not null,
  -- A marker: leaves only when no older row of its organisation is left, so that who reads it has read what came before.
  barrier boolean not null default false,
  created_at timestamptz not null default now(),
  unique (source, event_id)
);
create index outbox_org on outbox (org_id, id);
create index outbox_kind on outbox (split_part(destination, ':', 1), id);

-- Wakes the relay at the commit; a lost notification costs one poll. Once a statement, however many rows it has.
create function notify_outbox() returns trigger language plpgsql as $$
begin
  perform pg_notify('sluice_outbox', '');
  return null;
end $$;
create trigger outbox_notify after insert on outbox for each statement execute function notify_outbox();
revoke all on function notify_outbox() from public;

create table inbox (
  consumer text not null,
  source text not null,
  event_id text not null,
  reply json,
  -- When it was handled, or claimed.
  handled_at timestamptz not null default now(),
  -- Null: handled. Until then somebody has it in hand whose effects are elsewhere; afterwards anybody may take it over.
  claimed_until timestamptz,
  -- Which claim this is. Only the claim of this number may finish it.
  attempt integer not null default 1,
  primary key (consumer, source, event_id)
);

create table dead_letters (
  id uuid primary key,
  org_id uuid,
  -- The Trigger or source consumer whose delivery failed, and where it was going.
  subscription text not null,
  destination text not null,
  -- Where it is published again, as `outbox` names it; null when nobody knows.
  origin text check (origin ~ '^(log|broker|stream):[A-Za-z0-9._/:-]{1,250}$'),
  -- Stored by who gave it up. What came over HTTP anybody in a cluster can have made up.
  proved boolean not null default false,
  source text,
  event_id text,
  type text,
  event json,
  -- Null when the broker did not tell.
  attempts integer,
  reason text not null,
  status integer,
  -- The beginning of what the receiver said.
  error_data text check (length(error_data) <= 1000),
  dead_at timestamptz not null default now(),
  redriven_at timestamptz,
  dropped_at timestamptz,
  check (redriven_at is null or dropped_at is null)
);
create index dead_letters_at on dead_letters (dead_at, id);
create index dead_letters_waiting on dead_letters (dead_at, id) where redriven_at is null and dropped_at is null;

alter table outbox enable row level security;
alter table dead_letters enable row level security;
-- A tenant's work makes hints; what carries truth comes from gateways and the debit.
create policy outbox_tenant on outbox for insert to sluice_tenant
  with check (org_id = current_org() and destination like 'broker:%');
create policy outbox_gateway on outbox for insert to sluice_gateway with check (true);
create policy outbox_system on outbox to sluice_system using (true) with check (true);
create policy dead_letters_tenant on dead_letters for select to sluice_tenant using (org_id = current_org());
create policy dead_letters_system on dead_letters to sluice_system using (true) with check (true);

grant insert on outbox to sluice_tenant, sluice_gateway;
grant select, insert, delete on outbox to sluice_system;
grant update (id) on outbox to sluice_system;  -- what FOR UPDATE asks for; an identity cannot be changed by it
grant select, insert, update, delete on inbox to sluice_system;
grant select on dead_letters to sluice_tenant;
grant select, insert, update, delete on dead_letters to sluice_system;

-- How much waits in the outbox for logs, brokers or streams: rows (by the span of ids, so that asking costs nothing) and the
-- age of the oldest in ms. A producer that adds to it asks first whether it may grow; what cannot be sent to another kind
-- of place is no reason to refuse. Argument: log, broker or stream.
create function outbox_backlog(kind text, out waiting bigint, out age_ms bigint)
language sql stable security definer set search_path = public, pg_temp as $$
  select coalesce(max(id) - min(id) + 1, 0),
         coalesce((select floor(extract(epoch from now() - created_at) * 1000)::bigint from outbox
                   where split_part(destination, ':', 1) = kind order by id limit 1), 0)
  from outbox where split_part(destination, ':', 1) = kind
$$;
revoke all on function outbox_backlog(text) from public;
grant execute on function outbox_backlog(text) to sluice_gateway, sluice_system;
