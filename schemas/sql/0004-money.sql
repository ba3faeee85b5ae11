-- Money: budgets, the windows in which they count, the leases that gateways spend from, the requests that hold,
-- and the ledger of what was charged. Amounts are nano-USD, tokens or GPU-ms: no statement here cares which.
--
-- Who writes: budget function (sluice_system) debits and fences; gateways only through lease_work() below.
-- Every statement that touches several windows locks them in the order of their ids.

create table budgets (
  id uuid primary key,
  org_id uuid not null references orgs (id),
  project_id uuid,
  key_id uuid,
  unit text not null check (unit in ('usd', 'tokens', 'gpu_ms')),
  "limit" bigint not null check ("limit" between 0 and 9000000000000000000),
  period text not null check (period in ('day', 'week', 'month', 'none')),
  time_zone text not null default 'UTC',
  -- Shares of the limit, in per cent, at which budget.threshold.reached is sent once a window.
  thresholds smallint[] not null default '{50,80,100}',
  paused_at timestamptz,
  created_at timestamptz not null default now(),
  check (project_id is null or key_id is null),
  foreign key (project_id, org_id) references projects (id, org_id),
  foreign key (key_id, org_id) references keys (id, org_id)
);
-- A key's budgets are found by three look-ups in it, however many budgets its organisation has.
create index budgets_org on budgets (org_id, key_id, project_id);
create trigger budgets_change after insert or delete on budgets
  for each row execute function record_change('budget', 'id');
create trigger budgets_update after update on budgets
  for each row when (old.* is distinct from new.*) execute function record_change('budget', 'id');

create table windows (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null,
  budget_id uuid not null references budgets (id),
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  "limit" bigint not null check ("limit" >= 0),
  ceiling bigint not null check (ceiling >= 0),
  spent bigint not null default 0 check (spent >= 0),
  leased bigint not null default 0 check (leased >= 0),
  overage bigint not null default 0 check (overage >= 0),
  topped_up bigint not null default 0 check (topped_up >= 0),
  threshold_reached smallint not null default 0,
  unique (budget_id, starts_at),
  check (spent + leased <= ceiling)
);

-- What was added to the limit of one window. The id is the client's, so that asking twice is adding once.
create table top_ups (
  org_id uuid not null references orgs (id),
  id text not null check (id ~ '^[A-Za-z0-9._:-]{1,200}$'),
  budget_id uuid not null references budgets (id),
  window_id uuid not null references windows (id),
  amount bigint not null check (amount > 0),
  -- Who asked for it or paid for it, in the words of who made the call: the admin key is nobody in particular.
  made_by text check (length(made_by) between 1 and 200),
  created_at timestamptz not null default now(),
  primary key (org_id, id)
);
create index top_ups_budget on top_ups (budget_id, created_at, id);
-- The limit of a budget counts for every window, what is topped up for one, so `budgets` has no row that this changes.
create trigger top_ups_change after insert on top_ups
  for each row execute function record_change('budget', 'budget_id');

-- A changed limit counts at once in every window that is not over. What is spent or leased cannot be taken back: the ceiling
-- stays there and sinks with returns and debits. By its name it runs before budgets_update: windows are locked before
-- `revision`, by everybody.
create function follow_limit() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform from windows where budget_id = new.id and ends_at > now() order by id for update;
  update windows
  set "limit" = new."limit" + topped_up, ceiling = greatest(new."limit" + topped_up, spent + leased)
  where budget_id = new.id and ends_at > now();
  return null;
end $$;
revoke all on function follow_limit() from public;
create trigger budgets_limit after update of "limit" on budgets
  for each row when (old."limit" <> new."limit") execute function follow_limit();

create table gateways (
  id uuid primary key,
  environment text not null,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);

-- Invariant a window: leased = sum over its leases of (granted - settled - returned).
create table leases (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null,
  window_id uuid not null references windows (id),
  gateway_id uuid not null,
  -- open: may grant; closed: returned, takes results only; fencing: its marker is on the way, void for its holder;
  -- fenced: the marker was read and what no request holds was freed
  state text not null default 'open' check (state in ('open', 'closed', 'fencing', 'fenced')),
  granted bigint not null check (granted >= 0),
  settled bigint not null default 0 check (settled >= 0),
  returned bigint not null default 0 check (returned >= 0),
  -- Holds of requests whose intent was read and that are not settled.
  open bigint not null default 0 check (open >= 0),
  granted_at timestamptz not null default now(),
  expires_at timestamptz not null,
  recalled_at timestamptz,
  -- When its marker was last sent.
  fencing_at timestamptz,
  check (settled + returned <= granted)
);
create unique index leases_open on leases (window_id, gateway_id) where state = 'open';
create index leases_live on leases (expires_at) where state <> 'fenced' and granted > settled + returned;
create index leases_window on leases (window_id) where state in ('open', 'closed');
create index leases_recalled on leases (gateway_id) where state = 'open' and recalled_at is not null;

-- Requests whose intent was read and that are not settled yet; a settlement deletes the row.
create table requests (
  id uuid primary key,
  org_id uuid not null,
  deadline timestamptz not null,
  intent jsonb not null,
  -- For each budget of the intent: does its lease cover the hold (no, when the lease was fenced before the intent came)?
  covered jsonb not null
);
create index requests_due on requests (deadline);
create index requests_org on requests (org_id, deadline);

-- What was charged, append-only. The month is that of the request id's time: the same event always meets the same key.
create table ledger (
  month date not null,
  request uuid not null,
  entry text not null check (entry in ('result', 'unsettled', 'correction', 'external')),
  org_id uuid not null,
  project_id uuid not null,
  key_id uuid not null,
  model text not null,
  model_id uuid not null,
  environment text not null,
  price_version integer not null,
  -- The accounting instant: the intent's.
  at timestamptz not null,
  input_tokens bigint not null,
  cached_input_tokens bigint not null default 0,
  output_tokens bigint not null,
  cost_nanos bigint not null,
  estimated boolean not null default false,
  outcome text not null,
  traceparent text,
  -- [{budget, window, lease, unit, hold, amount, covered, overage}], amounts as strings of digits
  charges jsonb not null,
  settled_at timestamptz not null default now(),
  primary key (month, request, entry)
) partition by range (month);
create index ledger_org on ledger (org_id, at);

do $$
declare table_name text;
begin
  foreach table_name in array array['budgets', 'windows', 'top_ups', 'leases', 'requests', 'ledger'] loop
    execute format('alter table %I enable row level security', table_name);
    execute format('create policy %I on %I to sluice_tenant using (org_id = current_org()) with check (org_id = current_org())',
                   table_name || '_tenant', table_name);
    execute format('create policy %I on %I to sluice_system using (true) with check (true)', table_name || '_system', table_name);
  end loop;
end $$;
create policy budgets_gateway on budgets for select to sluice_gateway using (true);

grant select, insert, update on budgets to sluice_tenant;
grant select on windows, top_ups, leases, requests, ledger to sluice_tenant;
grant update (threshold_reached) on windows to sluice_tenant;  -- what a changed limit announces
grant select on budgets to sluice_gateway;
grant select on budgets, top_ups, gateways to sluice_system;
grant select, insert, update on windows, leases to sluice_system;
grant select, insert, delete on requests to sluice_system;
grant select, insert on ledger to sluice_system;

-- The same as in 0001, with budgets.
create or replace function org_of(kind text, subject uuid) returns uuid
language sql stable security definer set search_path = public, pg_temp as $$
  select case kind
    when 'org' then (select id from orgs where id = subject)
    when 'project' then (select org_id from projects where id = subject)
    when 'key' then (select org_id from keys where id = subject)
    when 'budget' then (select org_id from budgets where id = subject)
  end
$$;

-- Which organisation was charged for a request. Arguments: the month of its id's time, its id. Null when nobody was.
create function org_of_request(request_month date, subject uuid) returns uuid
language sql stable security definer set search_path = public, pg_temp as $$
  select org_id from ledger where month = request_month and request = subject limit 1
$$;
revoke all on function org_of_request(date, uuid) from public;
grant execute on function org_of_request(date, uuid) to sluice_tenant;

-- Makes the partitions of one month, UTC: of the ledger by the month of the request's id, of the usage of 0005 too. The debit calls it when it meets a month that this process has not seen.
create function open_month(day date) returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
  first date := date_trunc('month', day)::date;
  parent text;
  child text;
begin
  if first not between (now() - interval '26 months')::date and (now() + interval '2 months')::date then
    raise exception 'month % is too far from now', first using errcode = 'datetime_field_overflow';
  end if;
  foreach parent in array array['ledger', 'usage_records', 'usage_hourly'] loop
    child := parent || to_char(first, '_YYYY_MM');
    if to_regclass(child) is null then
      begin
        execute format('create table %I partition of %I for values from (%L) to (%L)', child, parent,
                       first || ' 00:00:00+00', (first + interval '1 month')::date || ' 00:00:00+00');
      exception when duplicate_table then null;  -- made beside us
      end;
    end if;
  end loop;
end $$;
revoke all on function open_month(date) from public;
grant execute on function open_month(date) to sluice_system;

-- The bounds of the window that an instant falls into: [start, end) of a day, ISO week or month of a time zone. Where the
-- clock is set back to midnight it shows midnight twice, and the window begins with the first; where it is set forward over
-- midnight, with the instant of that.
create function window_bounds(period text, time_zone text, at timestamptz, out starts_at timestamptz, out ends_at timestamptz)
language plpgsql stable as $$
declare
  shown timestamp;
begin
  if period = 'none' then
    starts_at := '-infinity';
    ends_at := 'infinity';
    return;
  end if;
  shown := date_trunc(period, at at time zone time_zone);
  starts_at := shown at time zone time_zone;
  if (starts_at - interval '1 hour') at time zone time_zone = shown then
    starts_at := starts_at - interval '1 hour';
  end if;
  shown := shown + ('1 ' || period)::interval;
  ends_at := shown at time zone time_zone;
  if (ends_at - interval '1 hour') at time zone time_zone = shown then
    ends_at := ends_at - interval '1 hour';
  end if;
end $$;

-- Adds to the limit of a budget's current window, which is opened where nobody has used it. Once: an id that is there
-- already, for whatever budget and amount, changes nothing, and its row is the answer.
-- Result: the top-up, whether it was made now; no row where the organisation of this transaction has no such budget.
create function top_up(budget uuid, top_up_id text, added bigint, maker text)
returns table (made boolean, id text, budget_id uuid, window_id uuid, amount bigint, made_by text, created_at timestamptz)
language plpgsql security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
declare place uuid;
begin
  -- First the budget, so that its limit stays as it is read here; then its window; then, by the trigger, `revision`.
  perform from budgets b where b.id = budget and b.org_id = current_org() for no key update;
  if not found then
    return;
  end if;
  if not exists (select from top_ups t where t.org_id = current_org() and t.id = top_up_id) then
    insert into windows (org_id, budget_id, starts_at, ends_at, "limit", ceiling)
    select b.org_id, b.id, s.starts_at, s.ends_at, b."limit", b."limit"
    from budgets b, window_bounds(b.period, b.time_zone, now()) s where b.id = budget
    on conflict (budget_id, starts_at) do nothing;
    select w.id into strict place
    from budgets b, window_bounds(b.period, b.time_zone, now()) s, windows w
    where b.id = budget and w.budget_id = b.id and w.starts_at = s.starts_at for update of w;
    return query
      insert into top_ups (org_id, id, budget_id, window_id, amount, made_by)
      values (current_org(), top_up_id, budget, place, added, maker)
      on conflict do nothing
      returning true, id, budget_id, window_id, amount, made_by, created_at;
    if found then
      update windows w
      set topped_up = w.topped_up + added, "limit" = b."limit" + w.topped_up + added,
          ceiling = greatest(b."limit" + w.topped_up + added, w.spent + w.leased)
      from budgets b where w.id = place and b.id = budget;
      return;
    end if;
  end if;
  return query
    select false, t.id, t.budget_id, t.window_id, t.amount, t.made_by, t.created_at
    from top_ups t where t.org_id = current_org() and t.id = top_up_id;
end $$;
revoke all on function top_up(uuid, text, bigint, text) from public;
grant execute on function top_up(uuid, text, bigint, text) to sluice_tenant;

-- Begins the fence of every lease that is due: void for its holder from here on; the marker frees it once it was read,
-- because who read the marker has read every intent before it. A marker that nobody read in ten minutes is sent again. Arguments: windows or null for all; how long past
-- its expiry a lease must be. Result: the number of leases.
create function begin_fences(only_windows uuid[], past interval) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare due integer;
begin
  with fenced as (
    update leases set state = 'fencing', fencing_at = now()
    where id in (
      select id from leases
      where granted > settled + returned and expires_at < now() - past
        and (state in ('open', 'closed') or state = 'fencing' and fencing_at < now() - interval '10 minutes')
        and (only_windows is null or window_id = any(only_windows))
      order by id limit 1000 for update skip locked)
    returning id, org_id, window_id)
  insert into outbox (destination, org_id, source, event_id, event, barrier)
  select 'log:sluice.usage', org_id, '/functions/budget', id || '/fenced', json_build_object(
      'specversion', '1.0', 'id', id || '/fenced', 'source', '/functions/budget', 'type', 'dev.sluice.lease.fenced.v1',
      'time', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'datacontenttype', 'application/json',
      'orgid', org_id, 'partitionkey', org_id, 'data', json_build_object('lease', id, 'window', window_id)), true
  from fenced on conflict do nothing;
  get diagnostics due = row_count;
  return due;
end $$;

-- Asks for the settlement of every organisation that has a request past its deadline. The debit that reads the marker
-- settles what was past at the time the marker names, so nothing that is merely unread is settled by mistake.
-- Argument: how long past its deadline a request must be. Result: the number of organisations.
create function begin_settlements(past interval) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare due integer;
begin
  insert into outbox (destination, org_id, source, event_id, event, barrier)
  select 'log:sluice.usage', late.org_id, '/functions/budget', late.marker, json_build_object(
      'specversion', '1.0', 'id', late.marker, 'source', '/functions/budget', 'type', 'dev.sluice.settlement.due.v1',
      'time', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'datacontenttype', 'application/json',
      'orgid', late.org_id, 'partitionkey', late.org_id,
      'data', json_build_object('dueBefore', to_char((now() - past) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))), true
  from (select org_id, org_id || '/settlement/' || floor(extract(epoch from max(deadline)) * 1000)::bigint as marker
        from requests where deadline < now() - past group by org_id limit 1000) late
  on conflict do nothing;
  get diagnostics due = row_count;
  return due;
end $$;
revoke all on function begin_fences(uuid[], interval), begin_settlements(interval) from public;
grant execute on function begin_fences(uuid[], interval), begin_settlements(interval) to sluice_gateway, sluice_system;

-- Forgets what only recent past needs: changes that every cache has read, handled events that nobody redelivers any more,
-- dead letters that were redriven or dropped, gateways that are gone, leases that hold nothing. The ledger, the records and
-- the letters that wait are not touched.
create function forget_old() returns void language sql security definer set search_path = public, pg_temp as $$
  delete from changes where at < now() - interval '1 day';
  delete from inbox where handled_at < now() - interval '35 days';
  delete from dead_letters where coalesce(redriven_at, dropped_at) < now() - interval '35 days';
  delete from gateways where seen_at < now() - interval '1 day';
  delete from leases where state <> 'open' and granted = settled + returned and open = 0 and expires_at < now() - interval '35 days';
$$;
revoke all on function forget_old() from public;
grant execute on function forget_old() to sluice_system;

-- Where the money of each wanted grant is: the window of now, or of the instant at which the window `after` ends, for a
-- gateway that asks ahead of time. Argument: the grants of lease_work. A budget that is not there has no row.
create function places_of(grants jsonb)
returns table (item jsonb, budget_id uuid, org_id uuid, "limit" bigint, starts_at timestamptz, ends_at timestamptz)
language sql stable as $$
  select g.value, b.id, b.org_id, b."limit", s.starts_at, s.ends_at
  from jsonb_array_elements(coalesce(grants, '[]')) g
  cross join lateral (select * from budgets where id = (g.value ->> 'budget')::uuid limit 1) b
  cross join lateral window_bounds(b.period, b.time_zone, coalesce(
    (select earlier.ends_at from windows earlier where earlier.id = (g.value ->> 'after')::uuid and earlier.budget_id = b.id),
    now())) s
$$;
revoke all on function places_of(jsonb) from public;

-- All lease work of one gateway tick, in one statement.
-- In:  gateway, environment, time to live of a lease in ms, and work:
--      {"returns":  [{"lease", "total"}]         the lease closes; total: everything it ever gave back; repeating it does nothing
--       "renewals": [lease, …]                    open ones, and closed ones that still hold
--       "grants":   [{"budget", "needed", "max", "after"?}]}
--                  an open lease of the window is enlarged by a slice: a quarter of what is left for each gateway alive, at
--                  least `needed`, otherwise at most `max`; after: in the window that follows this one
-- Out: {"grants":   [{"budget", "window", "lease", "granted", "slice", "limit", "charged", "paused", "remaining", "available",
--                     "startsInMs", "endsInMs"}],
--       "renewals": [{"lease", "granted", "recalled"}]   a lease that is missing here is void: hold nothing more on it
--       "gateways": how many are alive}
-- `granted` is the lease's whole amount, so an answer that got lost is made good by the next one. A lease that an answer names
-- lives on from then, also past the end of its window: its holder takes no more from it there, but what is held is covered.
create function lease_work(gateway uuid, gateway_environment text, ttl_ms integer, work jsonb) returns jsonb
language plpgsql security definer set search_path = public, pg_temp
-- All is found by its key, row by row (hence `limit 1`, `any(array(…))`): a plan that was made while the tables were empty
-- stays for as long as the connection, and must not read them whole when they are full.
set enable_seqscan = off as $$
declare
  ttl interval := make_interval(secs => ttl_ms / 1000.0);
  alive bigint;
  touched uuid[];
  short uuid[];
  grants jsonb := '[]';
  renewals jsonb := '[]';
begin
  insert into gateways (id, environment) values (gateway, gateway_environment)
  on conflict (id) do update set seen_at = now();
  select count(*) into alive from gateways where seen_at > now() - ttl;

  -- A window opens in the first grant that needs it. Makers go in the order of the budgets and hold no other lock yet, and
  -- nobody else can see, so wait for, a window that is not committed: no two can wait for each other. Only who opens one shares
  -- the row of its budget: a limit that is being changed is waited for, or waits and finds the window.
  with opened as materialized (
    select p.org_id, p.budget_id, p.starts_at, p.ends_at,
           (select b."limit" from budgets b where b.id = p.budget_id for share) as "limit"
    from places_of(work -> 'grants') p
    where (select id from windows w where w.budget_id = p.budget_id and w.starts_at = p.starts_at) is null)
  insert into windows (org_id, budget_id, starts_at, ends_at, "limit", ceiling)
  select org_id, budget_id, starts_at, ends_at, "limit", "limit" from opened
  order by budget_id, starts_at
  on conflict (budget_id, starts_at) do nothing;

  -- Then every window this call touches, in order of id, before any lease: so does a debit.
  with locked as (
    select id from windows where id = any(array(
      select (select window_id from leases where id = (r ->> 'lease')::uuid)
      from jsonb_array_elements(coalesce(work -> 'returns', '[]')) r
      union
      select (select window_id from leases where id = r.lease::uuid)
      from jsonb_array_elements_text(coalesce(work -> 'renewals', '[]')) as r (lease)
      union
      select (select id from windows where budget_id = p.budget_id and starts_at = p.starts_at)
      from places_of(work -> 'grants') p))
    order by id for update)
  select array_agg(id) into touched from locked;

  -- A window that was opened while its budget's limit changed may have missed the change. A lowered limit cannot take what is
  -- spent or leased: the ceiling stays there and sinks with returns and debits.
  update windows w
  set "limit" = b."limit" + w.topped_up, ceiling = greatest(b."limit" + w.topped_up, w.spent + w.leased)
  from budgets b
  where w.id = any(touched) and b.id = w.budget_id and w.ends_at > now() and w."limit" <> b."limit" + w.topped_up;

  -- Returns: the lease closes, the window gets back what it had not got yet. A lowered limit's ceiling sinks with it.
  if jsonb_array_length(coalesce(work -> 'returns', '[]')) > 0 then
    with wanted as (
      select (r ->> 'lease')::uuid as id, max((r ->> 'total')::bigint) as total
      from jsonb_array_elements(work -> 'returns') r group by 1),
    closed as (
      update leases l set state = 'closed', returned = greatest(l.returned, wanted.total)
      from wanted, leases before
      where l.id = wanted.id and before.id = l.id and l.gateway_id = gateway
        and l.state in ('open', 'closed') and l.settled + greatest(l.returned, wanted.total) <= l.granted
      returning l.window_id, l.returned - before.returned as amount)
    update windows w set leased = w.leased - c.amount, ceiling = greatest(w."limit", w.spent + w.leased - c.amount)
    from (select window_id, sum(amount)::bigint as amount from closed group by window_id) c
    where w.id = c.window_id and c.amount > 0;
  end if;

  if jsonb_array_length(coalesce(work -> 'renewals', '[]')) > 0 then
    with renewed as (
      update leases l set expires_at = now() + ttl
      from windows w join budgets b on b.id = w.budget_id
      where w.id = l.window_id and l.gateway_id = gateway
        and (l.state = 'open' or l.state = 'closed' and l.granted > l.settled + l.returned)
        and l.id = any(array(select value::uuid from jsonb_array_elements_text(work -> 'renewals')))
      returning l.id as lease, l.granted, l.recalled_at is not null or b.paused_at is not null as recalled)
    select coalesce(jsonb_agg(to_jsonb(r)), '[]') into renewals from renewed r;
  end if;

  if jsonb_array_length(coalesce(work -> 'grants', '[]')) > 0 then
    with wanted as (  -- a window once, however often it was named
      select distinct on (w.id) w.*, (p.item ->> 'needed')::bigint as needed, (p.item ->> 'max')::bigint as most,
             b.paused_at is not null as paused, greatest(w."limit" - w.spent - w.overage, 0) as remaining
      from places_of(work -> 'grants') p
      cross join lateral (select * from windows where budget_id = p.budget_id and starts_at = p.starts_at limit 1) w
      cross join lateral (select paused_at from budgets where id = p.budget_id limit 1) b
      order by w.id, (p.item ->> 'needed')::bigint desc),
    reckoned as (
      select *, case when paused then 0 else greatest(remaining - leased, 0) end as available,
             greatest(needed, least(most, remaining / (4 * alive))) as slice
      from wanted),
    given as (select *, least(slice, available) as amount from reckoned),
    enlarged as (
      insert into leases (org_id, window_id, gateway_id, granted, expires_at)
      select org_id, id, gateway, amount, now() + ttl from given where amount > 0 order by id
      on conflict (window_id, gateway_id) where state = 'open'
      do update set granted = leases.granted + excluded.granted, expires_at = excluded.expires_at),
    lengthened as (  -- nothing is left for it, but its holder counts its life from this answer
      update leases l set expires_at = now() + ttl from given g
      where g.amount = 0 and l.window_id = g.id and l.gateway_id = gateway and l.state = 'open'),
    counted as (update windows w set leased = w.leased + g.amount from given g where w.id = g.id and g.amount > 0),
    recalled as (  -- short: ask the others for what they do not use
      update leases l set recalled_at = now() from given g
      where l.window_id = g.id and g.amount < g.needed and not g.paused
        and l.gateway_id <> gateway and l.state = 'open' and l.recalled_at is null)
    select jsonb_agg(jsonb_build_object(
        'budget', g.budget_id, 'window', g.id, 'slice', g.slice, 'limit', g."limit", 'charged', g.spent + g.overage, 'paused', g.paused,
        -- What a gateway reckons with fits a safe integer.
        'remaining', least(g.remaining, 9007199254740991), 'available', least(g.available - g.amount, 9007199254740991),
        'startsInMs', case when g.starts_at > now() then ceil(extract(epoch from g.starts_at - now()) * 1000)::bigint else 0 end,
        'endsInMs', case when g.ends_at = 'infinity' then null
                         else floor(extract(epoch from g.ends_at - now()) * 1000)::bigint end)),
      array_agg(g.id) filter (where g.amount < g.needed and not g.paused)
    into grants, short from given g;
    -- By itself: what was just granted has no index within its own statement.
    select jsonb_agg(g || jsonb_build_object('lease', l.id, 'granted', l.granted)) into grants
    from jsonb_array_elements(grants) g
    left join lateral (
      select * from leases where window_id = (g ->> 'window')::uuid and gateway_id = gateway and state = 'open' limit 1) l on true;
    if short is not null then  -- and fence the dead
      perform begin_fences(short, ttl * 0.25);
    end if;
  end if;

  return jsonb_build_object('grants', coalesce(grants, '[]'), 'renewals', renewals, 'gateways', alive);
end $$;
revoke all on function lease_work(uuid, text, integer, jsonb) from public;
grant execute on function lease_work(uuid, text, integer, jsonb) to sluice_gateway;

-- The leases of a gateway that another one lacks: what it does not use of them it should return. Asked for beside the changes.
create function recalled_leases(gateway uuid) returns uuid[]
language sql stable security definer set search_path = public, pg_temp as $$
  select coalesce(array_agg(id), '{}') from leases where gateway_id = gateway and state = 'open' and recalled_at is not null
$$;
revoke all on function recalled_leases(uuid) from public;
grant execute on function recalled_leases(uuid) to sluice_gateway;
