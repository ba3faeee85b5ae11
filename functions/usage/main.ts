/** Usage: records and rollups from batches of the log, and the query API over them. */
import {databaseUrl, optional, port, readConfig, secret, string} from '../../events/config.ts';
import {createPool, refuseSuperuser} from '../../events/database.ts';
import {runMain} from '../../events/listen.ts';
import {createMetrics} from '../../events/metrics.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {startTracing} from '../../events/tracing.ts';
import {aggregate} from './aggregate.ts';
import {usageRoutes} from './routes.ts';
import {createPostgresStore} from './store-postgres.ts';

await runMain(async () => {
  const settings = readConfig(process.env, {
    PORT: port,
    DATABASE_URL: databaseUrl,
    SOURCE_TOKEN: secret(),
    ADMIN_KEY: secret(),
    LOG_LEVEL: string('info'),
    OTEL_EXPORTER_OTLP_ENDPOINT: optional(string()),
  });
  const tracing = await startTracing({
    name: 'usage',
    endpoint: settings.OTEL_EXPORTER_OTLP_ENDPOINT,
  });
  const logger = createLogger({name: 'usage', level: settings.LOG_LEVEL});
  const pool = createPool({
    databaseUrl: settings.DATABASE_URL,
    name: 'usage',
    onError: error => logger.warn({err: error}, 'an idle connection broke'),
  });
  await refuseSuperuser(pool);
  const metrics = createMetrics();
  const store = createPostgresStore(pool);
  await serve({
    name: 'usage',
    port: settings.PORT,
    logger,
    metrics,
    tracing,
    sourceToken: settings.SOURCE_TOKEN,
    onBatch: aggregate({store, metrics}),
    routes: usageRoutes({store, adminKey: settings.ADMIN_KEY}),
    async onClose() {
      await pool.end();
      await tracing.stop();
    },
  });
});
