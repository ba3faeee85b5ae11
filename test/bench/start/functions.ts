/**
Functions: each function's own main event: what it is started with, what it is sent, and what it must have committed by its answer.

In: the world. Out: a row a function, in order of names. `effects` counts what is committed; one more after each start.
*/
import {toBatch} from '../../../events/codec.ts';
import {uuidv7} from '../../../events/uuid.ts';
import {trafficOf} from '../debit/traffic.ts';
import type {World} from './world.ts';

export type Asked = Readonly<{
  method: 'GET' | 'POST';
  path: string;
  headers: Readonly<Record<string, string>>;
  body: string | Buffer;
}>;

export type Row = Readonly<{
  name: string;
  environment: Readonly<Record<string, string>>;
  /** A new one each time: what was handled before would be handled from memory. */
  next(): Promise<Asked>;
  /** How many effects are committed; none where the answer is all there is. */
  effects?: () => Promise<number>;
}>;

const binary = (
  type: string,
  data: unknown,
  more: Readonly<Record<string, string>> = {},
): Asked => ({
  method: 'POST',
  path: '/',
  headers: {
    'content-type': 'application/json',
    'ce-specversion': '1.0',
    'ce-id': uuidv7(),
    'ce-source': '/bench',
    'ce-type': type,
    ...more,
  },
  body: JSON.stringify(data),
});

const bearer = (token: string) => ({authorization: `Bearer ${token}`});
const jsonType = {'content-type': 'application/json'};

/** One request's two events, as the source posts them. */
const batchOf = (secret: string): Asked => {
  const {headers, body} = toBatch([...trafficOf(1, {hotShare: 0, inFlight: 0})]);
  return {method: 'POST', path: '/', headers: {...headers, ...bearer(secret)}, body};
};

export const rowsOf = (world: World): readonly Row[] => {
  const {urlOf, client, secret, apiKey} = world;
  const count = (what: string) => async () => {
    const {rows} = await client.query<{n: string}>(`select count(*) as n from ${what}`);
    return Number(rows[0]?.n);
  };
  const tenant = {DATABASE_URL: urlOf('sluice_tenant')};
  const gateway = {DATABASE_URL: urlOf('sluice_gateway'), ENVIRONMENT: 'development'};
  const system = {DATABASE_URL: urlOf('sluice_system')};
  const operated = {ADMIN_KEY: secret};
  const sourced = {SOURCE_TOKEN: secret};
  return [
    {
      name: 'admin',
      environment: {...tenant, ...operated},
      next: async () => ({
        method: 'POST',
        path: '/admin/v1/orgs',
        headers: {...jsonType, ...bearer(secret)},
        body: JSON.stringify({name: uuidv7()}),
      }),
      effects: count('orgs'),
    },
    {
      name: 'auth',
      environment: gateway,
      next: async () => ({method: 'GET', path: '/verify', headers: bearer(apiKey), body: ''}),
    },
    {
      name: 'budget',
      environment: {...system, ...sourced},
      next: async () => batchOf(secret),
      effects: count('ledger'),
    },
    {
      name: 'deadletter',
      environment: {...system, ...operated},
      next: async () =>
        binary(
          'dev.sluice.hello.requested.v1',
          {name: ''},
          {
            'ce-knativeerrordest': 'http://hello.sluice.svc.cluster.local',
            'ce-knativeerrorcode': '422',
          },
        ),
      effects: count('dead_letters'),
    },
    {
      name: 'events-ingress',
      environment: {...gateway, TENANT_DATABASE_URL: urlOf('sluice_tenant')},
      next: async () => ({
        method: 'POST',
        path: '/events',
        headers: {'content-type': 'application/cloudevents+json', ...bearer(apiKey)},
        body: JSON.stringify({
          specversion: '1.0',
          id: uuidv7(),
          source: 'shop',
          type: 'com.example.sold',
        }),
      }),
      effects: count(`outbox where event ->> 'type' = 'com.example.sold'`),
    },
    {
      name: 'gateway',
      environment: gateway,
      next: async () => ({
        method: 'POST',
        path: '/v1/chat/completions',
        headers: {...jsonType, ...bearer(apiKey)},
        body: JSON.stringify({
          model: world.model,
          max_tokens: 1,
          messages: [{role: 'user', content: 'Say something.'}],
        }),
      }),
      effects: count(`outbox where event ->> 'type' like 'dev.sluice.inference.started.%'`),
    },
    {
      name: 'hello',
      environment: {},
      next: async () => binary('dev.sluice.hello.requested.v1', {name: 'Ada'}),
    },
    {
      name: 'registry',
      environment: {...system, ...operated},
      next: async () => {
        const endpoint = await world.endpoint();
        return binary('dev.sluice.endpoint.suspected.v1', {endpoint});
      },
      effects: count('endpoints where health_at is not null'),
    },
    {
      name: 'usage',
      environment: {...system, ...sourced, ...operated},
      next: async () => batchOf(secret),
      effects: count('usage_records'),
    },
    {
      name: 'world',
      environment: {},
      next: async () =>
        binary('dev.sluice.hello.greeted.v1', {name: 'Ada', greeting: 'Hello, Ada!'}),
    },
  ];
};
