/**
Orgs: creates, lists, shows, names and limits organisations. In: a name, limits. Out: the organisation. How one ends: `org-life.ts`.
*/
import type {Router} from 'express';
import {accessOf} from '../../../events/access/access.ts';
import {SluiceError} from '../../../events/errors.ts';
import {requireMatch, sendResource} from '../../../events/etag.ts';
import {readJson} from '../../../events/json-body.ts';
import {type RateColumns, type RateFields, rateView} from '../../../events/rates.ts';
import {answerOnce, sendOnce} from '../api/answer-once.ts';
import type {Dependencies} from '../api/dependencies.ts';
import {type PageQuery, toPage} from '../api/page.ts';
import {changeText, rateValues, toRateColumns} from '../api/rates.ts';
import {refuseTaken} from '../api/taken.ts';
import {idIn} from '../api/tenancy.ts';

export type OrgRow = RateColumns & {
  id: string;
  name: string;
  suspended_at: Date | null;
  suspended_reason: string | null;
  deleted_at: Date | null;
  purge_after: Date | null;
  purged_at: Date | null;
  created_at: Date;
};

const base = '/admin/v1/orgs';
const insertText = `
  insert into orgs (id, name, requests_per_minute, tokens_per_minute, parallel_requests)
  values ($1, $2, $3, $4, $5) returning *`;
const updateText = changeText('orgs', ['name']);
const listText = 'select * from list_orgs($1, $2, $3, $4)';
const findText = 'select * from orgs where id = $1';
const lockText = `${findText} for no key update`;

export const orgRoutes = ({pool, contract, tenancy, newId}: Dependencies) =>
  function addOrgRoutes(router: Router) {
    router.post(base, async (request, response) => {
      const {name, ...rates} = contract.body<{name: string} & RateFields>(
        'createOrg',
        readJson(request),
      );
      const id = newId();
      const create = answerOnce(request, async client => {
        const {rows} = await client.query<OrgRow>(insertText, [id, name, ...rateValues(rates)]);
        return orgView(rows[0]);
      });
      const answer = await tenancy(request)
        .as(id, create)
        .catch(refuseTaken(`there is an organisation ${JSON.stringify(name)} already`));
      sendOnce(request, response, answer, {status: 201, location: view => `${base}/${view.id}`});
    });

    router.get(base, async (request, response) => {
      const query = contract.query<PageQuery & {name?: string}>('listOrgs', request.query);
      const {isOperator, grants} = accessOf(request).actor;
      const among = isOperator ? null : [...new Set(grants.map(({org}) => org))];
      const {rows} = await pool.query<OrgRow>(listText, [
        query.name,
        query.after,
        query.limit + 1,
        among,
      ]);
      response.json(toPage(rows.map(orgView), query.limit));
    });

    router.get(`${base}/:org`, async (request, response) => {
      contract.query('getOrg', request.query);
      const row = await tenancy(request).owning(
        'org',
        idIn(request, 'org'),
        async (client, org) => {
          const {rows} = await client.query<OrgRow>(findText, [org]);
          return rows[0];
        },
      );
      sendResource(request, response, orgView(row));
    });

    router.patch(`${base}/:org`, async (request, response) => {
      const change = contract.body<{name?: string} & RateFields>('changeOrg', readJson(request));
      const view = await tenancy(request)
        .owning('org', idIn(request, 'org'), async (client, org) => {
          const show = async (text: string, ...values: unknown[]) =>
            orgView((await client.query<OrgRow>(text, [org, ...values])).rows[0]);
          const before = await show(lockText);
          await requireMatch(request, async () => before);
          refuseDeletedOrg(before);
          return show(updateText, {...toRateColumns(change), name: change.name});
        })
        .catch(refuseTaken(`there is an organisation ${JSON.stringify(change.name)} already`));
      sendResource(request, response, view);
    });
  };

export const refuseDeletedOrg = ({deletedAt}: {deletedAt?: Date}) => {
  if (deletedAt) {
    throw new SluiceError('conflict', 'the organisation is deleted');
  }
};

export const orgView = (found: OrgRow | undefined) => {
  const row = found as OrgRow;
  return {
    id: row.id,
    name: row.name,
    ...rateView(row),
    ...(row.suspended_at === null ? {} : {suspendedAt: row.suspended_at}),
    ...(row.suspended_reason === null ? {} : {suspendedReason: row.suspended_reason}),
    ...(row.deleted_at === null ? {} : {deletedAt: row.deleted_at}),
    ...(row.purge_after === null ? {} : {purgeAfter: row.purge_after}),
    ...(row.purged_at === null ? {} : {purgedAt: row.purged_at}),
    createdAt: row.created_at,
  };
};
