-- Usage: what analytics wants of each request, and its sums an hour and a day. Written by the usage function only.

create table usage_records (
  month date not null,
  request uuid not null,
  org_id uuid not null,
  project_id uuid not null,
  key_id uuid not null,
  model text not null,
  model_id uuid not null,
  environment text not null,
  endpoint text not null,
  operation text not null,
  streamed boolean not null,
  at timestamptz not null,
  finished_at timestamptz not null,
  outcome text not null,
  status integer,
  input_tokens bigint not null,
  cached_input_tokens bigint not null default 0,
  output_tokens bigint not null,
  cost_nanos bigint not null,
  estimated boolean not null default false,
  latency_ms integer,
  time_to_first_token_ms integer,
  -- endpoints that it was sent to, one after the other; null: one or none
  tries integer,
  label text,
  traceparent text,
  primary key (month, request)
) partition by range (month);
-- An export reads an organisation's records page by page in this order.
create index usage_records_org on usage_records (org_id, at, request);

create table usage_hourly (
  hour timestamptz not null,
  org_id uuid not null,
  project_id uuid not null,
  key_id uuid not null,
  model text not null,
  environment text not null,
  endpoint text not null,
  requests bigint not null,
  failed bigint not null,
  estimated bigint not null,
  input_tokens bigint not null,
  cached_input_tokens bigint not null,
  output_tokens bigint not null,
  cost_nanos bigint not null,
  latency_ms bigint not null,
  primary key (org_id, hour, project_id, key_id, model, environment, endpoint)
) partition by range (hour);

create table usage_daily (
  day date not null,
  org_id uuid not null,
  project_id uuid not null,
  key_id uuid not null,
  model text not null,
  environment text not null,
  endpoint text not null,
  requests bigint not null,
  failed bigint not null,
  estimated bigint not null,
  input_tokens bigint not null,
  cached_input_tokens bigint not null,
  output_tokens bigint not null,
  cost_nanos bigint not null,
  latency_ms bigint not null,
  primary key (org_id, day, project_id, key_id, model, environment, endpoint)
);

do $$
declare table_name text;
begin
  foreach table_name in array array['usage_records', 'usage_hourly', 'usage_daily'] loop
    execute format('alter table %I enable row level security', table_name);
    execute format('create policy %I on %I for select to sluice_tenant using (org_id = current_org())',
                   table_name || '_tenant', table_name);
    execute format('create policy %I on %I to sluice_system using (true) with check (true)', table_name || '_system', table_name);
  end loop;
end $$;
grant select on usage_records, usage_hourly, usage_daily to sluice_tenant;
grant select, insert, update on usage_records, usage_hourly, usage_daily to sluice_system;

-- Drops the records and the hours of months that ended so many months ago, a partition at a time. Days are kept (they are few,
-- and invoices are made of them), and so is the ledger: it is money. Who reads or writes a table for longer than a drop may
-- wait keeps that partition until the next call. Result: how many were dropped.
create function retain_usage(months integer) returns integer
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '2s' as $$
declare
  old record;
  dropped integer := 0;
begin
  if months is null or months < 1 then
    raise exception 'usage is kept for at least a month, not for %', months using errcode = 'invalid_parameter_value';
  end if;
  for old in
    select c.relname as name from pg_inherits i
    join pg_class c on c.oid = i.inhrelid
    where i.inhparent in ('usage_records'::regclass, 'usage_hourly'::regclass)
      and to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month'
        <= (now() at time zone 'UTC') - make_interval(months => retain_usage.months)
    order by c.relname
  loop
    begin
      execute format('drop table %I', old.name);
      dropped := dropped + 1;
    exception when lock_not_available or undefined_table then null;  -- in use, or dropped beside us
    end;
  end loop;
  return dropped;
end $$;
revoke all on function retain_usage(integer) from public;
grant execute on function retain_usage(integer) to sluice_system;
