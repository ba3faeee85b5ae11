/**
Outsider: somebody in the cluster who knows every type of event, every id and every port, and no secret.

In: a running Sluice. Out: every event type posted to every function and to the Broker, with the answers; and a digest of
every table, to see whether any of it did anything.
*/
import {randomUUID} from 'node:crypto';
import {fileURLToPath} from 'node:url';
import {isUuid} from '../../events/uuid.ts';
import {type EventSchema, readEventSchemas} from '../../schemas/render/event-schemas.ts';
import {asSuperuser} from './books.ts';
import {environmentOf, pidOf} from './function-processes.ts';
import type {Sluice} from './sluice.ts';

const folder = fileURLToPath(new URL('../../schemas/events', import.meta.url));

export type Posted = Readonly<{to: string; type: string; status: number}>;
/** By the name of a member; where an example has a UUID a UUID is put, and only there. */
export type Ids = Readonly<Record<string, readonly unknown[]>>;

/** An event for each example, with the victim's ids wherever the example has a member of that name. */
export const forge = (
  ids: Ids,
): {type: string; carrier: string; event: Record<string, unknown>}[] =>
  readEventSchemas(folder).flatMap((schema: EventSchema) =>
    schema.examples.map(example => ({
      type: schema['x-type'],
      carrier: schema['x-carrier'],
      event: {
        specversion: '1.0',
        id: randomUUID(),
        source: '/functions/gateway',
        type: schema['x-type'],
        time: new Date().toISOString(),
        datacontenttype: 'application/json',
        ...(ids.orgid ? {orgid: ids.orgid[0], partitionkey: ids.orgid[0]} : {}),
        data: replaceIds(example, ids),
      },
    })),
  );

const replaceIds = (value: unknown, ids: Ids): unknown => {
  if (Array.isArray(value)) {
    return value.map(item => replaceIds(item, ids));
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      (Object.hasOwn(ids, name) ? ids[name] : undefined)?.find(
        id => typeof id === typeof member && isUuid(id) === isUuid(member),
      ) ?? replaceIds(member, ids),
    ]),
  );
};

/** Where each function listens, from what it logged last. */
export const addressesOf = (sluice: Sluice): Record<string, string> =>
  Object.fromEntries(
    sluice.lines.flatMap(line => {
      try {
        const {function: name, port, msg} = JSON.parse(line) as Record<string, unknown>;
        return msg === 'listening' ? [[name, `http://127.0.0.1:${port}/`]] : [];
      } catch {
        return [];
      }
    }),
  );

export const brokerOf = async (sluice: Sluice): Promise<string> =>
  environmentOf(await pidOf(sluice, 'gateway')).K_SINK as string;

const headersOf = (mode: 'structured' | 'batch') => ({
  'content-type': `application/cloudevents${mode === 'batch' ? '-batch' : ''}+json`,
});

export const postEvent = async (
  to: string,
  event: Record<string, unknown>,
  mode: 'structured' | 'batch',
  headers: Record<string, string> = {},
): Promise<number> => {
  const response = await fetch(to, {
    method: 'POST',
    headers: {...headersOf(mode), ...headers},
    body: JSON.stringify(mode === 'batch' ? [event] : event),
  });
  await response.arrayBuffer();
  return response.status;
};

/**
Of every table that is not a queue, a digest of its rows. When an endpoint was last looked at may change: a hint asks for it. Dead
letters count that are proved: the sink takes any other from anybody, and they can go back to a Broker only.
*/
export const digestTables = (dataFolder: string): Promise<Record<string, string>> =>
  asSuperuser(dataFolder, async client => {
    const {rows} = await client.query<{name: string}>(
      `select relname as name from pg_class
       where relnamespace = 'public'::regnamespace and relkind = 'r' and relname not in ('outbox', 'inbox') order by 1`,
    );
    const digests: Record<string, string> = {};
    for (const {name} of rows) {
      const {rows: found} = await client.query<{digest: string}>(
        `select count(*) || ' ' || coalesce(md5(string_agg(line, chr(10) order by line)), '') as digest from public.${name} t,
         lateral (select (to_jsonb(t) - 'health_at')::text) as r (line)
         ${name === 'dead_letters' ? 'where proved' : ''}`,
      );
      digests[name] = found[0]?.digest ?? '';
    }
    return digests;
  });
