/** Usage: records and rollups from batches of the log, and the query API over them. */
import {accessSettings, guardFrom} from '../../events/access/settings.ts';
import {databaseUrl, optional, port, readConfig, secret, string} from '../../events/config.ts';
import {createPool, refuseSuperuser} from '../../events/database.ts';
import {runMain} from '../../events/listen.ts';
import {createMetrics} from '../../events/metrics.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {startTracing} from '../../events/tracing.ts';
import {aggregate} from './aggregate.ts';
import {createBroom, retainUsageIn} from './broom.ts';
import {usageRoutes} from './routes.ts';
import {createPostgresStore} from './store-postgres.ts';
import {createLook} from './verify/look.ts';
import {readAtOnce} from './verify/reading.ts';
import {verifyRoutes} from './verify/routes.ts';
import {createTicker} from './verify/ticker.ts';
import {createVerify} from './verify/verify.ts';

await runMain(async () => {
  const settings = readConfig(process.env, {
    PORT: port,
    DATABASE_URL: databaseUrl,
    SOURCE_TOKEN: secret(),
    ...accessSettings,
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
  const ready = refuseSuperuser(pool);
  const metrics = createMetrics();
  const store = createPostgresStore(pool);
  // Its own, because it may take as long as the request that asks for it.
  const verifyPool = createPool({
    databaseUrl: settings.DATABASE_URL,
    name: 'usage-verify',
    connectionsMax: 2,
    statementTimeoutMs: 55_000,
    onError: error => logger.warn({err: error}, 'an idle connection broke'),
  });
  const look = createLook({pool: verifyPool});
  const ticker = createTicker({
    look,
    onError: error => logger.warn({err: error}, 'the model servers were not looked at'),
  });
  const sweep = createBroom({
    retain: retainUsageIn(pool),
    onDropped: partitions => logger.info({partitions}, 'usage that is kept no longer was dropped'),
    onError: error => logger.warn({err: error}, 'old usage was not dropped'),
  });
  const aggregateBatch = aggregate({store, metrics});
  const guard = guardFrom(settings, pool);
  await serve({
    name: 'usage',
    ready,
    port: settings.PORT,
    logger,
    metrics,
    tracing,
    sourceToken: settings.SOURCE_TOKEN,
    async onBatch(events, ...context) {
      await aggregateBatch(events, ...context);
      ticker.afterBatch();
      await sweep();
    },
    routes(router) {
      usageRoutes({
        store,
        guard,
        onExportError: error => logger.warn({err: error}, 'an export broke off'),
      })(router);
      verifyRoutes({
        verify: createVerify({look, readAtOnce: readAtOnce(verifyPool)}),
        guard,
      })(router);
    },
    async onClose() {
      await ticker.close();
      await Promise.all([pool.end(), verifyPool.end()]);
      await tracing.stop();
    },
  });
});
