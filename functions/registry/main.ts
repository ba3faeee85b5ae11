/** Registry: which models there are, where they are served, what they cost and whether they answer. */
import {accessSettings, guardFrom} from '../../events/access/settings.ts';
import {databaseUrl, optional, port, readConfig, string} from '../../events/config.ts';
import {createPool, refuseSuperuser} from '../../events/database.ts';
import {runMain} from '../../events/listen.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {accountOf} from './kubernetes/api.ts';
import {onKubernetes} from './kubernetes/events.ts';
import {createKubernetes} from './kubernetes/kubernetes.ts';
import {createProbe} from './probe.ts';
import {createRegistry} from './registry.ts';
import {registryRoutes} from './routes.ts';
import {createPostgresStore} from './store-postgres.ts';
import {onSuspected} from './suspected.ts';

await runMain(async () => {
  const settings = readConfig(process.env, {
    PORT: port,
    DATABASE_URL: databaseUrl,
    ...accessSettings,
    CLUSTER_DOMAIN: string('cluster.local'),
    KUBERNETES_SERVICE_HOST: optional(string()),
    KUBERNETES_SERVICE_PORT: optional(string()),
    LOG_LEVEL: string('info'),
  });
  const logger = createLogger({name: 'registry', level: settings.LOG_LEVEL});
  const pool = createPool({
    databaseUrl: settings.DATABASE_URL,
    name: 'registry',
    onError: error => logger.warn({err: error}, 'an idle connection broke'),
  });
  const ready = refuseSuperuser(pool);
  const store = createPostgresStore(pool);
  const registry = createRegistry({store, probe: createProbe()});
  const account = accountOf({
    host: settings.KUBERNETES_SERVICE_HOST,
    port: settings.KUBERNETES_SERVICE_PORT,
  });
  const clusterDomain = settings.CLUSTER_DOMAIN;
  const kubernetes = account && createKubernetes({account, registry, store, logger, clusterDomain});
  const guard = guardFrom(settings, pool);
  await serve({
    name: 'registry',
    ready,
    port: settings.PORT,
    logger,
    onEvent: onKubernetes({kubernetes, otherwise: onSuspected(registry), logger}),
    routes: registryRoutes({registry, guard}),
    onClose: () => pool.end(),
  });
});
