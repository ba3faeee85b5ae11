/**
Orgs: creates, lists and shows organisations. In: a name. Out: the organisation.
*/
import type {Router} from 'express';
import {readJson} from '../../events/json-body.ts';
import type {Dependencies} from './dependencies.ts';
import {type PageQuery, toPage} from './page.ts';
import {refuseTaken} from './taken.ts';
import {idIn} from './tenancy.ts';

type Row = {id: string; name: string; suspended_at: Date | null; created_at: Date};

const base = '/admin/v1/orgs';
const insertText = 'insert into orgs (id, name) values ($1, $2) returning *';
const listText = 'select * from list_orgs($1, $2, $3)';
const findText = 'select * from orgs where id = $1';

export const orgRoutes = ({pool, contract, tenancy, newId}: Dependencies) =>
  function addOrgRoutes(router: Router) {
    router.post(base, async (request, response) => {
      const {name} = contract.body<{name: string}>('createOrg', readJson(request));
      const id = newId();
      const {rows} = await tenancy
        .as(id, client => client.query<Row>(insertText, [id, name]))
        .catch(refuseTaken(`there is an organisation ${JSON.stringify(name)} already`));
      response
        .status(201)
        .location(`${base}/${id}`)
        .json(toView(rows[0] as Row));
    });

    router.get(base, async (request, response) => {
      const query = contract.query<PageQuery & {name?: string}>('listOrgs', request.query);
      const {rows} = await pool.query<Row>(listText, [query.name, query.after, query.limit + 1]);
      response.json(toPage(rows.map(toView), query.limit));
    });

    router.get(`${base}/:org`, async (request, response) => {
      contract.query('getOrg', request.query);
      const row = await tenancy.owning('org', idIn(request, 'org'), async (client, org) => {
        const {rows} = await client.query<Row>(findText, [org]);
        return rows[0] as Row;
      });
      response.json(toView(row));
    });
  };

const toView = ({id, name, suspended_at: suspendedAt, created_at: createdAt}: Row) => ({
  id,
  name,
  ...(suspendedAt === null ? {} : {suspendedAt}),
  createdAt,
});
