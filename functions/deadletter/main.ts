/** Deadletter: keeps what brokers could not deliver, and shows, redrives and drops what anybody kept. Wiring only. */
import {accessSettings, guardFrom} from '../../events/access/settings.ts';
import {databaseUrl, port, readConfig, string} from '../../events/config.ts';
import {createPool, refuseSuperuser} from '../../events/database.ts';
import {limits} from '../../events/limits.ts';
import {runMain} from '../../events/listen.ts';
import {createMetrics} from '../../events/metrics.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {createLetters} from './letters.ts';
import {observeLetters} from './observe.ts';
import {receiveLetter} from './receive.ts';
import {deadLetterRoutes} from './routes.ts';

await runMain(async () => {
  const settings = readConfig(process.env, {
    PORT: port,
    DATABASE_URL: databaseUrl,
    ...accessSettings,
    LOG_LEVEL: string('info'),
  });
  const logger = createLogger({name: 'deadletter', level: settings.LOG_LEVEL});
  const pool = createPool({
    databaseUrl: settings.DATABASE_URL,
    name: 'deadletter',
    onError: error => logger.warn({err: error}, 'an idle connection broke'),
  });
  const ready = refuseSuperuser(pool);
  const metrics = createMetrics();
  const letters = createLetters({pool});
  const observe = observeLetters({
    metrics,
    countWaiting: letters.countWaiting,
    onError: error => logger.warn({err: error}, 'the dead letters could not be counted'),
  });
  const guard = guardFrom(settings, pool);
  await serve({
    name: 'deadletter',
    ready,
    port: settings.PORT,
    logger,
    metrics,
    // An event with as many attributes as a function takes comes here with more: one that is refused here is lost on a Kafka Broker.
    headerBytes: 4 * limits.headerBytes,
    routes: deadLetterRoutes({
      letters,
      receive: receiveLetter({client: pool, onStored: observe.onStored}),
      guard,
      onChanged: observe.onChanged,
    }),
    async onClose() {
      await observe.close();
      await pool.end();
    },
  });
});
