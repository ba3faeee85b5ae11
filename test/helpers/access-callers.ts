/**
Access callers: one of every kind that can call the admin API, with every role, and those that nobody knows.

In: a connection of the superuser, a provider of tokens. Out: the callers; a way to give each of them its role in a tenant.
*/
import {randomUUID} from 'node:crypto';
import type pg from 'pg';
import {
  cookieNames,
  csrfHeader,
  csrfTokenOf,
  hashToken,
  makeSessionToken,
} from '../../events/access/session.ts';
import {hashSecret, makeApiKey, makeServiceKey} from '../../events/api-key.ts';
import {uuidv7} from '../../events/uuid.ts';
import type {AccessTenant} from './access-tenant.ts';
import {adminKey} from './admin-server.ts';
import type {TokenProvider} from './token-provider.ts';

export const roleNames = ['viewer', 'member', 'admin', 'owner'] as const;
export type RoleName = (typeof roleNames)[number];
export type Level = 'org' | 'project';
export type Headers = Readonly<Record<string, string>>;

export type Caller = Readonly<{
  name: string;
  /** `forged`: known for what changes nothing, refused for what does. */
  state: 'unknown' | 'forged' | 'known' | 'operator';
  role?: RoleName;
  level?: Level;
  /** A service key: there is one a tenant, and with the tenant it ends. */
  isOfTenant?: boolean;
  headers: (tenant: AccessTenant) => Headers;
}>;

const bearer = (token: string): Headers => ({authorization: `Bearer ${token}`});
const isThere = <Value>(value: Value | undefined): Value => {
  if (value === undefined) {
    throw new Error('the role was not granted in this tenant');
  }
  return value;
};

export const createCallers = async (pool: pg.Pool, provider: TokenProvider) => {
  const users = new Map<string, string>();
  const keys = new Map<string, string>();
  const callers: Caller[] = [];
  const fixed = (name: string, state: Caller['state'], headers: Headers, more = {}) =>
    callers.push({name, state, headers: () => headers, ...more});

  const addUser = async (name: string, {operator = false, disabled = false} = {}) => {
    const id = uuidv7();
    await pool.query(
      `insert into users (id, email, name, operator, disabled_at, issuer, subject)
       values ($1, $2, $3, $4, $5, $6, $7)`,
      [
        id,
        `${name}@caller.example`,
        name,
        operator,
        disabled ? new Date() : null,
        provider.issuer,
        name,
      ],
    );
    return id;
  };
  const addSession = async (user: string, {lasts = '1 hour', seen = '0 s'} = {}) => {
    const token = makeSessionToken();
    await pool.query(
      `insert into sessions (id, token_hash, user_id, seen_at, expires_at)
       values ($1, $2, $3, now() - $4::interval, now() + $5::interval)`,
      [randomUUID(), hashToken(token), user, seen, lasts],
    );
    return token;
  };
  const cookie = (token: string): Headers => ({cookie: `${cookieNames.secure}=${token}`});
  const browser = (token: string): Headers => ({
    ...cookie(token),
    [csrfHeader]: csrfTokenOf(token),
  });

  for (const level of ['org', 'project'] as const) {
    for (const role of roleNames) {
      const name = `${level}-${role}`;
      const user = await addUser(name);
      users.set(name, user);
      const token = await addSession(user);
      fixed(`user ${name}`, 'known', browser(token), {role, level});
      callers.push({
        name: `service key ${name}`,
        state: 'known',
        role,
        level,
        isOfTenant: true,
        headers: ({ids}) => bearer(isThere(keys.get(`${ids.org} ${name}`))),
      });
      const machine = await provider.sign({sub: `machine ${name}`, groups: [name]});
      fixed(`machine ${name}`, 'known', bearer(machine), {role, level});
      if (role === 'owner') {
        fixed(`user ${name} by a token`, 'known', bearer(await provider.sign({sub: name})), {
          role,
          level,
        });
        fixed(`user ${name} without CSRF token`, 'forged', cookie(token), {role, level});
        const other = csrfTokenOf(makeSessionToken());
        fixed(
          `user ${name} with another's CSRF token`,
          'forged',
          {...cookie(token), [csrfHeader]: other},
          {
            role,
            level,
          },
        );
      }
    }
  }
  fixed('user without roles', 'known', browser(await addSession(await addUser('nobody'))));
  fixed('machine without roles', 'known', bearer(await provider.sign({sub: 'machine'})));

  fixed('the admin key', 'operator', bearer(adminKey));
  const operator = await addUser('operator', {operator: true});
  fixed('user who is an operator', 'operator', browser(await addSession(operator)));
  const platform = await provider.sign({sub: 'machine platform', groups: ['platform']});
  fixed('machine of an operator group', 'operator', bearer(platform));

  const disabled = await addUser('disabled', {disabled: true});
  users.set('disabled', disabled);
  const owner = users.get('org-owner') as string;
  fixed('nobody', 'unknown', {});
  fixed('a wrong admin key', 'unknown', bearer(`${adminKey}x`));
  fixed('an unknown API key', 'unknown', bearer(makeApiKey().text));
  fixed('an unknown service key', 'unknown', bearer(makeServiceKey().text));
  fixed('a disabled user', 'unknown', browser(await addSession(disabled)));
  fixed('a disabled user by a token', 'unknown', bearer(await provider.sign({sub: 'disabled'})));
  fixed('a session that has ended', 'unknown', browser(await addSession(owner, {lasts: '-1 s'})));
  fixed('a session nobody used', 'unknown', browser(await addSession(owner, {seen: '2 hours'})));
  fixed(
    'a token for another audience',
    'unknown',
    bearer(await provider.sign({sub: 'org-owner', aud: 'x'})),
  );
  fixed(
    'a token that has expired',
    'unknown',
    bearer(await provider.sign({sub: 'org-owner', exp: 1})),
  );
  for (const name of ['API key', 'revoked service key', 'expired service key']) {
    callers.push({
      name: `${name} of the tenant`,
      state: 'unknown',
      headers: ({ids}) => bearer(isThere(keys.get(`${ids.org} ${name}`))),
    });
  }

  /** Gives every caller with a role that role in a tenant. */
  const grantIn = async ({ids}: AccessTenant) => {
    const rows: {id: string; project: string | null; role: string; name: string; user: string}[] =
      [];
    for (const level of ['org', 'project'] as const) {
      for (const role of roleNames) {
        const name = `${level}-${role}`;
        const user = users.get(name) as string;
        rows.push({id: uuidv7(), project: level === 'org' ? null : ids.project, role, name, user});
      }
    }
    const disabledOwner = {...rows[3], id: uuidv7(), user: disabled};
    const columns = `jsonb_to_recordset($2::jsonb) as r (id uuid, project uuid, role role_name, name text, "user" uuid)`;
    await pool.query(
      `insert into members (id, org_id, project_id, user_id, role)
       select gen_random_uuid(), $1, r.project, r.user, r.role from ${columns}`,
      [ids.org, JSON.stringify([...rows, disabledOwner])],
    );
    await pool.query(
      `insert into group_roles (id, org_id, project_id, group_name, role)
       select gen_random_uuid(), $1, r.project, r.name, r.role from ${columns}`,
      [ids.org, JSON.stringify(rows)],
    );
    const addKey = async (name: string, row: object) => {
      const key = makeServiceKey();
      keys.set(`${ids.org} ${name}`, key.text);
      return {...row, publicId: key.publicId, hash: hashSecret(key.secret).toString('hex')};
    };
    const serviceKeys = [
      ...(await Promise.all(rows.map(row => addKey(row.name, row)))),
      await addKey('revoked service key', {...rows[3], revoked: new Date()}),
      await addKey('expired service key', {...rows[3], expires: new Date(0)}),
    ];
    await pool.query(
      `insert into service_keys (id, org_id, project_id, public_id, secret_hash, name, role, expires_at, revoked_at)
       select gen_random_uuid(), $1, r.project, r."publicId", decode(r.hash, 'hex'), r.name, r.role, r.expires, r.revoked
       from jsonb_to_recordset($2::jsonb) as r (project uuid, "publicId" text, hash text, name text, role role_name,
                                                expires timestamptz, revoked timestamptz)`,
      [ids.org, JSON.stringify(serviceKeys)],
    );
    const apiKey = makeApiKey();
    keys.set(`${ids.org} API key`, apiKey.text);
    await pool.query('update keys set public_id = $2, secret_hash = $3 where id = $1', [
      ids.key,
      apiKey.publicId,
      hashSecret(apiKey.secret),
    ]);
  };
  return {callers: callers as readonly Caller[], grantIn};
};
