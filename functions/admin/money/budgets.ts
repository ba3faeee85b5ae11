/**
Budgets: creates, lists, shows and changes budgets. What they count is the budget function's; here it is only read.

A changed limit counts in the current window in the same transaction (a trigger of the schema), and what it newly reaches is
announced there. Unit, owner, period and time zone stay: another period would begin a new window, with nothing spent in it.
*/
import type {Router} from 'express';
import type pg from 'pg';
import {SluiceError} from '../../../events/errors.ts';
import {requireMatch, sendResource} from '../../../events/etag.ts';
import {readJson} from '../../../events/json-body.ts';
import {answerOnce, sendOnce} from '../api/answer-once.ts';
import type {Dependencies} from '../api/dependencies.ts';
import {type PageQuery, toPage} from '../api/page.ts';
import {idIn, type Kind} from '../api/tenancy.ts';
import {parseAmount, refuseOverflow, type Unit} from './amount.ts';
import {announceShares} from './announce.ts';
import {type BudgetRow, toBudgetView} from './budget.ts';

type NewBudget = Readonly<{
  org?: string;
  project?: string;
  key?: string;
  unit: Unit;
  limit: string | number;
  period: string;
  timeZone?: string;
  thresholds?: readonly number[];
}>;
type Change = Readonly<{
  limit?: string | number;
  paused?: boolean;
  thresholds?: readonly number[];
}>;

const base = '/admin/v1/budgets';
const insertText = `
  insert into budgets (id, org_id, project_id, key_id, unit, "limit", period, time_zone, thresholds)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`;
const selectText = `
  select b.id, b.org_id, b.project_id, b.key_id, b.unit, b.period, b.time_zone, b.thresholds,
         b.paused_at is not null as paused, b.created_at, b."limit" + coalesce(w.topped_up, 0) as "limit",
         coalesce(w.topped_up, 0) as topped_up,
         coalesce(w.spent, 0) as spent, coalesce(w.overage, 0) as overage, coalesce(w.leased, 0) as leased,
         w.id as window_id, w.starts_at, w.ends_at
  from budgets b
  cross join lateral window_bounds(b.period, b.time_zone, now()) bounds
  left join windows w on w.budget_id = b.id and w.starts_at = bounds.starts_at`;
const findText = `${selectText} where b.id = $1`;
const listText = `
  ${selectText} where b.org_id = $1 and ($2::uuid is null or b.id > $2)
    and ($4::uuid is null or b.project_id = $4 or b.key_id in (select id from keys where project_id = $4))
  order by b.id limit $3`;
const changeText = `
  update budgets
  set "limit" = coalesce($2, "limit"),
      paused_at = case when $3::boolean is null then paused_at when $3 then coalesce(paused_at, now()) end,
      thresholds = coalesce($4, thresholds)
  where id = $1`;
/** The budget, then its windows in order of id, as in every transaction: only then may `revision` be locked, by the change. */
const lockText = 'select unit from budgets where id = $1 for no key update';
const lockWindowsText =
  'select from windows where budget_id = $1 and ends_at > now() order by id for update';

export const budgetRoutes = ({contract, tenancy, now, newId}: Dependencies) =>
  function addBudgetRoutes(router: Router) {
    router.post(base, async (request, response) => {
      const wanted = contract.body<NewBudget>('createBudget', readJson(request));
      const limit = parseAmount(wanted.unit, wanted.limit, 'limit');
      const {timeZone = 'UTC', thresholds = [50, 80, 100]} = wanted;
      checkTimeZone(timeZone);
      const [kind, owner] = ownerOf(wanted);
      const id = newId();
      const create = answerOnce(request, async (client, org) => {
        await client.query(insertText, [
          id,
          org,
          wanted.project,
          wanted.key,
          wanted.unit,
          limit,
          wanted.period,
          timeZone,
          sorted(thresholds),
        ]);
        return show(client, id);
      });
      const answer = await tenancy(request).owning(kind, owner, create).catch(refuseTimeZone);
      sendOnce(request, response, answer, {status: 201, location: view => `${base}/${view.id}`});
    });

    router.get(base, async (request, response) => {
      const query = contract.query<PageQuery & {org: string; project?: string}>(
        'listBudgets',
        request.query,
      );
      const {rows} = await tenancy(request).owning('org', query.org, (client, org) =>
        client.query<BudgetRow>(listText, [org, query.after, query.limit + 1, query.project]),
      );
      response.json(toPage(rows.map(toBudgetView), query.limit));
    });

    router.get(`${base}/:id`, async (request, response) => {
      contract.query('getBudget', request.query);
      const id = idIn(request, 'id');
      const view = await tenancy(request).owning('budget', id, client => show(client, id));
      sendResource(request, response, view);
    });

    router.patch(`${base}/:id`, async (request, response) => {
      const change = contract.body<Change>('changeBudget', readJson(request));
      const id = idIn(request, 'id');
      const view = await tenancy(request)
        .owning('budget', id, async client => {
          const {rows} = await client.query<{unit: Unit}>(lockText, [id]);
          await requireMatch(request, () => show(client, id));
          return applyChange(client, {id, ...(rows[0] as {unit: Unit})}, change, now());
        })
        .catch(refuseOverflow('limit'));
      sendResource(request, response, view);
    });
  };

const applyChange = async (
  client: pg.PoolClient,
  /** Locked. */
  {id, unit}: Readonly<{id: string; unit: Unit}>,
  {limit, paused, thresholds}: Change,
  time: Date,
) => {
  const amount = limit === undefined ? undefined : parseAmount(unit, limit, 'limit');
  const mayAnnounce = limit !== undefined || thresholds !== undefined;
  if (mayAnnounce) {
    await client.query(lockWindowsText, [id]);
  }
  await client.query(changeText, [id, amount, paused, thresholds && sorted(thresholds)]);
  if (mayAnnounce) {
    await announceShares(client, id, time);
  }
  return show(client, id);
};

const sorted = (thresholds: readonly number[]) => thresholds.toSorted((one, other) => one - other);

const show = async (client: pg.PoolClient, id: string) => {
  const {rows} = await client.query<BudgetRow>(findText, [id]);
  return toBudgetView(rows[0] as BudgetRow);
};

/** The contract lets exactly one through. */
const ownerOf = ({org, project, key}: NewBudget): [Kind, string] => {
  if (org !== undefined) {
    return ['org', org];
  }
  return project === undefined ? ['key', key as string] : ['project', project];
};

const timeZoneError = (cause?: unknown) =>
  new SluiceError(
    'bad_request',
    'timeZone: expected a name of the IANA time zone database, such as Europe/Berlin',
    {parameter: 'timeZone', cause},
  );

/** PostgreSQL alone would take "Anything+3" as a POSIX zone, with the sign the other way round. */
const checkTimeZone = (timeZone: string) => {
  try {
    new Intl.DateTimeFormat('en', {timeZone});
  } catch (error) {
    throw timeZoneError(error);
  }
};

/** A zone that we know and the database does not (22023): its list may be older. */
const refuseTimeZone = (error: unknown): never => {
  throw (error as {code?: unknown}).code === '22023' ? timeZoneError(error) : error;
};
