/**
Access world: the four functions that answer under `/admin/v1`, each with its own server, role and guard, on one database.

In: the test. Out: a way to call whichever has a path; every answer is held to the contract.
*/
import type {ExecutionContext} from 'ava';
import {createDirectory} from '../../events/access/directory.ts';
import {createGuard} from '../../events/access/guard.ts';
import {createVerifyToken} from '../../events/access/tokens.ts';
import {createPool} from '../../events/database.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {adminRoutes} from '../../functions/admin/routes.ts';
import {createLetters} from '../../functions/deadletter/letters.ts';
import {deadLetterRoutes} from '../../functions/deadletter/routes.ts';
import {createRegistry} from '../../functions/registry/registry.ts';
import {registryRoutes} from '../../functions/registry/routes.ts';
import {createPostgresStore as createRegistryStore} from '../../functions/registry/store-postgres.ts';
import {usageRoutes} from '../../functions/usage/routes.ts';
import {createPostgresStore as createUsageStore} from '../../functions/usage/store-postgres.ts';
import {verifyRoutes} from '../../functions/usage/verify/routes.ts';
import {adminKey} from './admin-server.ts';
import {createTestDatabase} from './database.ts';
import {createOpenApi} from './openapi.ts';
import {startTokenProvider} from './token-provider.ts';

export type Answer = Readonly<{status: number; text: string}>;

export const startAccessWorld = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  const provider = await startTokenProvider(t);
  const verifyToken = createVerifyToken({
    issuer: provider.issuer,
    audience: 'sluice',
    groupsClaim: 'groups',
    operatorGroups: ['platform'],
  });
  const poolOf = (name: string, role: 'tenant' | 'system') =>
    createPool({databaseUrl: database.url(role), name, connectTimeoutMs: 60_000});
  const pools = {
    admin: poolOf('admin', 'tenant'),
    usage: poolOf('usage', 'system'),
    registry: poolOf('registry', 'system'),
    deadletter: poolOf('deadletter', 'system'),
  };
  type Name = keyof typeof pools;
  const guardOf = (name: Name) =>
    createGuard({adminKey, directory: createDirectory(pools[name]), verifyToken});
  const store = createRegistryStore(pools.registry);
  const routes = {
    admin: adminRoutes({pool: pools.admin, guard: guardOf('admin')}),
    usage(router: Parameters<ReturnType<typeof usageRoutes>>[0]) {
      const guard = guardOf('usage');
      usageRoutes({store: createUsageStore(pools.usage), guard})(router);
      verifyRoutes({verify: () => Promise.reject(new Error('not here')), guard})(router);
    },
    registry: registryRoutes({
      registry: createRegistry({store, probe: () => Promise.reject(new Error('not here'))}),
      guard: guardOf('registry'),
    }),
    deadletter: deadLetterRoutes({
      letters: createLetters({pool: pools.deadletter}),
      receive: async () => {},
      guard: guardOf('deadletter'),
    }),
  };
  const urls = new Map<Name, string>();
  for (const name of Object.keys(pools) as Name[]) {
    const server = await serve({
      name,
      host: '127.0.0.1',
      logger: createLogger({name, level: 'silent'}),
      routes: routes[name],
      onClose: () => pools[name].end(),
    });
    t.teardown(server.close);
    urls.set(name, server.url);
  }
  const functionOf = (path: string): Name =>
    (({usage: 'usage', models: 'registry', 'dead-letters': 'deadletter'}) as Record<string, Name>)[
      path.split(/[/?]/)[1] as string
    ] ?? 'admin';
  const contract = createOpenApi();

  /** `path` comes after `/admin/v1`. */
  const call = async (
    method: string,
    path: string,
    {headers, body}: {headers: Readonly<Record<string, string>>; body?: object | undefined},
  ): Promise<Answer> => {
    const response = await fetch(`${urls.get(functionOf(path))}/admin/v1${path}`, {
      method,
      headers: {...headers, ...(body ? {'content-type': 'application/json'} : {})},
      ...(body ? {body: JSON.stringify(body)} : {}),
    });
    const text = await response.text();
    const contentType = response.headers.get('content-type');
    const isJson = /^application\/(problem\+)?json/.test(contentType ?? '');
    contract.check({
      method,
      path: `/admin/v1${path}`,
      status: response.status,
      contentType,
      ...(isJson ? {body: JSON.parse(text)} : contentType === null ? {} : {body: text}),
    });
    return {status: response.status, text};
  };
  return {database, provider, call};
};
