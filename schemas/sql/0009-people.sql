-- People and machines: who may use the admin API (users, their memberships, groups of a provider, service keys), how they are
-- known again (sessions, login links), and what a path is about (scope_of).
--
-- Users, sessions and links belong to no organisation, so no tenant's query reads them: what is needed of them comes from the
-- functions below.

-- Weakest first: comparisons follow this order.
create type role_name as enum ('viewer', 'member', 'admin', 'owner');

create table users (
  id uuid primary key,
  -- In lower case.
  email text not null unique check (email = lower(email) and length(email) between 3 and 254),
  name text not null check (length(name) between 1 and 200),
  -- Who they are to the OpenID provider; null until the first login through it.
  issuer text,
  subject text,
  -- Runs the platform: may do all that the admin key may.
  operator boolean not null default false,
  disabled_at timestamptz,
  last_login_at timestamptz,
  created_at timestamptz not null default now(),
  unique (issuer, subject),
  check ((issuer is null) = (subject is null))
);

-- A role in an organisation, or in one project of it. Of several the strongest counts.
create table members (
  id uuid primary key,
  org_id uuid not null references orgs (id),
  project_id uuid,
  user_id uuid not null references users (id) on delete cascade,
  role role_name not null,
  created_at timestamptz not null default now(),
  unique nulls not distinct (org_id, project_id, user_id),
  foreign key (project_id, org_id) references projects (id, org_id)
);
create index members_user on members (user_id);

-- What membership of a provider's group is worth.
create table group_roles (
  id uuid primary key,
  org_id uuid not null references orgs (id),
  project_id uuid,
  group_name text not null check (length(group_name) between 1 and 256),
  role role_name not null,
  created_at timestamptz not null default now(),
  unique nulls not distinct (org_id, project_id, group_name),
  foreign key (project_id, org_id) references projects (id, org_id)
);
create index group_roles_name on group_roles (group_name);

-- A machine's key for the admin API. It starts no inference.
create table service_keys (
  id uuid primary key,
  org_id uuid not null references orgs (id),
  project_id uuid,
  public_id text not null unique,
  secret_hash bytea not null check (length(secret_hash) = 32),
  name text not null check (length(name) between 1 and 200),
  role role_name not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  created_at timestamptz not null default now(),
  foreign key (project_id, org_id) references projects (id, org_id)
);
create index service_keys_org on service_keys (org_id, id);

create table sessions (
  id uuid primary key,
  token_hash bytea not null unique check (length(token_hash) = 32),
  user_id uuid not null references users (id) on delete cascade,
  -- What the provider said at the login.
  groups text[] not null default '{}',
  operator boolean not null default false,
  created_at timestamptz not null default now(),
  seen_at timestamptz not null default now(),
  -- Unused for so long it is over.
  idle_seconds integer not null default 3600 check (idle_seconds > 0),
  expires_at timestamptz not null
);
create index sessions_user on sessions (user_id);
create index sessions_expiry on sessions (expires_at);

-- A login without a provider: whoever has the token, once.
create table login_links (
  token_hash bytea primary key check (length(token_hash) = 32),
  user_id uuid not null references users (id) on delete cascade,
  expires_at timestamptz not null,
  used_at timestamptz
);

alter table members enable row level security;
alter table group_roles enable row level security;
alter table service_keys enable row level security;
create policy members_tenant on members to sluice_tenant using (org_id = current_org()) with check (org_id = current_org());
create policy members_system on members to sluice_system using (true) with check (true);
create policy group_roles_tenant on group_roles to sluice_tenant using (org_id = current_org()) with check (org_id = current_org());
create policy group_roles_system on group_roles to sluice_system using (true) with check (true);
create policy service_keys_tenant on service_keys to sluice_tenant using (org_id = current_org()) with check (org_id = current_org());
create policy service_keys_system on service_keys to sluice_system using (true) with check (true);
grant select, insert, update on members, group_roles, service_keys to sluice_tenant;
grant select, insert, update, delete on members, group_roles, service_keys to sluice_system;
grant select, insert, update, delete on users, sessions, login_links to sluice_system;

-- It reads the audit, too, which the next migration makes.
set local check_function_bodies = off;
-- What a path, parameter or body is about. Arguments: its kind, its id. No row when there is none. A request's id is a UUIDv7: the
-- month of its time says which partition of the ledger has it.
create function scope_of(kind text, subject uuid)
returns table (org_id uuid, project_id uuid, suspended boolean, deleted boolean)
language sql stable security definer set search_path = public, pg_temp as $$
  select o.id, found.project_id, o.suspended_at is not null, o.deleted_at is not null
  from (
    select id as org_id, null::uuid as project_id from orgs where kind = 'org' and id = subject
    union all select p.org_id, p.id from projects p where kind = 'project' and p.id = subject
    union all select k.org_id, k.project_id from keys k where kind = 'key' and k.id = subject
    union all select b.org_id, coalesce(b.project_id, k.project_id) from budgets b left join keys k on k.id = b.key_id
      where kind = 'budget' and b.id = subject
    union all select m.org_id, m.project_id from members m where kind = 'member' and m.id = subject
    union all select g.org_id, g.project_id from group_roles g where kind = 'groupRole' and g.id = subject
    union all select s.org_id, s.project_id from service_keys s where kind = 'serviceKey' and s.id = subject
    union all select d.org_id, null from dead_letters d where kind = 'deadLetter' and d.id = subject
    union all select a.org_id, null from audit a where kind = 'audit' and a.id = scope_of.subject
    union all select org_of_request(of_id.month, scope_of.subject), coalesce(
        (select l.project_id from ledger l where l.month = of_id.month and l.request = scope_of.subject limit 1),
        (select (q.intent ->> 'project')::uuid from requests q where q.id = scope_of.subject),
        (select f.project_id from refusals f where f.request = scope_of.subject))
      from (select date_trunc('month', to_timestamp(('x' || left(replace(scope_of.subject::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
                              at time zone 'utc')::date as month) of_id
      where kind = 'request'
  ) found join orgs o on o.id = found.org_id
$$;
set local check_function_bodies = on;

-- The roles of a user and of the groups they are in: [{org, project?, role}].
create function grants_of(of_user uuid, in_groups text[]) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
  select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('org', g.org_id, 'project', g.project_id, 'role', g.role))), '[]')
  from (
    select m.org_id, m.project_id, m.role from members m where m.user_id = of_user
    union all
    select r.org_id, r.project_id, r.role from group_roles r where r.group_name = any(in_groups)
  ) g join orgs o on o.id = g.org_id and o.deleted_at is null
$$;

-- Who a session is: null when there is none, it is over or its user is disabled. Argument: SHA-256 of its token. That it is used is
-- noted once a minute at most.
create function actor_of_session(of_token bytea) returns jsonb
language sql volatile security definer set search_path = public, pg_temp as $$
  update sessions set seen_at = now()
  where token_hash = of_token and seen_at < now() - interval '1 minute'
    and expires_at > now() and seen_at > now() - make_interval(secs => idle_seconds);
  select jsonb_build_object('id', u.id, 'name', u.email, 'operator', u.operator or s.operator, 'grants', grants_of(u.id, s.groups))
  from sessions s join users u on u.id = s.user_id
  where s.token_hash = of_token and s.expires_at > now() and s.seen_at > now() - make_interval(secs => s.idle_seconds)
    and u.disabled_at is null
$$;

-- Who the provider's subject is to us: the user, when there is one, and what its groups are worth. A machine has no user. Who was
-- invited and has not logged in yet is known by an email that the provider has verified (null: it has not), so that a user who is
-- disabled is not let in as nobody in particular.
create function actor_of_subject(of_issuer text, of_subject text, in_groups text[], of_email text) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
  select jsonb_build_object('id', u.id, 'name', u.email, 'operator', coalesce(u.operator, false),
                            'disabled', u.disabled_at is not null, 'grants', grants_of(u.id, in_groups))
  from (select 1) one left join lateral (
    select * from users where issuer = of_issuer and subject = of_subject
    union all
    select * from users where issuer is null and email = of_email
    order by issuer nulls last limit 1) u on true
$$;

-- A service key by its public id: {id, name, secretHash (hex), stale, grants}; stale: when it was used last is not of this minute. Null when it is revoked, over or unknown.
create function actor_of_service_key(of_public_id text) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
  select jsonb_build_object('id', s.id, 'name', s.name, 'secretHash', encode(s.secret_hash, 'hex'),
    'stale', coalesce(s.last_used_at < now() - interval '1 minute', true), 'grants',
    jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('org', s.org_id, 'project', s.project_id, 'role', s.role))))
  from service_keys s join orgs o on o.id = s.org_id
  where s.public_id = of_public_id and s.revoked_at is null and o.deleted_at is null
    and (s.expires_at is null or s.expires_at > now())
$$;

-- What somebody's roles are in, by name: of the organisations and projects given, which are those of their own grants.
create function names_of(of_orgs uuid[], of_projects uuid[]) returns table (id uuid, name text)
language sql stable security definer set search_path = public, pg_temp as $$
  select o.id, o.name from orgs o where o.id = any(of_orgs) and o.deleted_at is null
  union all
  select p.id, p.name from projects p where p.id = any(of_projects) and p.org_id = any(of_orgs) and p.deleted_at is null
$$;
revoke all on function names_of(uuid[], uuid[]) from public;
grant execute on function names_of(uuid[], uuid[]) to sluice_tenant;

revoke all on function scope_of(text, uuid), grants_of(uuid, text[]), actor_of_session(bytea),
  actor_of_subject(text, text, text[], text), actor_of_service_key(text) from public;
grant execute on function scope_of(text, uuid), actor_of_session(bytea), actor_of_subject(text, text, text[], text),
  actor_of_service_key(text) to sluice_tenant, sluice_system;

-- What is done to people, for sluice_tenant. Nothing of a user is seen but by who runs the platform, or of a member of the
-- current organisation.

-- Whether who changes something (`sluice.actor`) runs the platform.
create function by_operator() returns boolean language sql stable parallel safe as $$
  select coalesce((nullif(current_setting('sluice.actor', true), '')::jsonb ->> 'operator')::boolean, false)
$$;

create function require_operator() returns void language plpgsql stable as $$
begin
  if not by_operator() then
    raise exception 'users are the operator''s' using errcode = 'insufficient_privilege';
  end if;
end $$;

create function create_user(new_id uuid, new_email text, new_name text, is_operator boolean) returns setof users
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform require_operator();
  return query insert into users (id, email, name, operator) values (new_id, new_email, new_name, is_operator) returning *;
end $$;

-- In the order of their ids. Arguments: an id or null, an email or null, the id to start after or null, the most rows.
create function list_users(only_id uuid, only_email text, after uuid, rows_max integer) returns setof users
language plpgsql stable security definer set search_path = public, pg_temp as $$
begin
  perform require_operator();
  return query select * from users u
    where (only_id is null or u.id = only_id) and (only_email is null or u.email = only_email) and (after is null or u.id > after)
    order by u.id limit least(rows_max, 1001);
end $$;

-- One, held until the end of the transaction.
create function lock_user(of_user uuid) returns setof users
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform require_operator();
  return query select * from users where id = of_user for update;
end $$;

-- Null leaves what is there. Who is disabled, or runs the platform no more, is logged in nowhere from now on.
create function change_user(of_user uuid, new_name text, is_operator boolean, is_disabled boolean) returns setof users
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform require_operator();
  return query update users u set
      name = coalesce(new_name, u.name),
      operator = coalesce(is_operator, u.operator),
      disabled_at = case when is_disabled is null then u.disabled_at when is_disabled then coalesce(u.disabled_at, now()) end
    where u.id = of_user returning u.*;
  -- With the user's row in hand, which every login writes: one that is under way is over, and its session seen here, or comes after.
  if is_disabled or not is_operator then
    delete from sessions where user_id = of_user;
  end if;
  if is_disabled then
    delete from login_links where user_id = of_user;
  end if;
end $$;

-- With members, sessions and links; the audit stays. False when there is none.
create function delete_user(of_user uuid) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform require_operator();
  delete from users where id = of_user;
  return found;
end $$;

-- The newest few of a user are good, so that one who asks again and again leaves no heap of them. Argument: SHA-256 of the token.
-- No row when there is no such user; `made` is false where they are disabled.
create function create_login_link(of_user uuid, of_token bytea) returns table (made boolean, until timestamptz)
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  links_max constant integer := 3;
  lasts constant interval := '15 minutes';
  is_disabled boolean;
begin
  perform require_operator();
  select disabled_at is not null into is_disabled from users where id = of_user for update;
  if not found then
    return;
  end if;
  if is_disabled then
    return query select false, null::timestamptz;
    return;
  end if;
  delete from login_links where user_id = of_user and token_hash not in (
    select l.token_hash from login_links l
    where l.user_id = of_user and l.used_at is null and l.expires_at > now()
    order by l.expires_at desc limit links_max - 1);
  return query insert into login_links (token_hash, user_id, expires_at) values (of_token, of_user, now() + lasts)
    returning true, expires_at;
end $$;

-- The user of a link, once: {id, email, name}; null when it is unknown, used or over, or its user is disabled. Of two who come with
-- one link the second waits for the first and finds it used.
create function use_login_link(of_token bytea) returns jsonb
language sql volatile security definer set search_path = public, pg_temp as $$
  with used as (
    update login_links set used_at = now() where token_hash = of_token and used_at is null and expires_at > now()
    returning user_id
  )
  select jsonb_build_object('id', u.id, 'email', u.email, 'name', u.name)
  from used join users u on u.id = used.user_id where u.disabled_at is null
$$;

-- The user of an email; made where there is none, to become real with the first login of it.
create function invite_user(new_id uuid, of_email text, of_name text) returns uuid
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  found_id uuid;
begin
  if current_org() is null then
    raise exception 'an organisation invites' using errcode = 'insufficient_privilege';
  end if;
  insert into users (id, email, name) values (new_id, of_email, of_name) on conflict (email) do nothing;
  select id into found_id from users where email = of_email;
  return found_id;
end $$;

-- Members of the current organisation with what of their users is shown. Arguments as of list_users.
create function list_members(only_id uuid, only_project uuid, only_email text, after uuid, rows_max integer)
returns table (id uuid, org_id uuid, project_id uuid, user_id uuid, role role_name, created_at timestamptz,
               email text, name text, invited boolean, disabled_at timestamptz, last_login_at timestamptz)
language sql stable security definer set search_path = public, pg_temp as $$
  select m.id, m.org_id, m.project_id, m.user_id, m.role, m.created_at,
         u.email, u.name, u.issuer is null and u.last_login_at is null, u.disabled_at, u.last_login_at
  from members m join users u on u.id = m.user_id
  where m.org_id = current_org() and (only_id is null or m.id = only_id)
    and (only_project is null or m.project_id = only_project) and (only_email is null or u.email = only_email)
    and (after is null or m.id > after)
  order by m.id limit least(rows_max, 1001)
$$;

-- A tenant deletes no row by itself, so that no statement without a condition empties a table. False when there is none.
create function remove_member(of_member uuid) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  delete from members where id = of_member and org_id = current_org();
  return found;
end $$;

create function remove_group_role(of_group_role uuid) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  delete from group_roles where id = of_group_role and org_id = current_org();
  return found;
end $$;

-- Trigger body: an organisation with an owner keeps one that can log in, whoever but the operator asks. The lock of its row lets two
-- owners who remove each other come one after the other, and each statement here sees what was committed before it.
create function keep_an_owner() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if old.role = 'owner' and old.project_id is null
     and nullif(current_setting('sluice.actor', true), '') is not null and not by_operator()
     and (tg_op = 'DELETE' or new.role <> 'owner' or new.project_id is not null or new.org_id <> old.org_id) then
    perform from orgs where id = old.org_id for no key update;
    if not exists (
      select from members m join users u on u.id = m.user_id
      where m.org_id = old.org_id and m.project_id is null and m.role = 'owner' and m.id <> old.id and u.disabled_at is null
    ) then
      raise exception 'the last owner stays' using errcode = 'restrict_violation';
    end if;
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end $$;
create trigger members_keep_an_owner before update or delete on members
  for each row execute function keep_an_owner();

-- That a key was used, told once a minute at most; who finds the row locked need not tell it again.
create function service_key_used(of_key uuid) returns void
language sql volatile security definer set search_path = public, pg_temp as $$
  update service_keys set last_used_at = now()
  where id = (select id from service_keys where id = of_key
              and (last_used_at is null or last_used_at < now() - interval '1 minute') for update skip locked)
$$;

revoke all on function create_user(uuid, text, text, boolean), lock_user(uuid), list_users(uuid, text, uuid, integer),
  change_user(uuid, text, boolean, boolean), delete_user(uuid), create_login_link(uuid, bytea), use_login_link(bytea),
  invite_user(uuid, text, text), list_members(uuid, uuid, text, uuid, integer), remove_member(uuid), remove_group_role(uuid),
  keep_an_owner(), service_key_used(uuid) from public;
grant execute on function create_user(uuid, text, text, boolean), lock_user(uuid), list_users(uuid, text, uuid, integer),
  change_user(uuid, text, boolean, boolean), delete_user(uuid), create_login_link(uuid, bytea), use_login_link(bytea),
  invite_user(uuid, text, text), list_members(uuid, uuid, text, uuid, integer), remove_member(uuid), remove_group_role(uuid)
  to sluice_tenant;
grant execute on function service_key_used(uuid) to sluice_tenant, sluice_system;
