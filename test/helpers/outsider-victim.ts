/**
Outsider's victim: an organisation with something of everything that an event could change.

In: a running Sluice. Out: every id of it: one request that was charged, one that is announced and not settled, and a lease
whose fence has begun, so that each event of the money path, believed, would move money.
*/
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import type pg from 'pg';
import {type Message, toBatch} from '../../events/codec.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createAdmin} from './admin.ts';
import {asSuperuser, wholeBooks} from './books.ts';
import {functionsOf, post} from './outsider.ts';
import {forge, type Ids, typeNamed, type Victim} from './outsider-events.ts';
import {untilQuiet} from './outsider-tables.ts';
import type {Sluice} from './sluice.ts';
import {openStream} from './streams.ts';

/** What the sources post with. */
export const sourceTokenOf = ({dataFolder}: Pick<Sluice, 'dataFolder'>): string =>
  JSON.parse(readFileSync(join(dataFolder, 'secrets.json'), 'utf8')).sourceToken;

/** More than two holds of the schemas' examples. */
const leasedNanos = 10_000_000;

export const makeVictim = async (sluice: Sluice): Promise<Victim> => {
  const admin = createAdmin(sluice);
  const tenant = await admin.createTenant('Victim');
  await admin.post(`/budgets/${tenant.budget}/top-ups`, {amount: '1.00'});
  const stream = await openStream({...sluice, apiKey: tenant.apiKey, maxTokens: 5});
  await stream.ended;
  await wholeBooks(sluice.dataFolder, tenant.org, {free: true});
  const victim = await asSuperuser(sluice.dataFolder, client => readVictim(client, tenant));
  const {budget} = await functionsOf(sluice);
  const status = await post({
    place: {url: `${budget}/`},
    message: announcementOf(victim),
    authorization: `Bearer ${sourceTokenOf(sluice)}`,
  });
  assert.equal(status, '204');
  await untilQuiet(sluice.dataFolder);
  return victim;
};

type Tenant = Readonly<{org: string; project: string; keyId: string; budget: string}>;

/** Of a tenant that has been charged for a request, and has nothing under way. As a superuser. */
export const readVictim = async (client: pg.ClientBase, tenant: Tenant): Promise<Victim> => {
  const {request, ...ids} = await readIds(client, tenant);
  return {
    org: tenant.org,
    project: tenant.project,
    requests: {settled: String(request), open: uuidv7(), fresh: uuidv7()},
    ids: ids as Ids,
  };
};

/** The open request, as a source announces it to the debit. */
export const announcementOf = (victim: Victim): Message => {
  const intent = forge(victim).find(
    ({type, variant}) =>
      type === typeNamed('inference.started') && variant === 'about an open request',
  );
  assert.ok(intent);
  return toBatch([intent.event]);
};

const readIds = async (client: pg.ClientBase, {org, project, keyId, budget}: Tenant) => {
  const {rows} = await client.query<Record<string, unknown>>(
    `select l.request, l.model_id as "modelId", l.model, l.environment, l.price_version as "priceVersion",
         c ->> 'window' as window, e.id as "endpointId", e.url as endpoint
       from ledger l, jsonb_array_elements(l.charges) c, endpoints e
       where l.org_id = $1 and e.model_id = l.model_id limit 1`,
    [org],
  );
  const {request, endpointId, endpoint, model, modelId, ...found} = rows[0] ?? {};
  // Of a gateway that never was, and fenced tomorrow: nobody returns it, renews it or sends its marker again meanwhile.
  const {rows: leases} = await client.query<{id: string}>(
    `with held as (update windows set leased = leased + $2 where id = $1 returning org_id, id)
       insert into leases (org_id, window_id, gateway_id, state, granted, expires_at, fencing_at)
       select org_id, id, gen_random_uuid(), 'fencing', $2, now() + interval '1 day', now() + interval '1 day' from held returning id`,
    [found.window, leasedNanos],
  );
  const one = Object.entries({...found, orgid: org, project, key: keyId, budget}).map(
    ([name, value]) => [name, [value]],
  );
  return {
    ...Object.fromEntries(one),
    request,
    lease: [leases[0]?.id],
    modelId: [modelId],
    // Some events name them, others have their ids.
    model: [model, modelId],
    endpoint: [endpoint, endpointId],
  };
};
