/**
Members: gives people roles in an organisation or in one project of it, shows and changes them, takes them away.

In: an email, a role. Out: the member, with what may be shown of its user. Nobody touches a role above their own (`granting.ts`); that
an organisation keeps an owner is held by the schema (`keep_an_owner`), where two who remove each other meet.
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
import {normalEmail} from './users.ts';

type NewMember = Readonly<{email: string; role: Role; name?: string; project?: string}>;
type Question = PageQuery & Readonly<{project?: string; email?: string}>;
type Row = {
  id: string;
  org_id: string;
  project_id: string | null;
  user_id: string;
  role: Role;
  created_at: Date;
  email: string;
  name: string;
  invited: boolean;
  disabled_at: Date | null;
  last_login_at: Date | null;
};

const path = '/admin/v1/orgs/:org/members';
/** An email may be longer. */
const nameMax = 200;
const inviteText = 'select invite_user($1, $2, $3) as id';
const insertText =
  'insert into members (id, org_id, project_id, user_id, role) values ($1, $2, $3, $4, $5)';
const listText = 'select * from list_members($1, $2, $3, $4, $5)';
/** What is changed or removed is looked at under its lock: its role may be another than a moment ago. */
const lockText = 'select org_id, project_id, role from members where id = $1 for update';
const updateText = 'update members set role = $2 where id = $1';
const removeText = 'select remove_member($1) as done';

export const memberRoutes = ({contract, tenancy, newId}: Dependencies) =>
  function addMemberRoutes(router: Router) {
    router.post(path, async (request, response) => {
      const wanted = contract.body<NewMember>('createMember', readJson(request));
      const {role, project} = wanted;
      const email = normalEmail(wanted.email);
      const create = answerOnce(request, async (client, org) => {
        refuseAbove(request, placeOf(org, project), role);
        const {rows} = await client.query<{id: string}>(inviteText, [
          newId(),
          email,
          wanted.name ?? email.slice(0, nameMax),
        ]);
        const id = newId();
        await client.query(insertText, [id, org, project, rows[0]?.id, role]);
        return find(client, id);
      });
      const answer = await tenancy(request)
        .owning('org', idIn(request, 'org'), create)
        .catch(refuseForeignProject(project))
        .catch(refuseTaken(`${email} has a role here already; change that`, 'email'));
      sendOnce(request, response, answer, {
        status: 201,
        location: ({id}) => `/admin/v1/members/${id}`,
      });
    });

    router.get(path, async (request, response) => {
      const {project, email, after, limit} = contract.query<Question>('listMembers', request.query);
      const {rows} = await tenancy(request).owning('org', idIn(request, 'org'), client =>
        client.query<Row>(listText, [null, project, email && normalEmail(email), after, limit + 1]),
      );
      response.json(toPage(rows.map(toView), limit));
    });

    router.get('/admin/v1/members/:id', async (request, response) => {
      contract.query('getMember', request.query);
      const id = idIn(request, 'id');
      const member = await tenancy(request).owning('member', id, client => find(client, id));
      sendResource(request, response, member);
    });

    router.patch('/admin/v1/members/:id', async (request, response) => {
      const {role} = contract.body<{role: Role}>('changeMember', readJson(request));
      const id = idIn(request, 'id');
      const member = await tenancy(request)
        .owning('member', id, async client => {
          await lock(client, {id, request, granted: [role]});
          await client.query(updateText, [id, role]);
          return find(client, id);
        })
        .catch(refuseLastOwner);
      sendResource(request, response, member);
    });

    router.delete('/admin/v1/members/:id', async (request, response) => {
      const id = idIn(request, 'id');
      await tenancy(request)
        .owning('member', id, async client => {
          await lock(client, {id, request, granted: []});
          await client.query(removeText, [id]);
        })
        .catch(refuseLastOwner);
      response.status(204).end();
    });
  };

const gone = (id: string) =>
  new SluiceError('not_found', `there is no member ${id}`, {parameter: 'id'});

const find = async (client: pg.PoolClient, id: string) => {
  const {rows} = await client.query<Row>(listText, [id, null, null, null, 1]);
  if (!rows[0]) {
    throw gone(id);
  }
  return toView(rows[0]);
};

const lock = async (
  client: pg.PoolClient,
  {id, request, granted}: {id: string; request: Request; granted: readonly Role[]},
) => {
  const {rows} = await client.query<Row>(lockText, [id]);
  const [row] = rows;
  if (!row) {
    throw gone(id);
  }
  refuseAbove(request, placeOf(row.org_id, row.project_id), row.role, ...granted);
  await requireMatch(request, () => find(client, id));
};

const restrictViolation = '23001';

const refuseLastOwner = (error: unknown): never => {
  if ((error as {code?: unknown}).code === restrictViolation) {
    throw new SluiceError(
      'conflict',
      'the organisation has no other owner who can log in; make one first',
      {parameter: 'role', cause: error},
    );
  }
  throw error;
};

const toView = (row: Row) => ({
  id: row.id,
  org: row.org_id,
  ...(row.project_id === null ? {} : {project: row.project_id}),
  user: row.user_id,
  email: row.email,
  name: row.name,
  role: row.role,
  invited: row.invited,
  ...(row.disabled_at === null ? {} : {disabledAt: row.disabled_at}),
  ...(row.last_login_at === null ? {} : {lastLoginAt: row.last_login_at}),
  createdAt: row.created_at,
});
