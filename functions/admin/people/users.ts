/**
Users: creates, lists, shows, changes and deletes the people who log in. The operator's alone.

In: an email, a name, whether they run the platform. Out: the user. Who is disabled is logged out everywhere at once.
*/
import type {Router} from 'express';
import type pg from 'pg';
import {SluiceError} from '../../../events/errors.ts';
import {requireMatch, sendResource} from '../../../events/etag.ts';
import {readJson} from '../../../events/json-body.ts';
import {answerOnce, sendOnce} from '../api/answer-once.ts';
import type {Dependencies} from '../api/dependencies.ts';
import {type PageQuery, toPage} from '../api/page.ts';
import {refuseTaken} from '../api/taken.ts';
import {idIn} from '../api/tenancy.ts';

type NewUser = Readonly<{email: string; name: string; operator?: boolean}>;
type Change = Readonly<{name?: string; operator?: boolean; disabled?: boolean}>;
type Row = {
  id: string;
  email: string;
  name: string;
  issuer: string | null;
  subject: string | null;
  operator: boolean;
  disabled_at: Date | null;
  last_login_at: Date | null;
  created_at: Date;
};

const base = '/admin/v1/users';
const insertText = 'select * from create_user($1, $2, $3, $4)';
const listText = 'select * from list_users($1, $2, $3, $4)';
const lockText = 'select * from lock_user($1)';
const updateText = 'select * from change_user($1, $2, $3, $4)';
const deleteText = 'select delete_user($1)';

/** By which a person is known, whatever they type: RFC 5321 lets the case of the first part differ, and no provider of mail does. */
export const normalEmail = (email: string) => email.toLowerCase();

export const noUser = (id: string) =>
  new SluiceError('not_found', `there is no user ${id}`, {parameter: 'id'});

export const userRoutes = ({contract, tenancy, newId}: Dependencies) =>
  function addUserRoutes(router: Router) {
    router.post(base, async (request, response) => {
      const {
        email,
        name,
        operator = false,
      } = contract.body<NewUser>('createUser', readJson(request));
      const wanted = normalEmail(email);
      const create = answerOnce(request, async client => {
        const {rows} = await client.query<Row>(insertText, [newId(), wanted, name, operator]);
        return toView(rows[0] as Row);
      });
      const answer = await tenancy(request)
        .operator(create)
        .catch(refuseTaken(`there is a user ${wanted} already`, 'email'));
      sendOnce(request, response, answer, {status: 201, location: ({id}) => `${base}/${id}`});
    });

    router.get(base, async (request, response) => {
      const {email, after, limit} = contract.query<PageQuery & {email?: string}>(
        'listUsers',
        request.query,
      );
      const {rows} = await tenancy(request).operator(client =>
        client.query<Row>(listText, [null, email && normalEmail(email), after, limit + 1]),
      );
      response.json(toPage(rows.map(toView), limit));
    });

    router.get(`${base}/:id`, async (request, response) => {
      contract.query('getUser', request.query);
      const id = idIn(request, 'id');
      const {rows} = await tenancy(request).operator(client =>
        client.query<Row>(listText, [id, null, null, 1]),
      );
      sendResource(request, response, viewOrNone(rows, id));
    });

    router.patch(`${base}/:id`, async (request, response) => {
      const {name, operator, disabled} = contract.body<Change>('changeUser', readJson(request));
      const id = idIn(request, 'id');
      const {rows} = await tenancy(request).operator(async client => {
        await requireMatch(request, () => lock(client, id));
        return client.query<Row>(updateText, [id, name, operator, disabled]);
      });
      sendResource(request, response, viewOrNone(rows, id));
    });

    router.delete(`${base}/:id`, async (request, response) => {
      const id = idIn(request, 'id');
      await tenancy(request).operator(async client => {
        const user = await lock(client, id);
        await requireMatch(request, async () => user);
        await client.query(deleteText, [id]);
      });
      response.status(204).end();
    });
  };

const lock = async (client: pg.PoolClient, id: string) =>
  viewOrNone((await client.query<Row>(lockText, [id])).rows, id);

const viewOrNone = ([row]: readonly Row[], id: string) => {
  if (!row) {
    throw noUser(id);
  }
  return toView(row);
};

const toView = (row: Row) => ({
  id: row.id,
  email: row.email,
  name: row.name,
  operator: row.operator,
  invited: row.issuer === null && row.last_login_at === null,
  ...(row.issuer === null ? {} : {issuer: row.issuer}),
  ...(row.subject === null ? {} : {subject: row.subject}),
  ...(row.disabled_at === null ? {} : {disabledAt: row.disabled_at}),
  ...(row.last_login_at === null ? {} : {lastLoginAt: row.last_login_at}),
  createdAt: row.created_at,
});
