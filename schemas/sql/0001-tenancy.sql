-- Tenancy: who there is (organisations, projects, keys), who may see it (four roles, row-level security),
-- and how a change of it reaches every cache (revision, changes).
--
-- Roles
--   sluice_owner    owns every object and runs migrations; never used to serve
--   sluice_tenant   every query made for a tenant; sees the rows of the organisation in `sluice.org`, none when unset
--   sluice_gateway  reads what admission needs, executes the lease functions, inserts into the outbox; updates no table
--   sluice_system   batches and the reconciler; may step down to sluice_tenant for a tenant's query
-- They are cluster-wide, so another database of the same cluster may have made them already.

do $$
declare role_name text;
begin
  foreach role_name in array array['sluice_tenant', 'sluice_gateway', 'sluice_system'] loop
    begin
      if not exists (select from pg_roles where rolname = role_name) then
        execute format('create role %I login noinherit', role_name);
      end if;
    exception when duplicate_object or unique_violation then null;  -- made by a migration that runs beside this one
    end;
  end loop;
end $$;

grant sluice_tenant to sluice_system;  -- noinherit: takes effect only by SET LOCAL ROLE
grant usage on schema public to sluice_tenant, sluice_gateway, sluice_system;

-- The organisation that the current transaction works for; null when none was set, and null equals no row.
create function current_org() returns uuid language sql stable parallel safe as $$
  select nullif(current_setting('sluice.org', true), '')::uuid
$$;

create table orgs (
  id uuid primary key,
  name text not null check (length(name) between 1 and 200),
  suspended_at timestamptz,
  -- In the words of who suspended it.
  suspended_reason text check (length(suspended_reason) between 1 and 500),
  -- Deleted: nobody's any more, its keys refused, its rows kept until `purge_after`. Purged: without names and people, for ever.
  deleted_at timestamptz,
  purge_after timestamptz,
  purged_at timestamptz,
  check ((deleted_at is null) = (purge_after is null)),
  check (purged_at is null or deleted_at is not null),
  -- Null: without a limit. Tokens are those of prompt and answer.
  requests_per_minute integer check (requests_per_minute > 0),
  tokens_per_minute integer check (tokens_per_minute > 0),
  parallel_requests integer check (parallel_requests > 0),
  created_at timestamptz not null default now()
);
-- What is purged has no name any more: all of them are called `deleted`.
create unique index orgs_name on orgs (name) where purged_at is null;
create index orgs_purge on orgs (purge_after) where purge_after is not null and purged_at is null;

create table projects (
  id uuid primary key,
  org_id uuid not null references orgs (id),
  name text not null check (length(name) between 1 and 200),
  -- What a request costs whose result never came: prompt = bytes ÷ 4 as input, hold = all of it, waive = nothing.
  unsettled_policy text not null default 'prompt' check (unsettled_policy in ('prompt', 'hold', 'waive')),
  requests_per_minute integer check (requests_per_minute > 0),
  tokens_per_minute integer check (tokens_per_minute > 0),
  parallel_requests integer check (parallel_requests > 0),
  -- The most that a client may ask for as max_tokens; of project, key and model the smallest counts. Null: no other bound.
  max_output_tokens integer check (max_output_tokens > 0),
  -- Deleted: its keys are revoked, its name is free again, its row stays for the ledger.
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  unique (id, org_id)
);
create unique index projects_name on projects (org_id, name) where deleted_at is null;

create table keys (
  id uuid primary key,
  org_id uuid not null references orgs (id),
  project_id uuid not null,
  public_id text not null unique,
  secret_hash bytea not null check (length(secret_hash) = 32),
  name text not null check (length(name) between 1 and 200),
  models text[],
  environments text[],
  -- What a key may be used for; null: all of it.
  scopes text[] check (scopes <@ array['inference', 'models', 'events'] and cardinality(scopes) > 0),
  expires_at timestamptz,
  revoked_at timestamptz,
  -- The secret before the last rotation, good until then.
  previous_public_id text unique,
  previous_secret_hash bytea check (length(previous_secret_hash) = 32),
  previous_expires_at timestamptz,
  check (num_nulls(previous_public_id, previous_secret_hash, previous_expires_at) in (0, 3)),
  rotated_at timestamptz,
  requests_per_minute integer check (requests_per_minute > 0),
  tokens_per_minute integer check (tokens_per_minute > 0),
  parallel_requests integer check (parallel_requests > 0),
  max_output_tokens integer check (max_output_tokens > 0),
  created_at timestamptz not null default now(),
  unique (id, org_id),
  -- With the organisation: a foreign key is checked past every policy, so it would take another tenant's project.
  foreign key (project_id, org_id) references projects (id, org_id)
);
create index keys_project on keys (project_id);

-- One row, incremented by every change in its own transaction: its lock makes changes commit in the order of their numbers.
create table revision (
  only_row boolean primary key default true check (only_row),
  value bigint not null
);
insert into revision (value) values (0);

create table changes (
  revision bigint primary key,
  kind text not null,
  subject uuid not null,
  org_id uuid,
  at timestamptz not null default now()
);

-- Trigger body: append the changed row to `changes`. Argument: the kind. Being a trigger, no writer can forget it.
create function record_change() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
  changed jsonb := to_jsonb(coalesce(new, old));
  next_revision bigint;
begin
  update revision set value = value + 1 returning value into next_revision;
  insert into changes (revision, kind, subject, org_id)
  values (next_revision, tg_argv[0], (changed ->> tg_argv[1])::uuid,
          coalesce(changed ->> 'org_id', case when tg_argv[0] = 'org' then changed ->> 'id' end)::uuid);
  perform pg_notify('sluice_changes', next_revision::text);
  return null;
end $$;

create trigger orgs_change after insert or delete on orgs
  for each row execute function record_change('org', 'id');
create trigger orgs_update after update on orgs
  for each row when (old.* is distinct from new.*) execute function record_change('org', 'id');
create trigger projects_change after insert or delete on projects
  for each row execute function record_change('project', 'id');
create trigger projects_update after update on projects
  for each row when (old.* is distinct from new.*) execute function record_change('project', 'id');
create trigger keys_change after insert or delete on keys
  for each row execute function record_change('key', 'id');
create trigger keys_update after update on keys
  for each row when (old.* is distinct from new.*) execute function record_change('key', 'id');

alter table orgs enable row level security;
alter table projects enable row level security;
alter table keys enable row level security;
alter table changes enable row level security;

create policy orgs_tenant on orgs to sluice_tenant using (id = current_org()) with check (id = current_org());
create policy orgs_gateway on orgs for select to sluice_gateway using (true);
create policy orgs_system on orgs to sluice_system using (true) with check (true);
create policy projects_tenant on projects to sluice_tenant using (org_id = current_org()) with check (org_id = current_org());
create policy projects_gateway on projects for select to sluice_gateway using (true);
create policy projects_system on projects to sluice_system using (true) with check (true);
create policy keys_tenant on keys to sluice_tenant using (org_id = current_org()) with check (org_id = current_org());
create policy keys_gateway on keys for select to sluice_gateway using (true);
create policy keys_system on keys to sluice_system using (true) with check (true);
create policy changes_gateway on changes for select to sluice_gateway using (true);
create policy changes_system on changes to sluice_system using (true);

grant select, insert, update on orgs, projects, keys to sluice_tenant;
grant select on orgs, projects, keys to sluice_gateway;
grant select, insert, update on orgs, projects, keys to sluice_system;
grant select on revision, changes to sluice_gateway, sluice_system;
grant delete on changes to sluice_system;  -- the broom; who misses a number starts afresh

-- Which organisation an operator's path names. Arguments: kind ('org', 'project', 'key'), id. Null when there is none.
create function org_of(kind text, subject uuid) returns uuid
language sql stable security definer set search_path = public, pg_temp as $$
  select case kind
    when 'org' then (select id from orgs where id = subject)
    when 'project' then (select org_id from projects where id = subject)
    when 'key' then (select org_id from keys where id = subject)
  end
$$;
revoke all on function org_of(text, uuid) from public;
grant execute on function org_of(text, uuid) to sluice_tenant, sluice_system;
revoke all on function record_change() from public;

-- A list of organisations, in the order of their ids. Arguments: an exact name or null for all, the id to start after or null, the
-- most rows, and of whom: null for the operator, who also sees deleted ones, else the organisations of who asks.
-- No policy lets a tenant's query see more than one organisation, so this is a function.
create function list_orgs(only_name text, after uuid, rows_max integer, among uuid[]) returns setof orgs
language sql stable security definer set search_path = public, pg_temp as $$
  select * from orgs
  where (only_name is null or name = only_name) and (after is null or id > after)
    and (among is null or (id = any(among) and deleted_at is null))
  order by id limit least(rows_max, 1001)
$$;
revoke all on function list_orgs(text, uuid, integer, uuid[]) from public;
grant execute on function list_orgs(text, uuid, integer, uuid[]) to sluice_tenant;
