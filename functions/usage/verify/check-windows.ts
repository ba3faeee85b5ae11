/**
Check windows: what the ledger charged each window against what the window says, what its leases hold against its `leased`, and
what each lease has open against the holds of the requests that are not settled.

In: one snapshot, a range. Out: findings, and how many windows reach into the range. A debit writes ledger, windows and leases in
one transaction, so in one snapshot they agree to the nano-USD, however busy the system is. Charges are summed by PostgreSQL,
over the months since the first of these windows began.
*/
import type {Findings} from './finding.ts';
import {judgeLease, judgeWindow, type WindowSums} from './judge-books.ts';
import type {Reading, Row} from './reading.ts';

/**
A window is whole when the ledger has every month since its budget was made. `first` is the oldest partition there is: what was
charged before it is gone, by the retention.
*/
const text = `
  with oldest as (
    select coalesce(min(to_date(right(c.relname, 7), 'YYYY_MM')), 'infinity') as first
    from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'ledger'::regclass and c.relname ~ '_\\d{4}_\\d{2}$'),
  touched as (select * from windows where starts_at < $2 and ends_at > $1),
  charged as (
    select (charge ->> 'window')::uuid as id, sum((charge ->> 'amount')::numeric) as amount
    from ledger cross join lateral jsonb_array_elements(charges) charge
    where month >= (select date_trunc('month', min(starts_at) - interval '1 day') from touched) group by 1),
  held as (
    select window_id as id, sum(granted - settled - returned) as amount from leases group by 1)
  select coalesce(w.id, c.id) as window, w.org_id as org, w.budget_id as budget, w.spent, w.leased, w.overage,
    coalesce(c.amount, 0) as charged, coalesce(h.amount, 0) as held,
    coalesce(greatest(w.starts_at, b.created_at) >= o.first, true) as whole
  from touched w
  full join (select c.* from charged c where not exists (
      select from windows other where other.id = c.id and not (other.starts_at < $2 and other.ends_at > $1))) c on c.id = w.id
  left join held h on h.id = w.id
  left join budgets b on b.id = w.budget_id
  cross join oldest o
  where w.id is null or w.spent + w.overage <> coalesce(c.amount, 0) or w.leased <> coalesce(h.amount, 0)`;

/** Every lease, whatever the range: a request may be open that began before it. */
const openText = `
  with held as (
    select (budget.value ->> 'lease')::uuid as id, sum((budget.value ->> 'hold')::numeric) as holds
    from requests r cross join lateral jsonb_array_elements(r.intent -> 'budgets') with ordinality budget (value, place)
    where (r.covered ->> (budget.place::integer - 1))::boolean group by 1)
  select coalesce(l.id, h.id) as lease, l.org_id as org, l.window_id as window, coalesce(l.open, 0) as open,
    coalesce(h.holds, 0) as holds
  from (select * from leases where open > 0) l full join held h using (id)
  where coalesce(l.open, 0) <> coalesce(h.holds, 0)`;

const sumsOf = (row: Row): WindowSums => ({
  window: String(row.window),
  ...(row.budget === null
    ? {}
    : {
        row: {
          org: String(row.org),
          budget: String(row.budget),
          spent: BigInt(String(row.spent)),
          leased: BigInt(String(row.leased)),
          overage: BigInt(String(row.overage)),
        },
      }),
  charged: BigInt(String(row.charged)),
  held: BigInt(String(row.held)),
  whole: row.whole === true,
});

export const checkWindows = async (
  reading: Reading,
  {fromMs, toMs}: Readonly<{fromMs: number; toMs: number}>,
  findings: Findings,
): Promise<number> => {
  const bounds = [new Date(fromMs).toISOString(), new Date(toMs).toISOString()];
  await reading.each(text, bounds, row => {
    for (const finding of judgeWindow(sumsOf(row))) {
      findings.add(finding);
    }
  });
  await reading.each(openText, [], row =>
    findings.add(
      judgeLease({
        lease: String(row.lease),
        ...(row.org === null ? {} : {org: String(row.org), window: String(row.window)}),
        open: BigInt(String(row.open)),
        holds: BigInt(String(row.holds)),
      }),
    ),
  );
  const [count] = await reading.rows(
    'select count(*)::int as count from windows where starts_at < $2 and ends_at > $1',
    bounds,
  );
  return Number(count?.count);
};
