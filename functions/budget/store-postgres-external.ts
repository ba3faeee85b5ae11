/**
What usage of other routers is charged to: which of it the ledger has, and for the rest the windows of its instants.

In: keys, within the transaction that has locked their organisations and no window yet. A window that nobody has used is opened,
in the order of the budgets, as gateways do: makers hold no other lock of a window and cannot wait in a circle.
*/
import type {Queryable} from '../../events/database.ts';
import type {Account, Keys} from './store.ts';

type External = Keys['external'];

/** Month and id both, so that only the partitions of these months are looked at. */
export const loadCharged = async (client: Queryable, external: External) => {
  if (external.length === 0) {
    return new Set<string>();
  }
  const {rows} = await client.query<{request: string}>({
    name: 'budget-external-charged',
    text: `select request from ledger
           where month = any($1::date[]) and request = any($2::uuid[]) and entry = 'external'`,
    values: [[...new Set(external.map(({month}) => month))], external.map(({request}) => request)],
  });
  return new Set(rows.map(({request}) => request));
};

const budgetsText = `
  from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[]) as r (request, org, project, key, at)
  join budgets b on b.org_id = r.org and (b.project_id is null or b.project_id = r.project)
    and (b.key_id is null or b.key_id = r.key)
  cross join lateral window_bounds(b.period, b.time_zone, r.at) s`;

const openText = `
  insert into windows (org_id, budget_id, starts_at, ends_at, "limit", ceiling)
  select distinct b.org_id, b.id, s.starts_at, s.ends_at, b."limit", b."limit" ${budgetsText}
  where not exists (select from windows w where w.budget_id = b.id and w.starts_at = s.starts_at)
  order by b.id, s.starts_at
  on conflict (budget_id, starts_at) do nothing`;

const accountsText = `
  select r.request, b.id as budget, b.unit, w.id as "window" ${budgetsText}
  join windows w on w.budget_id = b.id and w.starts_at = s.starts_at order by b.id`;

export const openAccounts = async (client: Queryable, external: External) => {
  const accounts = new Map<string, Account[]>();
  if (external.length === 0) {
    return accounts;
  }
  // A record that comes twice in a batch is one.
  const wanted = [...new Map(external.map(one => [one.request, one])).values()];
  const values = [
    wanted.map(({request}) => request),
    wanted.map(({org}) => org),
    wanted.map(({project}) => project),
    wanted.map(({key}) => key),
    wanted.map(({at}) => at),
  ];
  await client.query({name: 'budget-external-open', text: openText, values});
  const {rows} = await client.query<Account & {request: string}>({
    name: 'budget-external-accounts',
    text: accountsText,
    values,
  });
  for (const {request, ...account} of rows) {
    accounts.set(request, [...(accounts.get(request) ?? []), account]);
  }
  return accounts;
};
