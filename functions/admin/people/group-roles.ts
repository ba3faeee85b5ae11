/**
Group roles: what membership of a group of the OpenID provider is worth in an organisation or in one project of it.

In: the group's name as the provider writes it, a role. Out: both. Counts from the next request of who is in it, of sessions too.
*/
import type {Request, Router} from 'express';
import type pg from 'pg';
import type {Role} from '../../../events/access/access.ts';
import {SluiceError} from '../../../events/errors.ts';
import {requireMatch, sendResource} from '../../../events/etag.ts';
import {readJson} from '../../../events/json-body.ts';
import {answerOnce, sendOnce} from '../api/answer-once.ts';
import type {Dependencies} from '../api/dependencies.ts';
import {type PageQuery, toPage} from '../api/page.ts';
import {refuseForeignProject, refuseTaken} from '../api/taken.ts';
import {idIn} from '../api/tenancy.ts';
import {placeOf, refuseAbove} from './granting.ts';

type NewGroupRole = Readonly<{group: string; role: Role; project?: string}>;
type Row = {
  id: string;
  org_id: string;
  project_id: string | null;
  group_name: string;
  role: Role;
  created_at: Date;
};

const path = '/admin/v1/orgs/:org/group-roles';
const insertText = `
  insert into group_roles (id, org_id, project_id, group_name, role)
  values ($1, $2, $3, $4, $5) returning *`;
const listText = `
  select * from group_roles
  where org_id = $1 and ($2::uuid is null or project_id = $2) and ($3::uuid is null or id > $3)
  order by id limit $4`;
const findText = 'select * from group_roles where id = $1';
const updateText = 'update group_roles set role = $2 where id = $1 returning *';
const removeText = 'select remove_group_role($1)';

export const groupRoleRoutes = ({contract, tenancy, newId}: Dependencies) =>
  function addGroupRoleRoutes(router: Router) {
    router.post(path, async (request, response) => {
      const {group, role, project} = contract.body<NewGroupRole>(
        'createGroupRole',
        readJson(request),
      );
      const create = answerOnce(request, async (client, org) => {
        refuseAbove(request, placeOf(org, project), role);
        const {rows} = await client.query<Row>(insertText, [newId(), org, project, group, role]);
        return toView(rows[0] as Row);
      });
      const answer = await tenancy(request)
        .owning('org', idIn(request, 'org'), create)
        .catch(refuseForeignProject(project))
        .catch(
          refuseTaken(`${JSON.stringify(group)} has a role here already; change that`, 'group'),
        );
      sendOnce(request, response, answer, {
        status: 201,
        location: ({id}) => `/admin/v1/group-roles/${id}`,
      });
    });

    router.get(path, async (request, response) => {
      const {project, after, limit} = contract.query<PageQuery & {project?: string}>(
        'listGroupRoles',
        request.query,
      );
      const {rows} = await tenancy(request).owning('org', idIn(request, 'org'), (client, org) =>
        client.query<Row>(listText, [org, project, after, limit + 1]),
      );
      response.json(toPage(rows.map(toView), limit));
    });

    router.get('/admin/v1/group-roles/:id', async (request, response) => {
      contract.query('getGroupRole', request.query);
      const id = idIn(request, 'id');
      const row = await tenancy(request).owning('groupRole', id, client => find(client, id));
      sendResource(request, response, toView(row));
    });

    router.patch('/admin/v1/group-roles/:id', async (request, response) => {
      const {role} = contract.body<{role: Role}>('changeGroupRole', readJson(request));
      const id = idIn(request, 'id');
      const row = await tenancy(request).owning('groupRole', id, async client => {
        await lock(client, {id, request, granted: [role]});
        const {rows} = await client.query<Row>(updateText, [id, role]);
        return rows[0] as Row;
      });
      sendResource(request, response, toView(row));
    });

    router.delete('/admin/v1/group-roles/:id', async (request, response) => {
      const id = idIn(request, 'id');
      await tenancy(request).owning('groupRole', id, async client => {
        await lock(client, {id, request, granted: []});
        await client.query(removeText, [id]);
      });
      response.status(204).end();
    });
  };

const find = async (client: pg.PoolClient, id: string, text = findText): Promise<Row> => {
  const {rows} = await client.query<Row>(text, [id]);
  if (!rows[0]) {
    throw new SluiceError('not_found', `there is no group role ${id}`, {parameter: 'id'});
  }
  return rows[0];
};

/** What is changed or removed is looked at under its lock: its role may be another than a moment ago. */
const lock = async (
  client: pg.PoolClient,
  {id, request, granted}: {id: string; request: Request; granted: readonly Role[]},
) => {
  const row = await find(client, id, `${findText} for update`);
  refuseAbove(request, placeOf(row.org_id, row.project_id), row.role, ...granted);
  await requireMatch(request, async () => toView(row));
};

const toView = (row: Row) => ({
  id: row.id,
  org: row.org_id,
  ...(row.project_id === null ? {} : {project: row.project_id}),
  group: row.group_name,
  role: row.role,
  createdAt: row.created_at,
});
