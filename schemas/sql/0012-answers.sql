-- Answers: what requests with an `Idempotency-Key` to the admin API were answered, kept in the transaction of what they did, so that
-- the same request again is answered the same and does nothing. Whoever reads one must know who asked and with which key: both
-- are in its id. No secret is in an answer that is kept.

create table answers (
  -- SHA-256 of who asked and of the key.
  id bytea primary key check (length(id) = 32),
  -- SHA-256 of who asked.
  actor bytea not null check (length(actor) = 32),
  -- SHA-256 of operation, path and body.
  fingerprint bytea not null check (length(fingerprint) = 32),
  -- As text, so that it comes back in the order it was written in; null: an answer without a body.
  answer json,
  expires_at timestamptz not null
);
create index answers_actor on answers (actor, expires_at);
create index answers_expiry on answers (expires_at);
grant select, insert, update, delete on answers to sluice_system;

-- Takes a key for this transaction. Arguments: the row's id, who asks, how many answers are kept of one who asks. `state`:
--   new      nobody used it; kept by keep_answer, or free again when the transaction fails
--   known    it was answered so
--   running  another transaction has it
--   full     too many are kept of who asks
create function claim_answer(of_id bytea, of_actor bytea, rows_max integer, out state text, out fingerprint bytea, out answer json)
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  -- The lock ends after the commit is seen, and with the connection when the process dies.
  if not pg_try_advisory_xact_lock(('x' || encode(substr(of_id, 1, 8), 'hex'))::bit(64)::bigint) then
    state := 'running';
    return;
  end if;
  select 'known', a.fingerprint, a.answer into state, fingerprint, answer
  from answers a where a.id = of_id and a.expires_at > now();
  if not found then
    state := case
      when (select count(*) from (select from answers a where a.actor = of_actor and a.expires_at > now() limit rows_max) few) >= rows_max
      then 'full' else 'new' end;
  end if;
end $$;

-- Keeps the answer to what was claimed for `keep`, and sweeps some that are over.
create function keep_answer(of_id bytea, of_actor bytea, of_fingerprint bytea, of_answer json, keep interval) returns void
language sql security definer set search_path = public, pg_temp as $$
  delete from answers where id in (
    select id from answers where expires_at <= now() and id <> of_id order by expires_at limit 100 for update skip locked);
  insert into answers (id, actor, fingerprint, answer, expires_at)
  values (of_id, of_actor, of_fingerprint, of_answer, now() + keep)
  on conflict (id) do update
    set fingerprint = excluded.fingerprint, answer = excluded.answer, expires_at = excluded.expires_at;
$$;
revoke all on function claim_answer(bytea, bytea, integer), keep_answer(bytea, bytea, bytea, json, interval) from public;
grant execute on function claim_answer(bytea, bytea, integer), keep_answer(bytea, bytea, bytea, json, interval)
  to sluice_tenant, sluice_system;
