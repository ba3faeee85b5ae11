-- Login: from what a provider or a link proves to a user, and from a user to a session and its end. By functions, because users and
-- sessions are nobody's rows: sluice_tenant may execute them, and reads and writes no user or session by itself.

-- Who logs in through a provider. By issuer and subject; else a user who was invited, by an email that the provider has verified (null:
-- it has not); else a new one, where `may_create`. Out: {id, disabled}, or {refused}: 'email' (none that is verified), 'taken' (the email
-- is another's), 'unknown' (nobody is made).
create function sign_in(of_issuer text, of_subject text, of_email text, of_name text, new_id uuid, may_create boolean) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare person users;
begin
  select * into person from users where issuer = of_issuer and subject = of_subject;
  if person.id is null then
    if of_email is null then
      return jsonb_build_object('refused', 'email');
    end if;
    select * into person from users where email = of_email and issuer is null for update;
    if person.id is null and not may_create then
      return jsonb_build_object('refused', case when exists (select from users where email = of_email) then 'taken' else 'unknown' end);
    end if;
    perform set_config('sluice.actor', jsonb_build_object('kind', 'user', 'id', coalesce(person.id, new_id), 'name', of_email,
      'operation', 'login')::text, true);
    if person.id is not null then
      update users set issuer = of_issuer, subject = of_subject where id = person.id and disabled_at is null;
    else
      insert into users (id, email, name, issuer, subject) values (new_id, of_email, of_name, of_issuer, of_subject)
      on conflict do nothing returning * into person;
    end if;
    perform set_config('sluice.actor', '', true);
    if person.id is null then
      -- Made by a login at the same moment, or the email is another's.
      select * into person from users where issuer = of_issuer and subject = of_subject;
    end if;
    if person.id is null then
      return jsonb_build_object('refused', 'taken');
    end if;
  end if;
  return jsonb_build_object('id', person.id, 'disabled', person.disabled_at is not null);
end $$;

-- A session as its owner sees it: null when there is none, it is over or its user is disabled. To look at it is not to use it.
create function show_session(of_token bytea) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
  select jsonb_build_object('user', jsonb_build_object('id', u.id, 'email', u.email, 'name', u.name),
    'operator', u.operator or s.operator, 'grants', grants_of(u.id, s.groups), 'expiresAt', s.expires_at,
    'idleExpiresAt', least(s.expires_at, s.seen_at + make_interval(secs => s.idle_seconds)))
  from sessions s join users u on u.id = s.user_id
  where s.token_hash = of_token and s.expires_at > now() and s.seen_at > now() - make_interval(secs => s.idle_seconds)
    and u.disabled_at is null
$$;

-- A new session, in place of the one that the browser had. Null: the user is disabled or gone. What is over is swept on the way.
create function start_session(of_user uuid, new_id uuid, of_token bytea, in_groups text[], is_operator boolean,
                              life_seconds integer, idle integer, replaced bytea) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  delete from sessions where token_hash = replaced;
  delete from sessions where id in (
    select id from sessions where expires_at < now() order by expires_at limit 100 for update skip locked);
  update users set last_login_at = now() where id = of_user and disabled_at is null;
  if not found then
    return null;
  end if;
  -- Nobody has a hundred browsers; a program that logs in again and again has one session too many each time.
  delete from sessions where id in (select id from sessions where user_id = of_user order by created_at desc, id offset 99);
  insert into sessions (id, token_hash, user_id, groups, operator, idle_seconds, expires_at)
  values (new_id, of_token, of_user, in_groups, is_operator, idle, now() + make_interval(secs => life_seconds));
  return show_session(of_token);
end $$;

-- Out: whether there was one whose user comes from a provider, where they are still logged in; null when there was none.
create function end_session(of_token bytea) returns boolean
language sql volatile security definer set search_path = public, pg_temp as $$
  with ended as (delete from sessions where token_hash = of_token returning user_id)
  select u.issuer is not null from ended join users u on u.id = ended.user_id
$$;

revoke all on function sign_in(text, text, text, text, uuid, boolean), show_session(bytea), end_session(bytea),
  start_session(uuid, uuid, bytea, text[], boolean, integer, integer, bytea) from public;
grant execute on function sign_in(text, text, text, text, uuid, boolean), show_session(bytea), end_session(bytea),
  start_session(uuid, uuid, bytea, text[], boolean, integer, integer, bytea) to sluice_tenant;
