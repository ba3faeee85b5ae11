/** Admin: organisations, projects, keys, budgets and the ledger over HTTP. Wiring only. */
import {createDirectory} from '../../events/access/directory.ts';
import {createGuard} from '../../events/access/guard.ts';
import {databaseUrl, port, readConfig, secret, string} from '../../events/config.ts';
import {createPool, refuseSuperuser} from '../../events/database.ts';
import {runMain} from '../../events/listen.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {adminRoutes} from './routes.ts';

/** The largest body is a key that may use a thousand models. */
const bodyBytes = 256 * 1024;

await runMain(async () => {
  const settings = readConfig(process.env, {
    PORT: port,
    DATABASE_URL: databaseUrl,
    ADMIN_KEY: secret(),
    LOG_LEVEL: string('info'),
  });
  const logger = createLogger({name: 'admin', level: settings.LOG_LEVEL});
  const pool = createPool({
    databaseUrl: settings.DATABASE_URL,
    name: 'admin',
    onError: error => logger.warn({err: error}, 'an idle connection broke'),
  });
  await refuseSuperuser(pool);
  const guard = createGuard({adminKey: settings.ADMIN_KEY, directory: createDirectory(pool)});
  await serve({
    name: 'admin',
    port: settings.PORT,
    logger,
    bodyBytes,
    routes: adminRoutes({pool, guard}),
    onClose: () => pool.end(),
  });
});
