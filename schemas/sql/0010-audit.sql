-- Audit: who changed what, with what was before and after, written by triggers in the transaction of the change, so that no
-- handler can forget it. Who it is stands in the setting `sluice.actor` (JSON: kind, id, name, operation, request, address); work
-- that no person or key asked for (a probe, a debit) sets none and is not audited.

-- A UUIDv7 (RFC 9562, 5.7) of an instant: 48 bits of milliseconds, in its 12 bits after the version the microseconds, then chance.
create function uuid_at(moment timestamptz) returns uuid language sql volatile as $$
  select (left(ms, 8) || '-' || right(ms, 4) || '-7' || lpad(to_hex(micros % 1000), 3, '0') || substr(chance, 19))::uuid
  from (select lpad(to_hex(micros / 1000), 12, '0') as ms, micros, gen_random_uuid()::text as chance
        from (select (extract(epoch from moment) * 1000000)::bigint as micros) exact) parts
$$;

create table audit (
  -- A UUIDv7 of the instant, to the microsecond: the order of the ids is that of the entries.
  id uuid primary key default uuid_at(clock_timestamp()),
  -- Null: of no organisation, for the operator alone.
  org_id uuid,
  at timestamptz not null default clock_timestamp(),
  actor_kind text not null,
  actor_id text not null,
  actor_name text not null,
  operation text not null,
  -- The table's noun and the row's id: 'key', 'project', …
  subject_kind text not null,
  subject uuid not null,
  -- Null: the row was made, or is gone. Without secrets and their hashes; fields are named as in the HTTP API.
  before jsonb,
  after jsonb,
  request text,
  client_address text
);
create index audit_org on audit (org_id, id);
create index audit_subject on audit (subject, id);
create index audit_at on audit (at);

-- An amount in the smallest unit as the HTTP API writes it: USD with two to nine decimals, else digits.
create function amount_text(of_unit text, amount numeric) returns text language sql immutable as $$
  select case when of_unit <> 'usd' then amount::text
              when scale(trim_scale(amount / 1000000000)) < 2 then round(amount / 1000000000, 2)::text
              else trim_scale(amount / 1000000000)::text end
$$;

-- A row as the audit tells it. Arguments: the subject's kind, the row.
create function told_row(kind text, one jsonb) returns jsonb language sql stable set search_path = public, pg_temp as $$
  select jsonb_object_agg(
    case when key ~ '^(org|project|key|user|budget|window|model)_id$' then left(key, -3)
         else lower(left(words, 1)) || substr(words, 2) end,
    case when jsonb_typeof(value) <> 'number' then value
         when kind = 'budget' and key in ('limit', 'amount') then to_jsonb(amount_text(
           coalesce(one ->> 'unit', (select unit from budgets where id = (one ->> 'budget_id')::uuid)), (value #>> '{}')::numeric))
         when kind = 'model' and key ~ '^(cached_)?(in|out)put_per_million$' then
           to_jsonb(amount_text('usd', (value #>> '{}')::numeric))
         else value end)
  from (select key, value, replace(initcap(replace(key, '_', ' ')), ' ', '') as words from jsonb_each(one)) fields
$$;

-- The event of an entry, in its transaction. Arguments: the entry, the project that its row is of. What is too large for an event is
-- left out of it: the entry has it.
create function announce_audit(entry audit, project uuid) returns void
language sql volatile security definer set search_path = public, pg_temp as $$
  insert into outbox (destination, org_id, source, event_id, event)
  select 'broker:default', entry.org_id, '/functions/admin', 'audit/' || entry.id, jsonb_strip_nulls(jsonb_build_object(
      'specversion', '1.0', 'id', 'audit/' || entry.id, 'source', '/functions/admin',
      'type', 'dev.sluice.audit.recorded.v1', 'subject', entry.subject,
      'time', to_char(entry.at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'datacontenttype', 'application/json',
      'orgid', entry.org_id, 'projectid', project, 'partitionkey', entry.org_id))
    || jsonb_build_object('data', jsonb_strip_nulls(jsonb_build_object(
      'audit', entry.id, 'operation', entry.operation, 'request', entry.request,
      'actor', jsonb_build_object('kind', entry.actor_kind, 'id', entry.actor_id, 'name', entry.actor_name),
      'subjectKind', entry.subject_kind, 'subject', entry.subject, 'partial', case when large then true end))
      || case when large or entry.before is null then '{}' else jsonb_build_object('before', entry.before) end
      || case when large or entry.after is null then '{}' else jsonb_build_object('after', entry.after) end)
  from (select length(concat(entry.before, entry.after)) > 65536 as large) size
$$;

-- Writes an entry, and its event, in the name of `sluice.actor`. Arguments: organisation, project, the subject's kind and id, its row
-- before and after.
create function append_audit(of_org uuid, of_project uuid, kind text, of_subject uuid, was jsonb, becomes jsonb) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  actor jsonb := nullif(current_setting('sluice.actor', true), '')::jsonb;
  moment timestamptz := clock_timestamp();
  entry audit;
begin
  if actor is null or was = becomes then
    return;
  end if;
  insert into audit (id, at, org_id, actor_kind, actor_id, actor_name, operation, subject_kind, subject, before, after, request,
                     client_address)
  values (uuid_at(moment), moment, of_org, actor ->> 'kind', actor ->> 'id', actor ->> 'name', actor ->> 'operation', kind,
          of_subject, told_row(kind, was), told_row(kind, becomes), actor ->> 'request', actor ->> 'address')
  returning * into entry;
  perform announce_audit(entry, of_project);
end $$;

-- Trigger body. Arguments: the subject's kind, the column of its id, then columns that are not told.
create function record_audit() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
  was jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) - tg_argv[2:] end;
  becomes jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) - tg_argv[2:] end;
  one jsonb := coalesce(becomes, was);
begin
  perform append_audit(
    (one ->> case when tg_argv[0] = 'org' then 'id' else 'org_id' end)::uuid,
    (one ->> case when tg_argv[0] = 'project' then 'id' else 'project_id' end)::uuid,
    tg_argv[0], (one ->> tg_argv[1])::uuid, was, becomes);
  return null;
end $$;
revoke all on function record_audit(), append_audit(uuid, uuid, text, uuid, jsonb, jsonb), announce_audit(audit, uuid) from public;

create trigger orgs_audit after insert or update or delete on orgs
  for each row execute function record_audit('org', 'id');
create trigger projects_audit after insert or update or delete on projects
  for each row execute function record_audit('project', 'id');
create trigger keys_audit after insert or update or delete on keys
  for each row execute function record_audit('key', 'id', 'secret_hash', 'previous_secret_hash');
create trigger budgets_audit after insert or update or delete on budgets
  for each row execute function record_audit('budget', 'id');
create trigger top_ups_audit after insert on top_ups
  for each row execute function record_audit('budget', 'budget_id');
create trigger models_audit after insert or update or delete on models
  for each row execute function record_audit('model', 'id', 'health_at');
-- What a probe finds is not what anybody changed.
create trigger endpoints_audit after insert or update or delete on endpoints
  for each row execute function record_audit('model', 'model_id', 'usage', 'tokenize', 'health', 'health_at', 'health_reason');
create trigger prices_audit after insert on prices
  for each row execute function record_audit('model', 'model_id');
create trigger users_audit after insert or update or delete on users
  for each row execute function record_audit('user', 'id', 'last_login_at');
create trigger login_links_audit after insert on login_links
  for each row execute function record_audit('loginLink', 'user_id', 'token_hash');
create trigger members_audit after insert or update or delete on members
  for each row execute function record_audit('member', 'id');
create trigger group_roles_audit after insert or update or delete on group_roles
  for each row execute function record_audit('groupRole', 'id');
create trigger service_keys_audit after insert or update or delete on service_keys
  for each row execute function record_audit('serviceKey', 'id', 'secret_hash', 'last_used_at');

-- Of a dead letter only what became of it: its event is nobody's to keep, and may have what jsonb has not (a NUL).
create function record_letter_audit() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
  about jsonb := jsonb_build_object('id', new.id, 'subscription', new.subscription, 'type', new.type, 'event_id', new.event_id);
begin
  perform append_audit(new.org_id, null, 'deadLetter', new.id,
                       about || jsonb_build_object('redriven_at', old.redriven_at, 'dropped_at', old.dropped_at),
                       about || jsonb_build_object('redriven_at', new.redriven_at, 'dropped_at', new.dropped_at));
  return null;
end $$;
revoke all on function record_letter_audit() from public;
create trigger dead_letters_audit after update on dead_letters
  for each row when ((old.redriven_at, old.dropped_at) is distinct from (new.redriven_at, new.dropped_at))
  execute function record_letter_audit();

alter table audit enable row level security;
create policy audit_tenant on audit for select to sluice_tenant using (org_id = current_org());
create policy audit_system on audit to sluice_system using (true) with check (true);
grant select on audit to sluice_tenant;
grant select on audit to sluice_system;

-- Entries, newest first, as far as the caller sees them. Arguments: an id, who (id or name), an operation, a kind and an id of the
-- subject, from and to, the id to go on after; each or null for all; the most rows.
create function list_audit(only_id uuid, of_actor text, of_operation text, of_kind text, of_subject uuid, since timestamptz,
                           until timestamptz, after uuid, rows_max integer) returns setof audit
language sql stable set search_path = public, pg_temp as $$
  select * from audit
  where (only_id is null or id = only_id) and (of_actor is null or of_actor in (actor_id, actor_name))
    and (of_operation is null or operation = of_operation) and (of_kind is null or subject_kind = of_kind)
    and (of_subject is null or subject = of_subject) and (since is null or at >= since) and (until is null or at < until)
    and (list_audit.after is null or id < list_audit.after)
  order by id desc limit least(rows_max, 1001)
$$;

-- The same of all organisations and of none, for who runs the platform.
create function list_all_audit(only_id uuid, of_actor text, of_operation text, of_kind text, of_subject uuid, since timestamptz,
                               until timestamptz, after uuid, rows_max integer) returns setof audit
language plpgsql stable security definer set search_path = public, pg_temp as $$
begin
  perform require_operator();
  return query select * from list_audit(only_id, of_actor, of_operation, of_kind, of_subject, since, until, after, rows_max);
end $$;

-- What is older than so many days goes, some of it at a time. Nobody can have it gone within a month.
create function forget_audit(days integer) returns integer language plpgsql security definer set search_path = public, pg_temp as $$
declare
  forgotten integer;
begin
  if days is null or days < 30 then
    raise exception 'the audit is kept for 30 days at least' using errcode = 'invalid_parameter_value';
  end if;
  delete from audit where id in (
    select id from audit where at < now() - make_interval(days => days) order by at limit 10000 for update skip locked);
  get diagnostics forgotten = row_count;
  return forgotten;
end $$;
revoke all on function list_all_audit(uuid, text, text, text, uuid, timestamptz, timestamptz, uuid, integer), forget_audit(integer)
  from public;
grant execute on function list_all_audit(uuid, text, text, text, uuid, timestamptz, timestamptz, uuid, integer),
  forget_audit(integer) to sluice_tenant, sluice_system;
