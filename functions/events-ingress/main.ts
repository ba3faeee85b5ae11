/**
Events ingress: events from outside, at `POST /events`.

Has the pure core of auth and its cache of keys in its own process, as the gateway has: asking the auth function would be a
hop a request, and a revocation would be as old as the answer; here it counts within a second of its commit.
*/
import {fileURLToPath} from 'node:url';
import {watchChanges} from '../../events/changes.ts';
import {
  databaseUrl,
  environment,
  integer,
  optional,
  port,
  readConfig,
  string,
} from '../../events/config.ts';
import {createPool, refuseSuperuser} from '../../events/database.ts';
import {limits} from '../../events/limits.ts';
import {listen, runMain} from '../../events/listen.ts';
import {createMetrics} from '../../events/metrics.ts';
import {createStamps, stampKey} from '../../events/org-stamp.ts';
import {createLogger} from '../../events/telemetry.ts';
import {createPrincipalLoader} from '../auth/load-principal.ts';
import {createPrincipals} from '../auth/principals.ts';
import {readOpenTypes} from './open-types.ts';
import {createRates} from './rates.ts';
import {createReceive} from './receive.ts';
import {createIngressServer} from './server.ts';
import {createPostgresStore, rememberBacklog} from './store.ts';

await runMain(async () => {
  const settings = readConfig(process.env, {
    PORT: port,
    DATABASE_URL: databaseUrl,
    DATABASE_URL_DIRECT: optional(databaseUrl),
    TENANT_DATABASE_URL: databaseUrl,
    ENVIRONMENT: environment,
    EVENTS_PER_SECOND: integer({min: 1, max: 1_000_000, defaultValue: 1_000}),
    EVENT_BYTES_PER_SECOND: integer({min: 1_024, max: 2 ** 30, defaultValue: 4 * 1024 * 1024}),
    OPEN_REQUESTS_MAX: integer({min: 1, max: limits.openRequests, defaultValue: 512}),
    CLIENT_BODY_TIMEOUT_MS: integer({
      min: 100,
      max: limits.requestMs,
      defaultValue: limits.clientBodyMs,
    }),
    STAMP_KEY: optional(stampKey),
    LOG_LEVEL: string('info'),
  });
  const logger = createLogger({name: 'events-ingress', level: settings.LOG_LEVEL});
  if (settings.STAMP_KEY === undefined) {
    logger.warn(
      'STAMP_KEY is not set: events have no stamp, and Triggers of charts/tenant take none',
    );
  }
  const openPool = (name: string, url: string, connectionsMax: number) =>
    createPool({
      databaseUrl: url,
      name,
      connectionsMax,
      statementTimeoutMs: 5_000,
      onError: error => logger.warn({err: error}, 'a database connection broke'),
    });
  const gateway = openPool('events-ingress', settings.DATABASE_URL, 2);
  const tenant = openPool('events-ingress-tenant', settings.TENANT_DATABASE_URL, 8);
  const principals = createPrincipals({
    load: createPrincipalLoader(gateway),
    environment: settings.ENVIRONMENT,
  });
  const changes = watchChanges({
    databaseUrl: settings.DATABASE_URL_DIRECT ?? settings.DATABASE_URL,
    onChanges: principals.onChanges,
    onError: error => logger.warn({err: error}, 'the changes could not be read'),
  });
  // At once: each waits for a connection of its own.
  const ready = Promise.all([refuseSuperuser(gateway), refuseSuperuser(tenant), changes.start()]);
  const store = createPostgresStore({tenant, gateway});
  const receive = createReceive({
    principals,
    staleSinceMs: changes.staleSinceMs,
    backlog: rememberBacklog(store.backlog),
    rates: createRates({
      eventsPerSecond: settings.EVENTS_PER_SECOND,
      bytesPerSecond: settings.EVENT_BYTES_PER_SECOND,
    }),
    openTypes: readOpenTypes(fileURLToPath(new URL('../../schemas/events', import.meta.url))),
    stampOf: settings.STAMP_KEY === undefined ? undefined : createStamps(settings.STAMP_KEY),
    store,
    limits,
    // What is more than a second's worth would be refused at every try.
    eventsMax: Math.min(limits.batchEvents, settings.EVENTS_PER_SECOND),
    bytesMax: Math.min(limits.batchBytes, settings.EVENT_BYTES_PER_SECOND),
  });
  const server = createIngressServer({
    receive,
    limits: {...limits, clientBodyMs: settings.CLIENT_BODY_TIMEOUT_MS},
    openRequestsMax: settings.OPEN_REQUESTS_MAX,
    logger,
    metrics: createMetrics(),
    health: () =>
      changes.staleSinceMs() > 1_000 ? 'stale: the changes were not read for a second' : undefined,
  });
  await ready;
  await listen({
    server,
    logger,
    port: settings.PORT,
    async onClose() {
      await changes.close();
      await Promise.all([gateway.end(), tenant.end()]);
    },
  });
});
