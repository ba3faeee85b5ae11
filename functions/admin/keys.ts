/**
Keys: creates, lists, shows, limits and revokes API keys. The key itself is in the answer to its creation and nowhere else.

What happens to a key is told in the transaction that makes it true; gateways hear of it by the table `changes`.
*/
import type {Router} from 'express';
import {hashSecret, makeApiKey} from '../../events/api-key.ts';
import {SluiceError} from '../../events/errors.ts';
import {makeEvent} from '../../events/event.ts';
import {readJson} from '../../events/json-body.ts';
import {insertIntoOutbox} from '../../events/outbox.ts';
import {type RateColumns, type RateFields, rateView} from '../../events/rates.ts';
import type {Dependencies} from './dependencies.ts';
import {toInstant} from './instants.ts';
import {type PageQuery, toPage} from './page.ts';
import {changeText, rateValues, toRateColumns} from './rates.ts';
import {idIn} from './tenancy.ts';

type Change = RateFields & Readonly<{maxOutputTokens?: number | null}>;
type NewKey = Change &
  Readonly<{
    name: string;
    models?: readonly string[];
    environments?: readonly string[];
    expiresAt?: string;
  }>;
type Row = RateColumns & {
  max_output_tokens: number | null;
  id: string;
  org_id: string;
  project_id: string;
  public_id: string;
  name: string;
  models: string[] | null;
  environments: string[] | null;
  expires_at: Date | null;
  revoked_at: Date | null;
  created_at: Date;
};

const path = '/admin/v1/projects/:project/keys';
const columns =
  'id, org_id, project_id, public_id, name, models, environments, expires_at, revoked_at, created_at, requests_per_minute, tokens_per_minute, parallel_requests, max_output_tokens';
const insertText = `
  insert into keys (id, org_id, project_id, public_id, secret_hash, name, models, environments, expires_at,
                    requests_per_minute, tokens_per_minute, parallel_requests, max_output_tokens)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) returning ${columns}`;
const findText = `select ${columns} from keys where id = $1`;
const updateText = changeText('keys', ['max_output_tokens']);
const listText = `
  select ${columns} from keys
  where project_id = $1 and ($2::uuid is null or id > $2) order by id limit $3`;
const revokeText = `
  update keys set revoked_at = $2 where id = $1 and revoked_at is null returning ${columns}`;

export const keyRoutes = ({contract, tenancy, now, newId}: Dependencies) =>
  function addKeyRoutes(router: Router) {
    router.post(path, async (request, response) => {
      const wanted = contract.body<NewKey>('createKey', readJson(request));
      const project = idIn(request, 'project');
      const expiresAt = expiryOf(wanted, now());
      const apiKey = makeApiKey();
      const row = await tenancy(request).owning('project', project, async (client, org) => {
        const {rows} = await client.query<Row>(insertText, [
          newId(),
          org,
          project,
          apiKey.publicId,
          hashSecret(apiKey.secret),
          wanted.name,
          wanted.models,
          wanted.environments,
          expiresAt,
          ...rateValues(wanted),
          wanted.maxOutputTokens ?? null,
        ]);
        const created = rows[0] as Row;
        await insertIntoOutbox(client, [announce('created', created, now())]);
        return created;
      });
      response.status(201).json({...toView(row), key: apiKey.text});
    });

    router.get(path, async (request, response) => {
      const {after, limit} = contract.query<PageQuery>('listKeys', request.query);
      const project = idIn(request, 'project');
      const {rows} = await tenancy(request).owning('project', project, client =>
        client.query<Row>(listText, [project, after, limit + 1]),
      );
      response.json(toPage(rows.map(toView), limit));
    });

    router.get('/admin/v1/keys/:id', async (request, response) => {
      contract.query('getKey', request.query);
      const id = idIn(request, 'id');
      const {rows} = await tenancy(request).owning('key', id, client =>
        client.query<Row>(findText, [id]),
      );
      response.json(toView(rows[0] as Row));
    });

    router.patch('/admin/v1/keys/:id', async (request, response) => {
      const change = contract.body<Change>('changeKey', readJson(request));
      const id = idIn(request, 'id');
      const columns = {...toRateColumns(change), max_output_tokens: change.maxOutputTokens};
      const {rows} = await tenancy(request).owning('key', id, client =>
        client.query<Row>(updateText, [id, columns]),
      );
      response.json(toView(rows[0] as Row));
    });

    router.delete('/admin/v1/keys/:id', async (request, response) => {
      const id = idIn(request, 'id');
      await tenancy(request).owning('key', id, async client => {
        const {rows} = await client.query<Row>(revokeText, [id, now()]);
        await insertIntoOutbox(
          client,
          rows.map(row => announce('revoked', row, now())),
        );
      });
      response.status(204).end();
    });
  };

/** A key that is over before it is made is a mistake of who asks for it. */
const expiryOf = ({expiresAt}: NewKey, now: Date): Date | undefined => {
  const instant = expiresAt === undefined ? undefined : toInstant(expiresAt, 'expiresAt');
  if (instant && instant <= now) {
    throw new SluiceError('bad_request', 'expiresAt: expected an instant to come', {
      parameter: 'expiresAt',
    });
  }
  return instant;
};

const announce = (what: 'created' | 'revoked', row: Row, time: Date) =>
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

const toView = (row: Row) => ({
  id: row.id,
  publicId: row.public_id,
  org: row.org_id,
  project: row.project_id,
  name: row.name,
  ...(row.models === null ? {} : {models: row.models}),
  ...(row.environments === null ? {} : {environments: row.environments}),
  ...(row.expires_at === null ? {} : {expiresAt: row.expires_at}),
  ...(row.revoked_at === null ? {} : {revokedAt: row.revoked_at}),
  ...rateView(row),
  ...(row.max_output_tokens === null ? {} : {maxOutputTokens: row.max_output_tokens}),
  createdAt: row.created_at,
});
