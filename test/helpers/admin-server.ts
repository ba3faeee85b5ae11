/**
Admin server: the admin function for one test, on a database of its own.

In: the test. Out: a way to call it; every answer is held to the contract before it is given back.
*/

import type {ExecutionContext} from 'ava';
import type {Router} from 'express';
import type {Role} from '../../events/access/access.ts';
import {createDirectory} from '../../events/access/directory.ts';
import {createGuard} from '../../events/access/guard.ts';
import {hashSecret, makeServiceKey} from '../../events/api-key.ts';
import {createPool} from '../../events/database.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {uuidv7} from '../../events/uuid.ts';
import {adminRoutes} from '../../functions/admin/routes.ts';
import {createTestDatabase, type TestDatabase} from './database.ts';
import {createOpenApi} from './openapi.ts';

export type Json = {[name: string]: unknown} & {id: string; data: Json[]};

export const adminKey = 'the-admin-key-of-this-test';

const isJson = ({headers}: Response) =>
  /^application\/(problem\+)?json/.test(headers.get('content-type') ?? '');

/** `more`: routes of other functions, on the same server. */
export const startAdmin = async (
  t: ExecutionContext,
  {more}: {more?: (database: TestDatabase) => (router: Router) => void} = {},
) => {
  const database = await createTestDatabase(t);
  const pool = createPool({
    databaseUrl: database.url('tenant'),
    name: 'admin',
    connectTimeoutMs: 60_000,
  });
  const server = await serve({
    name: 'admin',
    host: '127.0.0.1',
    logger: createLogger({name: 'admin', level: 'silent'}),
    bodyBytes: 64 * 1024,
    routes(router) {
      adminRoutes({pool, guard: createGuard({adminKey, directory: createDirectory(pool)})})(router);
      more?.(database)(router);
    },
    onClose: () => pool.end(),
  });
  t.teardown(server.close);
  const contract = createOpenApi();

  const send = async (
    method: string,
    path: string,
    body?: unknown,
    {
      token = adminKey,
      headers = {},
    }: {token?: string | null; headers?: Readonly<Record<string, string>>} = {},
  ) => {
    const response = await fetch(server.url + path, {
      method,
      headers: {
        ...(token === null ? {} : {authorization: `Bearer ${token}`}),
        'content-type': 'application/json',
        ...headers,
      },
      ...(body === undefined
        ? {}
        : {body: typeof body === 'string' || body instanceof Buffer ? body : JSON.stringify(body)}),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      contentType: response.headers.get('content-type'),
      text,
      body: (text === '' ? undefined : isJson(response) ? JSON.parse(text) : text) as Json,
    };
  };
  const call: typeof send = async (method, path, ...more) => {
    const answer = await send(method, path, ...more);
    contract.check({method, path, ...answer});
    return answer;
  };
  const create = async (path: string, body: object): Promise<Json> => {
    const answer = await call('POST', path, body);
    if (answer.status !== 201) {
      throw new Error(`POST ${path} answered ${answer.status}: ${answer.text}`);
    }
    return answer.body;
  };
  /** An organisation with a project, a key and a budget for each. */
  const createTenant = async (name: string) => {
    const org = await create('/admin/v1/orgs', {name});
    const project = await create(`/admin/v1/orgs/${org.id}/projects`, {name});
    const key = await create(`/admin/v1/projects/${project.id}/keys`, {name});
    const budget = await create('/admin/v1/budgets', {
      org: org.id,
      unit: 'usd',
      limit: '5.00',
      period: 'month',
    });
    return {org: org.id, project: project.id, key: key.id, budget: budget.id};
  };
  /** Written past the API. Returns what goes into the Authorization header. */
  const createServiceKey = async (org: string, role: Role, project?: string): Promise<string> => {
    const {publicId, secret, text} = makeServiceKey();
    await database.pool('superuser').query(
      `insert into service_keys (id, org_id, project_id, public_id, secret_hash, name, role)
       values ($1, $2, $3, $4, $5, $6, $7)`,
      [uuidv7(), org, project, publicId, hashSecret(secret), `a ${role}`, role],
    );
    return text;
  };
  return {
    url: server.url,
    database,
    contract,
    send,
    call,
    create,
    createTenant,
    createServiceKey,
  };
};

export type AdminServer = Awaited<ReturnType<typeof startAdmin>>;
