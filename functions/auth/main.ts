/**
Auth: answers for proxies and for producers of events whether a key may pass, and logs people in. The gateway does not call it; it has
the same core in its process.
*/
import {watchChanges} from '../../events/changes.ts';
import {
  databaseUrl,
  environment,
  optional,
  port,
  type Reader,
  readConfig,
  secret,
  string,
} from '../../events/config.ts';
import {createPool, refuseSuperuser} from '../../events/database.ts';
import {limits} from '../../events/limits.ts';
import {runMain} from '../../events/listen.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {answerCheck} from './check.ts';
import {createPrincipalLoader} from './load-principal.ts';
import {peopleRoutes} from './login/people.ts';
import {peopleFrom, peopleSettings} from './login/people-settings.ts';
import {createPrincipals} from './principals.ts';
import {verifyRoutes} from './verify.ts';

/** The largest body is a check with a model's name. */
const bodyBytes = 64 * 1024;

const headerName: Reader<string> = text => {
  if (text === undefined || !/^[A-Za-z0-9-]{1,64}$/.test(text)) {
    throw new Error('expected the name of a header');
  }
  return text.toLowerCase();
};

await runMain(async () => {
  const settings = readConfig(process.env, {
    PORT: port,
    DATABASE_URL: databaseUrl,
    DATABASE_URL_DIRECT: optional(databaseUrl),
    ENVIRONMENT: environment,
    API_KEY_HEADER: optional(headerName),
    SOURCE_TOKEN: optional(secret()),
    LOG_LEVEL: string('info'),
    ...peopleSettings,
  });
  const people = peopleFrom(settings);
  const logger = createLogger({name: 'auth', level: settings.LOG_LEVEL});
  const onError = (error: Error) => logger.warn({err: error}, 'an idle connection broke');
  const pool = createPool({databaseUrl: settings.DATABASE_URL, name: 'auth', onError});
  const loginPool =
    people && createPool({databaseUrl: people.databaseUrl, name: 'auth-login', onError});
  const principals = createPrincipals({
    load: createPrincipalLoader(pool),
    environment: settings.ENVIRONMENT,
  });
  const changes = watchChanges({
    databaseUrl: settings.DATABASE_URL_DIRECT ?? settings.DATABASE_URL,
    onChanges: principals.onChanges,
    onError: error => logger.warn({err: error}, 'the changes could not be read'),
  });
  // At once: each waits for a connection of its own.
  const ready = Promise.all([refuseSuperuser(pool), changes.start()]);
  const isStale = () => changes.staleSinceMs() > limits.staleMaxMs;
  await serve({
    name: 'auth',
    ready,
    port: settings.PORT,
    logger,
    bodyBytes,
    ...(settings.SOURCE_TOKEN === undefined
      ? {}
      : {sourceToken: settings.SOURCE_TOKEN, onEvent: answerCheck({principals, isStale})}),
    routes: router => {
      verifyRoutes({principals, isStale, keyHeader: settings.API_KEY_HEADER})(router);
      if (people && loginPool) {
        peopleRoutes({people, pool: loginPool, logger})(router);
      }
    },
    health: () =>
      changes.staleSinceMs() > 1_000 ? 'stale: the changes were not read for a second' : undefined,
    onClose: async () => {
      await changes.close();
      await Promise.all([pool.end(), loginPool?.end()]);
    },
  });
});
