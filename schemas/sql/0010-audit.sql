-- Audit: who changed what, with what was before and after, written by triggers in the transaction of the change, so that no
-- handler can forget it. Who it is stands in the setting `sluice.actor` (JSON: kind, id, name, operation, request, address); work
-- that no person or key asked for (a probe, a debit) sets none and is not audited.

create table audit (
  id bigint generated always as identity primary key,
  -- Null: of no organisation, for the operator alone.
  org_id uuid,
  at timestamptz not null default now(),
  actor_kind text not null,
  actor_id text not null,
  actor_name text not null,
  operation text not null,
  -- The table's noun and the row's id: 'key', 'project', …
  subject_kind text not null,
  subject uuid not null,
  -- Null: the row was made, or is gone. Without secrets and their hashes.
  before jsonb,
  after jsonb,
  request text,
  client_address text
);
create index audit_org on audit (org_id, id);
create index audit_subject on audit (subject, id);

-- Trigger body. Arguments: the subject's kind, the column of its id, then columns that are not told.
create function record_audit() returns trigger language plpgsql security definer set search_path = public as $$
declare
  actor jsonb := nullif(current_setting('sluice.actor', true), '')::jsonb;
  was jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) - tg_argv[2:] end;
  becomes jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) - tg_argv[2:] end;
  one jsonb := coalesce(becomes, was);
  entry audit;
begin
  if actor is null or was = becomes then
    return null;
  end if;
  insert into audit (org_id, actor_kind, actor_id, actor_name, operation, subject_kind, subject, before, after, request, client_address)
  values (case when tg_argv[0] = 'org' then (one ->> 'id')::uuid else (one ->> 'org_id')::uuid end,
          actor ->> 'kind', actor ->> 'id', actor ->> 'name', actor ->> 'operation', tg_argv[0],
          (one ->> tg_argv[1])::uuid, was, becomes, actor ->> 'request', actor ->> 'address')
  returning * into entry;
  return null;
end $$;
revoke all on function record_audit() from public;

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
create trigger members_audit after insert or update or delete on members
  for each row execute function record_audit('member', 'id');
create trigger group_roles_audit after insert or update or delete on group_roles
  for each row execute function record_audit('groupRole', 'id');
create trigger service_keys_audit after insert or update or delete on service_keys
  for each row execute function record_audit('serviceKey', 'id', 'secret_hash', 'last_used_at');

-- Of a dead letter only what became of it: its event is nobody's to keep, and may have what jsonb has not (a NUL).
create function record_letter_audit() returns trigger language plpgsql security definer set search_path = public as $$
declare
  actor jsonb := nullif(current_setting('sluice.actor', true), '')::jsonb;
  about jsonb := jsonb_build_object('id', new.id, 'subscription', new.subscription, 'type', new.type, 'event_id', new.event_id);
begin
  if actor is not null then
    insert into audit (org_id, actor_kind, actor_id, actor_name, operation, subject_kind, subject, before, after, request, client_address)
    values (new.org_id, actor ->> 'kind', actor ->> 'id', actor ->> 'name', actor ->> 'operation', 'deadLetter', new.id,
            about || jsonb_build_object('redriven_at', old.redriven_at, 'dropped_at', old.dropped_at),
            about || jsonb_build_object('redriven_at', new.redriven_at, 'dropped_at', new.dropped_at),
            actor ->> 'request', actor ->> 'address');
  end if;
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
grant select, delete on audit to sluice_system;
