/**
The statements that pg-boss has no call for. All work on its table `job`, of which a subscription is the rows of one name.

A job's id is ours, ascends (`ids.ts`) and so tells which of two events is the older; `group_id` is the organisation.
*/

/**
$1 subscription, $2 ids, $3 delays in ms, $4 whether the try counts. Hands out again after the delay; the fetch then counts an
attempt when the job was started before.
*/
export const retryLater = `
  update pgboss.job j
  set state = 'retry', start_after = now() + item.delay * interval '1 ms',
      started_on = case when item.counted then j.started_on end
  from unnest($2::uuid[], $3::float8[], $4::boolean[]) as item (id, delay, counted)
  where j.name = $1 and j.id = item.id and j.state = 'active'`;

/**
$1 subscription, $2 ids of barriers, $3 delay in ms. Puts back those for which an older event of their organisation is left;
without a start there was no attempt. Returns what it put back.
*/
export const putBackBarriers = `
  update pgboss.job j
  set state = 'created', started_on = null, start_after = now() + $3::float8 * interval '1 ms'
  where j.name = $1 and j.id = any ($2::uuid[]) and j.state = 'active' and exists (
    select from pgboss.job older
    where older.name = j.name and older.id < j.id and older.state <= 'active'
      and older.group_id is not distinct from j.group_id)
  returning j.id`;

/** $1 subscriptions. What a process that is gone had in hand is handed out again at once. */
export const release = `
  update pgboss.job set state = 'retry', start_after = now()
  where name = any ($1::text[]) and state = 'active'`;

/** $1 subscriptions. The same for what was in hand longer than a delivery may take. */
export const releaseExpired = `
  update pgboss.job set state = 'retry', start_after = now()
  where name = any ($1::text[]) and state = 'active' and started_on < now() - expire_seconds * interval '1 s'`;

/** $1 subscriptions, $2 ids that are in hand, $3 ms. The same for what is in nobody's, though it was fetched so long ago. */
export const releaseLost = `
  update pgboss.job set state = 'retry', start_after = now()
  where name = any ($1::text[]) and state = 'active' and not id = any ($2::uuid[])
    and started_on <= now() - $3::float8 * interval '1 ms'`;

/** $1 subscriptions. */
export const count = `
  select name, count(*)::int as waiting from pgboss.job
  where name = any ($1::text[]) and state <= 'active' group by name`;

/** $1 subscriptions. The highest ids, so that ours go on ascending whatever the clock did since. */
export const newest = `
  select id from unnest($1::text[]) as s (name), lateral (
    select id from pgboss.job j where j.name = s.name order by j.id desc limit 1) as j`;

/** $1 subscriptions. Wakes their consumers, in any process, at the commit. */
export const notify = `select pg_notify('sluice_broker', name) from unnest($1::text[]) as s (name)`;

/** Held by the one process that consumes, for as long as it lives. */
export const lockConsumer = 'select pg_try_advisory_lock(7258642302) as locked';
