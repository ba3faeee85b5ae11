-- Refusals: requests of a known key that were refused before they were sent upstream, for a day, so that "why was this 402?" has
-- an answer. Not the truth of anything: a gateway keeps only so many a second, and none while PostgreSQL is away. No prompt,
-- no text of a client: `model` is one of ours or null, `reason` one of our own sentences.

create table refusals (
  -- The x-request-id of the answer.
  request uuid primary key,
  org_id uuid not null,
  project_id uuid not null,
  key_id uuid not null,
  gateway_id text not null check (length(gateway_id) <= 100),
  environment text,
  -- Null: refused before a model of ours was found.
  model text check (length(model) <= 200),
  operation text not null check (length(operation) <= 64),
  streamed boolean,
  status integer not null,
  code text not null check (length(code) <= 64),
  parameter text check (length(parameter) <= 64),
  reason text not null check (length(reason) <= 500),
  retry_after_seconds integer,
  trace text check (length(trace) <= 64),
  duration_ms integer not null,
  at timestamptz not null
);
create index refusals_at on refusals (at);

alter table refusals enable row level security;
create policy refusals_tenant on refusals for select to sluice_tenant using (org_id = current_org());
create policy refusals_gateway on refusals for insert to sluice_gateway with check (true);
create policy refusals_system on refusals to sluice_system using (true) with check (true);
grant select on refusals to sluice_tenant;
grant insert on refusals to sluice_gateway;
grant select, delete on refusals to sluice_system;

-- Whose events are dead letters is asked by the request that they are of.
create index dead_letters_event on dead_letters (event_id) where event_id is not null;

-- The same as in 0004, and whose a request is that runs still, was refused, or whose event could not be handled. What anybody
-- can have made up is not believed: a letter counts where it is proved. Arguments: the month of its id's time, its id.
create or replace function org_of_request(request_month date, subject uuid) returns uuid
language sql stable security definer set search_path = public, pg_temp as $$
  select coalesce(
    (select org_id from ledger where month = request_month and request = subject limit 1),
    (select org_id from requests where id = subject),
    (select org_id from refusals where request = subject),
    (select org_id from dead_letters
     where event_id in (subject || '/started', subject || '/finished') and proved and org_id is not null limit 1))
$$;

-- The same as in 0004, with refusals of more than a day.
create or replace function forget_old() returns void language sql security definer set search_path = public, pg_temp as $$
  delete from changes where at < now() - interval '1 day';
  delete from inbox where handled_at < now() - interval '35 days';
  delete from dead_letters where coalesce(redriven_at, dropped_at) < now() - interval '35 days';
  delete from gateways where seen_at < now() - interval '1 day';
  delete from leases where state <> 'open' and granted = settled + returned and open = 0 and expires_at < now() - interval '35 days';
  delete from refusals where at < now() - interval '1 day';
$$;
