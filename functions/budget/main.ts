/** Budget: debits the log's events from windows and leases, and keeps the ledger. Wiring only; the rules are in settle.ts. */
import {
  databaseUrl,
  integer,
  optional,
  port,
  readConfig,
  secret,
  string,
} from '../../events/config.ts';
import {createPool, refuseSuperuser} from '../../events/database.ts';
import {limits} from '../../events/limits.ts';
import {runMain} from '../../events/listen.ts';
import {createMetrics} from '../../events/metrics.ts';
import {requireBearer, serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {startTracing} from '../../events/tracing.ts';
import {debit} from './debit.ts';
import {observer} from './observe.ts';
import {reconciler} from './reconcile.ts';
import {createPostgresStore} from './store-postgres.ts';

await runMain(async () => {
  const settings = readConfig(process.env, {
    PORT: port,
    DATABASE_URL: databaseUrl,
    SOURCE_TOKEN: secret(),
    LOG_LEVEL: string('info'),
    OTEL_EXPORTER_OTLP_ENDPOINT: optional(string()),
    LEASE_TTL_MS: integer({min: 100, max: 3_600_000, defaultValue: limits.leaseTtlMs}),
    UNSETTLED_GRACE_MS: integer({min: 0, max: 86_400_000, defaultValue: limits.unsettledGraceMs}),
  });
  const tracing = await startTracing({
    name: 'budget',
    endpoint: settings.OTEL_EXPORTER_OTLP_ENDPOINT,
  });
  const logger = createLogger({name: 'budget', level: settings.LOG_LEVEL});
  const metrics = createMetrics();
  const pool = createPool({
    databaseUrl: settings.DATABASE_URL,
    name: 'budget',
    pipeline: true,
    onError: error => logger.warn({err: error}, 'an idle connection broke'),
  });
  const ready = refuseSuperuser(pool);
  const store = createPostgresStore({pool});
  const observe = observer({metrics, logger});
  const debitBatch = debit({store, onOutcome: observe.outcome});
  const {reconcile, afterBatch} = reconciler({
    store,
    leaseTtlMs: settings.LEASE_TTL_MS,
    fenceAfterShare: limits.fenceAfterShare,
    unsettledGraceMs: settings.UNSETTLED_GRACE_MS,
    forgetOld: () => pool.query('select forget_old()'),
    onError: error => logger.warn({err: error}, 'the markers that are due were not sent'),
  });
  await serve({
    name: 'budget',
    ready,
    port: settings.PORT,
    sourceToken: settings.SOURCE_TOKEN,
    logger,
    metrics,
    tracing,
    async onBatch(events) {
      const started = performance.now();
      await debitBatch(events);
      observe.duration((performance.now() - started) / 1000);
      await afterBatch();
    },
    routes: router => {
      router.post('/reconcile', async (request, response) => {
        requireBearer(request, settings.SOURCE_TOKEN);
        response.json(await reconcile());
      });
    },
    async onClose() {
      await pool.end();
      await tracing.stop();
    },
  });
});
