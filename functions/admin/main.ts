/** Admin: organisations, projects, keys, budgets and the ledger over HTTP. Wiring only. */
import {accessSettings, guardFrom} from '../../events/access/settings.ts';
import {databaseUrl, integer, port, readConfig, string} from '../../events/config.ts';
import {createPool, refuseSuperuser} from '../../events/database.ts';
import {runMain} from '../../events/listen.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {adminRoutes} from './routes.ts';
import {purgeOnTick} from './tenants/purge.ts';

/** The largest body is a key that may use a thousand models. */
const bodyBytes = 256 * 1024;

await runMain(async () => {
  const settings = readConfig(process.env, {
    PORT: port,
    DATABASE_URL: databaseUrl,
    ...accessSettings,
    AUDIT_DAYS: integer({min: 30, max: 36_500, defaultValue: 400}),
    LOG_LEVEL: string('info'),
  });
  const logger = createLogger({name: 'admin', level: settings.LOG_LEVEL});
  const pool = createPool({
    databaseUrl: settings.DATABASE_URL,
    name: 'admin',
    onError: error => logger.warn({err: error}, 'an idle connection broke'),
  });
  const ready = refuseSuperuser(pool);
  const guard = guardFrom(settings, pool);
  await serve({
    name: 'admin',
    ready,
    port: settings.PORT,
    logger,
    bodyBytes,
    onEvent: purgeOnTick(pool, {auditDays: settings.AUDIT_DAYS}),
    routes: adminRoutes({pool, guard}),
    onClose: () => pool.end(),
  });
});
