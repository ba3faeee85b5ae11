-- Life: when a key was last used, what cuts running requests off, and the end of an organisation.

-- Written by the usage function with its records, so that no gateway writes for it.
create table key_uses (
  org_id uuid not null,
  -- Of another router that names none it is the same in every organisation.
  key_id uuid not null,
  last_used_at timestamptz not null,
  primary key (org_id, key_id)
);
alter table key_uses enable row level security;
create policy key_uses_tenant on key_uses for select to sluice_tenant using (org_id = current_org());
create policy key_uses_system on key_uses to sluice_system using (true) with check (true);
grant select on key_uses to sluice_tenant;
grant select, insert, update on key_uses to sluice_system;

-- Tells every gateway to end the requests that run for a key or for all of an organisation. Argument: the current organisation, or a
-- key of it. It stops what runs; that nothing begins is the matter of the row that was suspended or revoked before, in the same
-- transaction.
create function cut_running(subject uuid) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  next_revision bigint;
begin
  if subject is distinct from current_org()
     and not exists (select from keys where id = subject and org_id = current_org()) then
    raise exception 'only an organisation''s own requests are cut off' using errcode = 'insufficient_privilege';
  end if;
  update revision set value = value + 1 returning value into next_revision;
  insert into changes (revision, kind, subject, org_id) values (next_revision, 'cut', subject, current_org());
  perform pg_notify('sluice_changes', next_revision::text);
end $$;
revoke all on function cut_running(uuid) from public;
grant execute on function cut_running(uuid) to sluice_tenant;

-- Trigger body: nothing is made in what is deleted, whoever asks. Its lock waits for who is deleting, and makes them wait.
create function refuse_deleted() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
  made jsonb := to_jsonb(new);
  is_deleted boolean;
begin
  select deleted_at is not null into is_deleted from orgs where id = new.org_id for share;
  if is_deleted then
    raise exception 'the organisation is deleted' using errcode = 'SL409';
  end if;
  if tg_table_name <> 'projects' and made ->> 'project_id' is not null then
    select deleted_at is not null into is_deleted from projects where id = (made ->> 'project_id')::uuid for share;
    if is_deleted then
      raise exception 'the project is deleted' using errcode = 'SL409';
    end if;
  end if;
  return new;
end $$;
revoke all on function refuse_deleted() from public;
do $$
declare table_name text;
begin
  foreach table_name in array array['projects', 'keys', 'budgets', 'members', 'group_roles', 'service_keys'] loop
    execute format('create trigger %I before insert on %I for each row execute function refuse_deleted()',
                   table_name || '_refuse_deleted', table_name);
  end loop;
end $$;

-- One step of the purge of an organisation that was deleted and whose time is over: at most so many rows. People and their roles,
-- machines' keys, dead letters, kept answers, the audit and every name and secret go; ledger, records, budgets and windows stay, as
-- numbers and ids. A user who is in no other organisation goes too, unless they run the platform, or are disabled: made anew by their
-- next login they would be disabled no more.
-- Result: the organisation and whether it is done; no row when none is due. Whoever calls it can end nothing before its time.
create function purge_step(rows_max integer) returns table (org uuid, done boolean)
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  erased constant bytea := decode(repeat('00', 32), 'hex');  -- the digest of no secret
  due uuid;
  people uuid[];
  affected integer;
  total integer;
  table_name text;
  entry audit;
begin
  -- Not while a request of it runs: its record is still to come.
  select o.id into due from orgs o
  where o.purge_after <= now() and o.purged_at is null and not exists (select from requests r where r.org_id = o.id)
  order by o.purge_after, o.id limit 1 for update skip locked;
  if not found then
    return;
  end if;
  with gone as (
    delete from members where id in (select m.id from members m where m.org_id = due order by m.id limit rows_max) returning user_id)
  select count(*), coalesce(array_agg(distinct user_id), '{}') into total, people from gone;
  -- Locked first: who becomes a member elsewhere meanwhile is seen by the statement after it.
  perform from users where id = any(people) order by id for update;
  delete from users u where u.id = any(people) and not u.operator and u.disabled_at is null
    and not exists (select from members m where m.user_id = u.id and m.org_id <> due);
  foreach table_name in array
    array['group_roles', 'service_keys', 'dead_letters', 'idempotency_claims', 'refusals', 'key_uses', 'audit'] loop
    execute format('delete from %I where ctid = any(array(select ctid from %I where org_id = $1 limit $2))', table_name, table_name)
      using due, rows_max - total;
    get diagnostics affected = row_count;
    total := total + affected;
  end loop;
  update usage_records u set label = null
  from (select r.month, r.request from usage_records r where r.org_id = due and r.label is not null limit rows_max - total) one
  where u.month = one.month and u.request = one.request;
  get diagnostics affected = row_count;
  total := total + affected;
  update top_ups set made_by = null where (org_id, id) in (
    select t.org_id, t.id from top_ups t where t.org_id = due and t.made_by is not null limit rows_max - total);
  get diagnostics affected = row_count;
  total := total + affected;
  update keys set name = 'deleted', secret_hash = erased, revoked_at = coalesce(revoked_at, now()),
    previous_public_id = null, previous_secret_hash = null, previous_expires_at = null
  where id in (select k.id from keys k where k.org_id = due and (k.secret_hash <> erased or k.name <> 'deleted') limit rows_max - total);
  get diagnostics affected = row_count;
  total := total + affected;
  update projects set name = 'deleted', deleted_at = coalesce(deleted_at, now())
  where id in (select p.id from projects p where p.org_id = due and (p.deleted_at is null or p.name <> 'deleted') limit rows_max - total);
  get diagnostics affected = row_count;
  total := total + affected;
  if total < rows_max then
    update orgs set name = 'deleted', suspended_reason = null, purged_at = now() where id = due;
    insert into audit (org_id, actor_kind, actor_id, actor_name, operation, subject_kind, subject, after)
    values (due, 'system', 'purge', 'purge', 'purgeOrgs', 'org', due, jsonb_build_object('id', due, 'purgedAt', now()))
    returning * into entry;
    perform announce_audit(entry, null);
  end if;
  return query select due, total < rows_max;
end $$;
revoke all on function purge_step(integer) from public;
grant execute on function purge_step(integer) to sluice_tenant;
