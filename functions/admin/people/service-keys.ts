/**
Service keys: creates, lists, shows and revokes the keys by which machines use this API. A key itself is in the answer to its
creation and nowhere else; it starts no inference.

In: a name, a role that is not above one's own, an end. Out: the key. It is read at each request, so a revoked one is refused at once.
*/
import type {Request, Router} from 'express';
import type pg from 'pg';
import {accessOf, type Role} from '../../../events/access/access.ts';
import {hashSecret, makeServiceKey} from '../../../events/api-key.ts';
import {SluiceError} from '../../../events/errors.ts';
import {requireMatch, sendResource} from '../../../events/etag.ts';
import {readJson} from '../../../events/json-body.ts';
import {answerOnce, sendOnce} from '../api/answer-once.ts';
import type {Dependencies} from '../api/dependencies.ts';
import {toInstantToCome} from '../api/instants.ts';
import {type PageQuery, toPage} from '../api/page.ts';
import {refuseForeignProject} from '../api/taken.ts';
import {idIn} from '../api/tenancy.ts';
import {placeOf, refuseAbove} from './granting.ts';

type NewServiceKey = Readonly<{name: string; role: Role; project?: string; expiresAt?: string}>;
type Row = {
  id: string;
  org_id: string;
  project_id: string | null;
  public_id: string;
  name: string;
  role: Role;
  expires_at: Date | null;
  revoked_at: Date | null;
  last_used_at: Date | null;
  created_at: Date;
};

const path = '/admin/v1/orgs/:org/service-keys';
const columns =
  'id, org_id, project_id, public_id, name, role, expires_at, revoked_at, last_used_at, created_at';
const insertText = `
  insert into service_keys (id, org_id, project_id, public_id, secret_hash, name, role, expires_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8) returning ${columns}`;
const listText = `
  select ${columns} from service_keys
  where org_id = $1 and ($2::uuid is null or project_id = $2) and ($3::uuid is null or id > $3)
  order by id limit $4`;
const findText = `select ${columns} from service_keys where id = $1`;
const lockText = `${findText} for no key update`;
const revokeText = 'update service_keys set revoked_at = $2 where id = $1 and revoked_at is null';

export const serviceKeyRoutes = ({contract, tenancy, now, newId}: Dependencies) =>
  function addServiceKeyRoutes(router: Router) {
    router.post(path, async (request, response) => {
      const wanted = contract.body<NewServiceKey>('createServiceKey', readJson(request));
      const {name, role, project} = wanted;
      const expiresAt =
        wanted.expiresAt === undefined
          ? undefined
          : toInstantToCome(wanted.expiresAt, 'expiresAt', now());
      const {publicId, secret, text} = makeServiceKey();
      const create = answerOnce(
        request,
        async (client, org) => {
          refuseAbove(request, placeOf(org, project), role);
          await refuseLonger(client, request, expiresAt);
          const {rows} = await client.query<Row>(insertText, [
            newId(),
            org,
            project,
            publicId,
            hashSecret(secret),
            name,
            role,
            expiresAt,
          ]);
          return {...toView(rows[0] as Row), key: text};
        },
        {secret: 'key'},
      );
      const answer = await tenancy(request)
        .owning('org', idIn(request, 'org'), create)
        .catch(refuseForeignProject(project));
      sendOnce(request, response, answer, {
        status: 201,
        location: ({id}) => `/admin/v1/service-keys/${id}`,
      });
    });

    router.get(path, async (request, response) => {
      const {project, after, limit} = contract.query<PageQuery & {project?: string}>(
        'listServiceKeys',
        request.query,
      );
      const {rows} = await tenancy(request).owning('org', idIn(request, 'org'), (client, org) =>
        client.query<Row>(listText, [org, project, after, limit + 1]),
      );
      response.json(toPage(rows.map(toView), limit));
    });

    router.get('/admin/v1/service-keys/:id', async (request, response) => {
      contract.query('getServiceKey', request.query);
      const id = idIn(request, 'id');
      const {rows} = await tenancy(request).owning('serviceKey', id, client =>
        client.query<Row>(findText, [id]),
      );
      sendResource(request, response, toView(rows[0] as Row));
    });

    router.delete('/admin/v1/service-keys/:id', async (request, response) => {
      const id = idIn(request, 'id');
      await tenancy(request).owning('serviceKey', id, async client => {
        const {rows} = await client.query<Row>(lockText, [id]);
        const row = rows[0] as Row;
        refuseAbove(request, placeOf(row.org_id, row.project_id), row.role);
        await requireMatch(request, async () => toView(row));
        await client.query(revokeText, [id, now()]);
      });
      response.status(204).end();
    });
  };

/** Or a key that is to end would make one that does not, and whoever stole it would keep what it could. */
const refuseLonger = async (
  client: pg.PoolClient,
  request: Request,
  expiresAt: Date | undefined,
) => {
  const {actor} = accessOf(request);
  if (actor.kind !== 'service') {
    return;
  }
  const {rows} = await client.query<Row>(findText, [actor.id]);
  const end = rows[0]?.expires_at;
  if (end && (!expiresAt || expiresAt > end)) {
    throw new SluiceError(
      'forbidden',
      `expiresAt: expected at the latest ${end.toISOString()}, when the key that asks is over`,
      {parameter: 'expiresAt'},
    );
  }
};

const toView = (row: Row) => ({
  id: row.id,
  publicId: row.public_id,
  org: row.org_id,
  ...(row.project_id === null ? {} : {project: row.project_id}),
  name: row.name,
  role: row.role,
  ...(row.expires_at === null ? {} : {expiresAt: row.expires_at}),
  ...(row.revoked_at === null ? {} : {revokedAt: row.revoked_at}),
  ...(row.last_used_at === null ? {} : {lastUsedAt: row.last_used_at}),
  createdAt: row.created_at,
});
