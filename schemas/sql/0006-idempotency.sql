-- Idempotency: which requests clients have named by an Idempotency-Key, where no Redis keeps that. Neither the key nor the
-- body is in here, only digests of them; a result only where the project wants that, encrypted by the gateway.

alter table projects add column keep_results boolean not null default false;

create table idempotency_claims (
  -- SHA-256 of project and key
  id bytea primary key check (length(id) = 32),
  org_id uuid not null,
  project_id uuid not null,
  -- SHA-256 of route and body
  hash bytea not null check (length(hash) = 32),
  -- Of the attempt that runs it: only who names it ends the claim.
  fence uuid not null,
  finished boolean not null default false,
  result bytea check (length(result) <= 2097152),
  -- While it runs, when its holder must be dead; afterwards, when it is forgotten.
  expires_at timestamptz not null,
  check (finished or result is null),
  foreign key (project_id, org_id) references projects (id, org_id)
);
create index idempotency_claims_expiry on idempotency_claims (expires_at);

-- No policy and no grant: nobody reads or writes it but by the functions below.
alter table idempotency_claims enable row level security;

-- Takes the claim, or says what is there.
-- In:  id, organisation, project, hash of the body, fence, for how long at most it runs (ms)
-- Out: state 'taken', or 'running' or 'finished' with the hash that it was taken for, and the result where one was kept
create function claim_request(
  claim_id bytea, claim_org uuid, claim_project uuid, asked_hash bytea, asked_fence uuid, hold_ms integer,
  out state text, out hash bytea, out result bytea
) language plpgsql security definer set search_path = public, pg_temp as $$
declare
  place idempotency_claims;
begin
  loop
    insert into idempotency_claims as c (id, org_id, project_id, hash, fence, expires_at)
    values (claim_id, claim_org, claim_project, asked_hash, asked_fence,
            clock_timestamp() + make_interval(secs => hold_ms / 1000.0))
    on conflict (id) do update
      set hash = excluded.hash, fence = excluded.fence, finished = false, result = null, expires_at = excluded.expires_at
      where c.expires_at <= clock_timestamp();
    exit when found;
    select * into place from idempotency_claims where id = claim_id and expires_at > clock_timestamp();
    if found then
      state := case when place.finished then 'finished' else 'running' end;
      hash := place.hash;
      result := place.result;
      return;
    end if;  -- it ended in between: once more
  end loop;
  state := 'taken';
  -- Each new one sweeps two that are forgotten, so that no tick has to. Last, and past what is locked: it waits for nobody.
  delete from idempotency_claims where id in (
    select id from idempotency_claims where expires_at <= clock_timestamp() and id <> claim_id
    order by expires_at limit 2 for update skip locked);
end $$;

-- The answer is complete, or the request was charged without one. False: the claim is not this holder's any more.
create function finish_claim(claim_id bytea, held_fence uuid, kept bytea, keep_ms integer) returns boolean
language sql security definer set search_path = public, pg_temp as $$
  with done as (
    update idempotency_claims
    set finished = true, result = kept, expires_at = clock_timestamp() + make_interval(secs => keep_ms / 1000.0)
    where id = claim_id and fence = held_fence and not finished and expires_at > clock_timestamp()
    returning 1)
  select exists (select from done)
$$;

-- Nothing was done and nothing charged: the next one may run. False: the claim is not this holder's any more.
create function release_claim(claim_id bytea, held_fence uuid) returns boolean
language sql security definer set search_path = public, pg_temp as $$
  with done as (
    delete from idempotency_claims
    where id = claim_id and fence = held_fence and not finished and expires_at > clock_timestamp()
    returning 1)
  select exists (select from done)
$$;

revoke all on function claim_request(bytea, uuid, uuid, bytea, uuid, integer), finish_claim(bytea, uuid, bytea, integer),
  release_claim(bytea, uuid) from public;
grant execute on function claim_request(bytea, uuid, uuid, bytea, uuid, integer), finish_claim(bytea, uuid, bytea, integer),
  release_claim(bytea, uuid) to sluice_gateway;
