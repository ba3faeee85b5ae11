/**
Orgs: creates, lists, shows and limits organisations. In: a name, limits. Out: the organisation.
*/
import type {Router} from 'express';
import {requireMatch, sendResource} from '../../events/etag.ts';
import {readJson} from '../../events/json-body.ts';
import {type RateColumns, type RateFields, rateView} from '../../events/rates.ts';
import {answerOnce, sendOnce} from './answer-once.ts';
import type {Dependencies} from './dependencies.ts';
import {type PageQuery, toPage} from './page.ts';
import {changeText, rateValues, toRateColumns} from './rates.ts';
import {refuseTaken} from './taken.ts';
import {idIn} from './tenancy.ts';

type Row = RateColumns & {
  id: string;
  name: string;
  suspended_at: Date | null;
  created_at: Date;
};

const base = '/admin/v1/orgs';
const insertText = `
  insert into orgs (id, name, requests_per_minute, tokens_per_minute, parallel_requests)
  values ($1, $2, $3, $4, $5) returning *`;
const updateText = changeText('orgs');
const listText = 'select * from list_orgs($1, $2, $3)';
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
        const {rows} = await client.query<Row>(insertText, [id, name, ...rateValues(rates)]);
        return toView(rows[0] as Row);
      });
      const answer = await tenancy(request)
        .as(id, create)
        .catch(refuseTaken(`there is an organisation ${JSON.stringify(name)} already`));
      sendOnce(request, response, answer, {status: 201, location: view => `${base}/${view.id}`});
    });

    router.get(base, async (request, response) => {
      const query = contract.query<PageQuery & {name?: string}>('listOrgs', request.query);
      const {rows} = await pool.query<Row>(listText, [query.name, query.after, query.limit + 1]);
      response.json(toPage(rows.map(toView), query.limit));
    });

    router.get(`${base}/:org`, async (request, response) => {
      contract.query('getOrg', request.query);
      const row = await tenancy(request).owning(
        'org',
        idIn(request, 'org'),
        async (client, org) => {
          const {rows} = await client.query<Row>(findText, [org]);
          return rows[0] as Row;
        },
      );
      sendResource(request, response, toView(row));
    });

    router.patch(`${base}/:org`, async (request, response) => {
      const change = contract.body<RateFields>('changeOrg', readJson(request));
      const view = await tenancy(request).owning(
        'org',
        idIn(request, 'org'),
        async (client, org) => {
          const show = async (text: string, ...values: unknown[]) =>
            toView((await client.query<Row>(text, [org, ...values])).rows[0] as Row);
          await requireMatch(request, () => show(lockText));
          return show(updateText, toRateColumns(change));
        },
      );
      sendResource(request, response, view);
    });
  };

const toView = (row: Row) => ({
  id: row.id,
  name: row.name,
  ...rateView(row),
  ...(row.suspended_at === null ? {} : {suspendedAt: row.suspended_at}),
  createdAt: row.created_at,
});
