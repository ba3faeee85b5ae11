/**
What a batch needs of the database, locked. In: the keys that it names. Out: rows as the rules want them.

The order matters: organisations first, then what only their lock protects (requests, ledger), from which the windows and
leases follow that the batch touches without naming them.
*/
import {inTurn, type Queryable} from '../../events/database.ts';
import {type PriceColumns, toPrice} from '../../events/price.ts';
import {
  dueMax,
  type Intent,
  type Keys,
  type LeaseRow,
  type Loaded,
  type OpenRequest,
  priceKey,
  type WindowRow,
} from './store.ts';
import {loadCharged, openAccounts} from './store-postgres-external.ts';
import {loadSettlements} from './store-postgres-ledger.ts';

export const load = async (client: Queryable, keys: Keys): Promise<Loaded> => {
  const {requests, settlements} = await loadRequestsAndSettlements(client, keys);
  const named = [
    ...[...requests.values()].flatMap(request => request.intent.budgets),
    ...[...settlements.values()].flatMap(({unsettled}) => unsettled?.charges ?? []),
  ];
  const charged = await loadCharged(client, keys.external);
  const accounts = await openAccounts(
    client,
    keys.external.filter(({request}) => !charged.has(request)),
  );
  const windowIds = new Set([
    ...keys.windows,
    ...named.map(({window}) => window),
    ...[...accounts.values()].flat().map(({window}) => window),
  ]);
  const leaseIds = new Set([...keys.leases, ...named.flatMap(({lease}) => lease ?? [])]);
  const [windows, leases] = await inTurn(client, [
    () => loadWindows(client, [...windowIds]),
    () => loadLeases(client, [...leaseIds]),
  ]);
  const prices = keys.due.length > 0 ? await loadPrices(client, keys, requests) : new Map();
  return {windows, leases, requests, settlements, prices, charged, accounts};
};

const loadRequestsAndSettlements = async (client: Queryable, keys: Keys) => {
  const lock = () => lockOrganisations(client, keys.orgs);
  const load = () => loadRequests(client, keys);
  if (keys.due.length === 0) {
    const [, requests, settlements] = await inTurn(client, [
      lock,
      load,
      () => loadSettlements(client, keys, []),
    ]);
    return {requests, settlements};
  }
  // Whom a marker settles is known only when the requests are.
  const [, requests] = await inTurn(client, [lock, load]);
  return {requests, settlements: await loadSettlements(client, keys, [...requests.keys()])};
};

/** The last 8 bytes of an id as the lock's number: random, and negative, so that it meets nobody else's number. */
const lockNumberOf = (org: string) =>
  BigInt.asIntN(64, BigInt(`0x${org.slice(19, 23)}${org.slice(24)}`));

const lockOrganisations = async (client: Queryable, orgs: readonly string[]) => {
  const numbers = [...new Set(orgs.map(lockNumberOf))].sort((one, other) => (one < other ? -1 : 1));
  if (numbers.length > 0) {
    await client.query({
      name: 'budget-lock',
      text: 'select pg_advisory_xact_lock(number) from unnest($1::bigint[]) with ordinality as n (number, place) order by place',
      values: [numbers],
    });
  }
};

type RequestColumns = {
  id: string;
  org_id: string;
  deadline: Date;
  intent: Intent & {traceparent?: string};
  covered: boolean[];
};

const loadRequests = async (client: Queryable, {requests, due}: Keys) => {
  const found = new Map<string, OpenRequest>();
  if (requests.length + due.length === 0) {
    return found;
  }
  const {rows} = await client.query<RequestColumns>(
    due.length === 0
      ? {
          name: 'budget-requests',
          text: 'select id, org_id, deadline, intent, covered from requests where id = any($1::uuid[])',
          values: [requests],
        }
      : {
          name: 'budget-requests-due',
          text: `select id, org_id, deadline, intent, covered from requests where id = any($1::uuid[])
                 union all
                 select r.* from unnest($2::uuid[], $3::timestamptz[]) as d (org, before)
                 cross join lateral (
                   select id, org_id, deadline, intent, covered from requests
                   where org_id = d.org and deadline < d.before order by deadline limit $4) r`,
          values: [
            requests,
            due.map(({org}) => org),
            due.map(({beforeMs}) => new Date(beforeMs).toISOString()),
            dueMax,
          ],
        },
  );
  for (const {id, org_id: org, deadline, intent: kept, covered} of rows) {
    const {traceparent, ...intent} = kept;
    const traced = traceparent === undefined ? {} : {traceparent};
    found.set(id, {id, org, deadlineMs: deadline.getTime(), intent, covered, ...traced});
  }
  return found;
};

const loadWindows = async (client: Queryable, ids: readonly string[]) => {
  if (ids.length === 0) {
    return new Map<string, WindowRow>();
  }
  const {rows} = await client.query<WindowRow>({
    name: 'budget-windows',
    text: `select w.id, w.org_id as org, w.budget_id as budget, b.unit, b.thresholds, w.threshold_reached as "thresholdReached",
             w."limit", w.ceiling, w.spent, w.leased, w.overage
           from windows w join budgets b on b.id = w.budget_id
           where w.id = any($1::uuid[]) order by w.id for update of w`,
    values: [ids],
  });
  return new Map(rows.map(row => [row.id, row]));
};

const loadLeases = async (client: Queryable, ids: readonly string[]) => {
  if (ids.length === 0) {
    return new Map<string, LeaseRow>();
  }
  const {rows} = await client.query<LeaseRow>({
    name: 'budget-leases',
    text: `select id, org_id as org, window_id as "window", state, granted, settled, returned, open
           from leases where id = any($1::uuid[]) order by id for update`,
    values: [ids],
  });
  return new Map(rows.map(row => [row.id, row]));
};

const loadPrices = async (
  client: Queryable,
  keys: Keys,
  requests: ReadonlyMap<string, OpenRequest>,
) => {
  const wanted = new Map(keys.prices.map(price => [priceKey(price.modelId, price.version), price]));
  for (const {intent} of requests.values()) {
    const {modelId, priceVersion: version} = intent;
    wanted.set(priceKey(modelId, version), {modelId, version});
  }
  const list = [...wanted.values()];
  const {rows} = await client.query<PriceColumns & {model_id: string; version: number}>({
    name: 'budget-prices',
    text: `select p.* from unnest($1::uuid[], $2::integer[]) as wanted (model, version)
           join prices p on p.model_id = wanted.model and p.version = wanted.version`,
    values: [list.map(({modelId}) => modelId), list.map(({version}) => version)],
  });
  return new Map(rows.map(row => [priceKey(row.model_id, row.version), toPrice(row)]));
};
