/** Registry server: the registry's routes for one test, on memory, with a probe that finds what the test says. In: the test, findings by URL. Out: its URL, a way to register. */
import type {ExecutionContext} from 'ava';
import {createGuard} from '../../events/access/guard.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import type {Finding} from '../../functions/registry/model.ts';
import {createRegistry} from '../../functions/registry/registry.ts';
import {registryRoutes} from '../../functions/registry/routes.ts';
import {createMemoryStore} from '../../functions/registry/store-memory.ts';
import {adminKey} from './admin-server.ts';
import {createCli} from './cli.ts';
import {createFakeProbe, makeBody} from './registry.ts';

export const startRegistryServer = async (
  t: ExecutionContext,
  wanted: Record<string, Finding> = {},
) => {
  const {probe, findings} = createFakeProbe(wanted);
  const registry = createRegistry({store: createMemoryStore(), probe});
  const server = await serve({
    name: 'registry',
    host: '127.0.0.1',
    bodyBytes: 32 * 1024,
    logger: createLogger({name: 'registry', level: 'silent'}),
    routes: registryRoutes({registry, guard: createGuard({adminKey})}),
  });
  t.teardown(server.close);
  const register = async (body: Record<string, unknown>) => {
    const response = await fetch(`${server.url}/admin/v1/models`, {
      method: 'POST',
      headers: {authorization: `Bearer ${adminKey}`, 'content-type': 'application/json'},
      body: JSON.stringify(makeBody(body)),
    });
    if (response.status !== 201) {
      throw new Error(`the model was not registered: ${response.status}`);
    }
  };
  const environment = {SLUICE_URL: server.url, SLUICE_ADMIN_KEY: adminKey, HOME: '/nowhere'};
  const cliWith = (more: Record<string, string> = {}) =>
    createCli({environment: {...environment, ...more}});
  return {register, findings, cliWith};
};
