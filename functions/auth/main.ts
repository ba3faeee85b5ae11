/** Auth: answers for proxies whether a key may pass. The gateway does not call it; it has the same core in its process. */
import {watchChanges} from '../../events/changes.ts';
import {databaseUrl, environment, optional, port, readConfig, string} from '../../events/config.ts';
import {createPool, refuseSuperuser} from '../../events/database.ts';
import {limits} from '../../events/limits.ts';
import {runMain} from '../../events/listen.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {createPrincipalLoader} from './load-principal.ts';
import {createPrincipals} from './principals.ts';
import {verifyRoutes} from './verify.ts';

await runMain(async () => {
  const settings = readConfig(process.env, {
    PORT: port,
    DATABASE_URL: databaseUrl,
    DATABASE_URL_DIRECT: optional(databaseUrl),
    ENVIRONMENT: environment,
    LOG_LEVEL: string('info'),
  });
  const logger = createLogger({name: 'auth', level: settings.LOG_LEVEL});
  const pool = createPool({databaseUrl: settings.DATABASE_URL, name: 'auth'});
  await refuseSuperuser(pool);
  const principals = createPrincipals({
    load: createPrincipalLoader(pool),
    environment: settings.ENVIRONMENT,
  });
  const changes = watchChanges({
    databaseUrl: settings.DATABASE_URL_DIRECT ?? settings.DATABASE_URL,
    onChanges: principals.onChanges,
    onError: error => logger.warn({err: error}, 'the changes could not be read'),
  });
  await changes.start();
  const isStale = () => changes.staleSinceMs() > limits.staleMaxMs;
  await serve({
    name: 'auth',
    port: settings.PORT,
    logger,
    routes: verifyRoutes({principals, isStale}),
    health: () =>
      changes.staleSinceMs() > 1_000 ? 'stale: the changes were not read for a second' : undefined,
    onClose: async () => {
      await changes.close();
      await pool.end();
    },
  });
});
