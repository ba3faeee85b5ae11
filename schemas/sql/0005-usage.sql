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
  label text,
  traceparent text,
  primary key (month, request)
) partition by range (month);
create index usage_records_org on usage_records (org_id, at);

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
);

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
