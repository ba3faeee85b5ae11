import test from 'ava';
import {startBudgetOwner} from '../helpers/budget-owner.ts';
import {createTestDatabase} from '../helpers/database.ts';

type Bounds = readonly [period: string, timeZone: string, at: string, start: string, end: string];

/** Worked out by hand from the rules of each zone. */
const known: readonly Bounds[] = [
  ['day', 'UTC', '2026-11-21T10:00:00Z', '2026-11-21T00:00Z', '2026-11-22T00:00Z'],
  // The clock is set forward: 23 hours. Its first and its last instant, and those beside it.
  ['day', 'Europe/Berlin', '2026-03-28T22:59:59.999Z', '2026-03-27T23:00Z', '2026-03-28T23:00Z'],
  ['day', 'Europe/Berlin', '2026-03-28T23:00:00Z', '2026-03-28T23:00Z', '2026-03-29T22:00Z'],
  ['day', 'Europe/Berlin', '2026-03-29T21:59:59.999Z', '2026-03-28T23:00Z', '2026-03-29T22:00Z'],
  ['day', 'Europe/Berlin', '2026-03-29T22:00:00Z', '2026-03-29T22:00Z', '2026-03-30T22:00Z'],
  // It is set back: 25 hours; 02:30 comes twice.
  ['day', 'Europe/Berlin', '2026-10-25T00:30:00Z', '2026-10-24T22:00Z', '2026-10-25T23:00Z'],
  ['day', 'Europe/Berlin', '2026-10-25T01:30:00Z', '2026-10-24T22:00Z', '2026-10-25T23:00Z'],
  // ISO weeks begin on Monday, also over the turn of a year; with a change of the clock 167 and 169 hours.
  ['week', 'UTC', '2027-01-03T23:59:59Z', '2026-12-28T00:00Z', '2027-01-04T00:00Z'],
  ['week', 'Europe/Berlin', '2026-03-29T12:00:00Z', '2026-03-22T23:00Z', '2026-03-29T22:00Z'],
  ['week', 'Europe/Berlin', '2026-10-25T12:00:00Z', '2026-10-18T22:00Z', '2026-10-25T23:00Z'],
  ['month', 'Europe/Berlin', '2026-02-28T23:00:00Z', '2026-02-28T23:00Z', '2026-03-31T22:00Z'],
  ['month', 'Europe/Berlin', '2026-10-31T22:59:59Z', '2026-09-30T22:00Z', '2026-10-31T23:00Z'],
  ['month', 'Asia/Kathmandu', '2028-02-29T18:15:00Z', '2028-02-29T18:15Z', '2028-03-31T18:15Z'],
  ['month', 'Pacific/Kiritimati', '2026-12-31T10:00:00Z', '2026-12-31T10:00Z', '2027-01-31T10:00Z'],
  // Set forward at midnight: the day begins with 01:00. Set back to midnight: it begins with the first of two.
  ['day', 'Africa/Cairo', '2026-04-24T12:00:00Z', '2026-04-23T22:00Z', '2026-04-24T21:00Z'],
  ['day', 'America/Havana', '2026-11-01T04:30:00Z', '2026-11-01T04:00Z', '2026-11-02T05:00Z'],
  ['day', 'America/Havana', '2026-11-01T05:30:00Z', '2026-11-01T04:00Z', '2026-11-02T05:00Z'],
  ['day', 'America/Havana', '2026-11-01T03:59:59Z', '2026-10-31T04:00Z', '2026-11-01T04:00Z'],
];

test('the bounds of windows are those of the calendar of their zone, to the instant', async t => {
  const pool = (await createTestDatabase(t)).pool('superuser');
  for (const [period, timeZone, at, start, end] of known) {
    const {rows} = await pool.query('select * from window_bounds($1, $2, $3)', [
      period,
      timeZone,
      at,
    ]);
    t.deepEqual(
      [rows[0].starts_at, rows[0].ends_at],
      [new Date(start), new Date(end)],
      `${period} ${timeZone} ${at}`,
    );
  }
  const forever = await pool.query(`select * from window_bounds('none', 'Europe/Berlin', now())`);
  t.deepEqual([forever.rows[0].starts_at, forever.rows[0].ends_at], [-Infinity, Infinity]);
});

const zones = [
  'UTC',
  'Europe/Berlin',
  'Europe/Dublin',
  'America/New_York',
  'America/Havana',
  'America/Santiago',
  'America/St_Johns',
  'Atlantic/Azores',
  'Africa/Cairo',
  'Africa/Casablanca',
  'Asia/Beirut',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Pacific/Auckland',
  'Pacific/Chatham',
];

/** Every day, and where a clock is changed the days around it in steps of half an hour. */
test('in every zone each instant of three years is in its window, and a window begins where the one before it ends', async t => {
  const pool = (await createTestDatabase(t)).pool('superuser');
  for (const period of ['day', 'week', 'month']) {
    const {rows} = await pool.query(
      `with day as (
         select zone, d, d at time zone zone - (d + interval '1 day') at time zone zone <> interval '-1 day' as is_changed
         from unnest($2::text[]) zone
         cross join generate_series('2025-12-30Z'::timestamptz, '2028-12-31Z', interval '1 day') d),
       at as materialized (
         select zone, instant, b.starts_at, b.ends_at
         from day
         cross join lateral generate_series(
           d - case when is_changed then interval '1 day' else interval '0' end,
           d + case when is_changed then interval '2 days' else interval '0' end, interval '30 minutes') instant
         cross join lateral window_bounds($1, zone, instant) b)
       select zone, instant, starts_at, ends_at from at
       where not (starts_at <= instant and instant < ends_at)
          or date_trunc($1, instant at time zone zone) <> date_trunc($1, starts_at at time zone zone)
          or date_trunc($1, ends_at at time zone zone) <> date_trunc($1, instant at time zone zone) + ('1 ' || $1)::interval
          or (starts_at - interval '1 microsecond') at time zone zone >= date_trunc($1, instant at time zone zone)
       union all
       select zone, null, w.starts_at, w.ends_at
       from (select distinct zone, starts_at, ends_at from at) w
       cross join lateral window_bounds($1, zone, w.ends_at) next
       where next.starts_at <> w.ends_at
       limit 3`,
      [period, zones],
    );
    t.deepEqual(rows, [], period);
  }
});

test('days have 23, 24 or 25 hours, and in a zone with half an hour of summer 23.5 and 24.5', async t => {
  const pool = (await createTestDatabase(t)).pool('superuser');
  const hours = async (timeZone: string) => {
    const {rows} = await pool.query(
      `select distinct (extract(epoch from b.ends_at - b.starts_at) / 3600)::float8 as hours
       from generate_series('2026-01-02Z'::timestamptz, '2026-12-30Z', interval '6 hours') at
       cross join lateral window_bounds('day', $1, at) b order by 1`,
      [timeZone],
    );
    return rows.map(row => row.hours);
  };
  t.deepEqual(await hours('Europe/Berlin'), [23, 24, 25]);
  t.deepEqual(await hours('America/Havana'), [23, 24, 25]);
  t.deepEqual(await hours('Australia/Lord_Howe'), [23.5, 24, 24.5]);
  t.deepEqual(await hours('Asia/Kathmandu'), [24]);
});

for (const period of ['day', 'week', 'month']) {
  test(`a request that straddles the end of its ${period} is charged to the window that it began in`, async t => {
    const {budget, grant, window, deliver, eventsOf, rowsOf, root, show} =
      await startBudgetOwner(t);
    const id = await budget({period, timeZone: 'Europe/Berlin'});
    const old = await grant(id, 600);
    const [intent, result] = eventsOf(old, 250, {hold: 400});
    await deliver([intent as never]);
    await root.query(
      `update windows set starts_at = starts_at - ('1 ' || $2)::interval, ends_at = now() where budget_id = $1`,
      [id, period],
    );
    const next = await grant(id, 1_000);
    t.not(next.window, old.window);
    t.is(next.granted, 1_000);
    await deliver([result as never]);
    await deliver([intent, result] as never);
    t.like(await window(id), {id: next.window, spent: 0n, leased: 1_000n});
    const [before] = await rowsOf('select * from windows where id = $1', old.window);
    t.like(before, {spent: 250n, leased: 350n, overage: 0n});
    t.like(await show(id), {spent: '0', leased: '1000'});
  });
}

test('a budget without a period has one window for ever', async t => {
  const {budget, grant, deliver, eventsOf, show} = await startBudgetOwner(t);
  const id = await budget({period: 'none'});
  const held = await grant(id, 600);
  await deliver(eventsOf(held, 600));
  t.is((await grant(id, 10)).window, held.window);
  const body = await show(id);
  t.like(body, {spent: '600', remaining: '400'});
  t.deepEqual(body.window, {id: held.window, start: null, end: null});
});
