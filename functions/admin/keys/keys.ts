/**
Keys: creates, lists, shows, changes and revokes API keys. The key itself is in the answer to its creation and nowhere else.

What happens to a key is told in the transaction that makes it true; gateways hear of it by the table `changes`.
*/
import type {Router} from 'express';
import {hashSecret, makeApiKey} from '../../../events/api-key.ts';
import {requireMatch, sendResource} from '../../../events/etag.ts';
import {makeEvent} from '../../../events/event.ts';
import {readJson} from '../../../events/json-body.ts';
import {insertIntoOutbox} from '../../../events/outbox.ts';
import type {RateFields} from '../../../events/rates.ts';
import {answerOnce, sendOnce} from '../api/answer-once.ts';
import type {Dependencies} from '../api/dependencies.ts';
import {toInstantToCome} from '../api/instants.ts';
import {type PageQuery, toPage} from '../api/page.ts';
import {changeText, rateValues, toRateColumns} from '../api/rates.ts';
import {idIn} from '../api/tenancy.ts';
import {findKey, type KeyRow, keyRows, keyView, refuseRevoked} from './key-view.ts';

/** Of a change: what is absent stays, null takes a restriction away. */
type Change = RateFields &
  Readonly<{
    name?: string;
    models?: readonly string[] | null;
    environments?: readonly string[] | null;
    scopes?: readonly string[] | null;
    expiresAt?: string | null;
    maxOutputTokens?: number | null;
  }>;
type NewKey = Change & Readonly<{name: string}>;

const path = '/admin/v1/projects/:project/keys';
const insertText = `
  insert into keys (id, org_id, project_id, public_id, secret_hash, name, models, environments, scopes, expires_at,
                    requests_per_minute, tokens_per_minute, parallel_requests, max_output_tokens)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`;
const updateText = changeText('keys', [
  'name',
  'models',
  'environments',
  'scopes',
  'expires_at',
  'max_output_tokens',
]);
const listText = `${keyRows} where k.project_id = $1 and ($2::uuid is null or k.id > $2) order by k.id limit $3`;
const revokeText = 'update keys set revoked_at = $2 where id = $1 and revoked_at is null';

const expiryIn = ({expiresAt}: Change, now: Date) =>
  typeof expiresAt === 'string' ? toInstantToCome(expiresAt, 'expiresAt', now) : expiresAt;

export const keyRoutes = ({contract, tenancy, now, newId}: Dependencies) =>
  function addKeyRoutes(router: Router) {
    router.post(path, async (request, response) => {
      const wanted = contract.body<NewKey>('createKey', readJson(request));
      const project = idIn(request, 'project');
      const expiresAt = expiryIn(wanted, now());
      const create = answerOnce(
        request,
        async (client, org) => {
          const id = newId();
          const {text, publicId, secret} = makeApiKey();
          await client.query(insertText, [
            id,
            org,
            project,
            publicId,
            hashSecret(secret),
            wanted.name,
            wanted.models,
            wanted.environments,
            wanted.scopes,
            expiresAt,
            ...rateValues(wanted),
            wanted.maxOutputTokens ?? null,
          ]);
          const created = await findKey(client, id);
          await insertIntoOutbox(client, [announce('created', created, now())]);
          return {...keyView(created, now()), key: text};
        },
        {secret: 'key'},
      );
      const answer = await tenancy(request).owning('project', project, create);
      sendOnce(request, response, answer, {
        status: 201,
        location: ({id}) => `/admin/v1/keys/${id}`,
      });
    });

    router.get(path, async (request, response) => {
      const {after, limit} = contract.query<PageQuery>('listKeys', request.query);
      const project = idIn(request, 'project');
      const {rows} = await tenancy(request).owning('project', project, client =>
        client.query<KeyRow>(listText, [project, after, limit + 1]),
      );
      response.json(
        toPage(
          rows.map(row => keyView(row, now())),
          limit,
        ),
      );
    });

    router.get('/admin/v1/keys/:id', async (request, response) => {
      contract.query('getKey', request.query);
      const id = idIn(request, 'id');
      const row = await tenancy(request).owning('key', id, client => findKey(client, id));
      sendResource(request, response, keyView(row, now()));
    });

    router.patch('/admin/v1/keys/:id', async (request, response) => {
      const change = contract.body<Change>('changeKey', readJson(request));
      const id = idIn(request, 'id');
      const columns = {
        ...toRateColumns(change),
        name: change.name,
        models: change.models,
        environments: change.environments,
        scopes: change.scopes,
        expires_at: expiryIn(change, now()),
        max_output_tokens: change.maxOutputTokens,
      };
      const changed = await tenancy(request).owning('key', id, async client => {
        const row = await findKey(client, id, {locked: true});
        await requireMatch(request, async () => keyView(row, now()));
        refuseRevoked(row);
        await client.query(updateText, [id, columns]);
        return findKey(client, id);
      });
      sendResource(request, response, keyView(changed, now()));
    });

    router.delete('/admin/v1/keys/:id', async (request, response) => {
      const {now: cuts} = contract.query<{now: boolean}>('revokeKey', request.query);
      const id = idIn(request, 'id');
      await tenancy(request).owning('key', id, async client => {
        const row = await findKey(client, id, {locked: true});
        await requireMatch(request, async () => keyView(row, now()));
        const {rowCount} = await client.query(revokeText, [id, now()]);
        await insertIntoOutbox(client, rowCount ? [announce('revoked', row, now())] : []);
        if (cuts) {
          await client.query('select cut_running($1)', [id]);
        }
      });
      response.status(204).end();
    });
  };

export const announce = (what: 'created' | 'revoked', row: KeyRow, time: Date) =>
  ({
    destination: 'broker:default',
    event: makeEvent({
      type: `dev.sluice.key.${what}.v1`,
      from: 'admin',
      id: `${row.id}/${what}`,
      orgid: row.org_id,
      projectid: row.project_id,
      subject: row.id,
      time,
      data: {key: row.id, project: row.project_id, name: row.name},
    }),
  }) as const;
