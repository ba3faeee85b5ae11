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

-- What a path, parameter or body is about. Arguments: its kind, its id. No row when there is none. A request's id is a UUIDv7: the
-- month of its time says which partition of the ledger has it.
create function scope_of(kind text, subject uuid)
returns table (org_id uuid, project_id uuid, suspended boolean, deleted boolean)
language sql stable security definer set search_path = public as $$
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
    union all select org_of_request(date_trunc('month', to_timestamp(
      ('x' || left(replace(subject::text, '-', ''), 12))::bit(48)::bigint / 1000.0) at time zone 'utc')::date, subject), null
      where kind = 'request'
  ) found join orgs o on o.id = found.org_id
$$;

-- The roles of a user and of the groups they are in: [{org, project?, role}].
create function grants_of(of_user uuid, in_groups text[]) returns jsonb
language sql stable security definer set search_path = public as $$
  select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('org', g.org_id, 'project', g.project_id, 'role', g.role))), '[]')
  from (
    select m.org_id, m.project_id, m.role from members m where m.user_id = of_user
    union all
    select r.org_id, r.project_id, r.role from group_roles r where r.group_name = any(in_groups)
  ) g join orgs o on o.id = g.org_id and o.deleted_at is null
$$;

-- Who a session is: null when there is none, it is over or its user is disabled. Argument: SHA-256 of its token.
create function actor_of_session(of_token bytea) returns jsonb
language sql stable security definer set search_path = public as $$
  select jsonb_build_object('id', u.id, 'name', u.email, 'operator', u.operator or s.operator, 'grants', grants_of(u.id, s.groups))
  from sessions s join users u on u.id = s.user_id
  where s.token_hash = of_token and s.expires_at > now() and u.disabled_at is null
$$;

-- Who the provider's subject is to us: the user, when there is one, and what its groups are worth. A machine has no user.
create function actor_of_subject(of_issuer text, of_subject text, in_groups text[]) returns jsonb
language sql stable security definer set search_path = public as $$
  select jsonb_build_object('id', u.id, 'name', u.email, 'operator', coalesce(u.operator, false),
                            'disabled', u.disabled_at is not null, 'grants', grants_of(u.id, in_groups))
  from (select 1) one left join users u on u.issuer = of_issuer and u.subject = of_subject
$$;

-- A service key by its public id: {id, name, secretHash (hex), grants}; null when it is revoked, over or unknown.
create function actor_of_service_key(of_public_id text) returns jsonb
language sql stable security definer set search_path = public as $$
  select jsonb_build_object('id', s.id, 'name', s.name, 'secretHash', encode(s.secret_hash, 'hex'), 'grants',
    jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('org', s.org_id, 'project', s.project_id, 'role', s.role))))
  from service_keys s join orgs o on o.id = s.org_id
  where s.public_id = of_public_id and s.revoked_at is null and o.deleted_at is null
    and (s.expires_at is null or s.expires_at > now())
$$;

revoke all on function scope_of(text, uuid), grants_of(uuid, text[]), actor_of_session(bytea),
  actor_of_subject(text, text, text[]), actor_of_service_key(text) from public;
grant execute on function scope_of(text, uuid), actor_of_session(bytea), actor_of_subject(text, text, text[]),
  actor_of_service_key(text) to sluice_tenant, sluice_system;
