/**
Gateway: the OpenAI API in front of the model servers.

Wires the pure cores of auth, budget and registry into its own process: a hop to their functions a request would cost more
than the request. It waits for no function, and in steady state makes no database call for a request.
*/
import {watchChanges} from '../../events/changes.ts';
import {
  databaseUrl,
  environment,
  integer,
  optional,
  origins,
  port,
  readConfig,
  string,
} from '../../events/config.ts';
import {createPool, refuseSuperuser} from '../../events/database.ts';
import {kafkaReaders, kafkaSettings} from '../../events/kafka/settings.ts';
import {limits as defaults} from '../../events/limits.ts';
import {listen, runMain} from '../../events/listen.ts';
import {createMetrics} from '../../events/metrics.ts';
import {createOutboxLog} from '../../events/outbox.ts';
import {redisAt, redisUrl} from '../../events/redis.ts';
import {createLogger} from '../../events/telemetry.ts';
import {startTracing} from '../../events/tracing.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createPrincipalLoader} from '../auth/load-principal.ts';
import {createPrincipals} from '../auth/principals.ts';
import {createLeaseBook} from '../budget/leases/lease-book.ts';
import {besideChanges, createLeaseWork} from '../budget/leases/lease-work.ts';
import {createCatalogue} from '../registry/catalogue.ts';
import {createModelLoader} from '../registry/load-models.ts';
import {createOpenExchanges} from './exchange/open-exchanges.ts';
import {checkOrigins} from './front/cors.ts';
import {createGateway} from './gateway.ts';
import {createSeal, resultsKey} from './idempotency/seal.ts';
import {createPostgresClaims} from './idempotency/store-postgres.ts';
import {createRedisClaims} from './idempotency/store-redis.ts';
import {withDefaultRate} from './limits/default-rate.ts';
import {countGateways} from './limits/gateways.ts';
import {createRedisLimits} from './limits/store-redis.ts';
import {createLogs} from './log/logs.ts';
import {otherReaders, otherSettings} from './other-names.ts';

await runMain(async () => {
  const settings = readConfig(process.env, {
    PORT: port,
    DATABASE_URL: databaseUrl,
    DATABASE_URL_DIRECT: optional(databaseUrl),
    ENVIRONMENT: environment,
    LOG_LEVEL: string('info'),
    REQUEST_TIMEOUT_MS: integer({
      min: 100,
      max: defaults.requestMs,
      defaultValue: defaults.requestMs,
    }),
    FIRST_BYTE_TIMEOUT_MS: integer({
      min: 100,
      max: defaults.requestMs,
      defaultValue: defaults.firstByteMs,
    }),
    IDLE_TIMEOUT_MS: integer({
      min: 100,
      max: defaults.requestMs,
      defaultValue: defaults.idleUpstreamMs,
    }),
    CLIENT_BODY_TIMEOUT_MS: integer({
      min: 100,
      max: defaults.requestMs,
      defaultValue: defaults.clientBodyMs,
    }),
    CLIENT_IDLE_TIMEOUT_MS: integer({
      min: 100,
      max: defaults.requestMs,
      defaultValue: defaults.clientIdleMs,
    }),
    LEASE_TTL_MS: integer({min: 1_000, max: 600_000, defaultValue: defaults.leaseTtlMs}),
    UNSETTLED_GRACE_MS: integer({min: 0, max: 3_600_000, defaultValue: defaults.unsettledGraceMs}),
    OTEL_EXPORTER_OTLP_ENDPOINT: optional(string()),
    REDIS_URL: optional(redisUrl),
    RESULTS_KEY: optional(resultsKey),
    CORS_ORIGINS: origins,
    ...kafkaReaders,
    ...otherReaders,
  });
  checkOrigins(settings.CORS_ORIGINS, settings.ENVIRONMENT);
  const kafka = kafkaSettings(settings, 'gateway');
  const {redisUrl: redis, ...other} = otherSettings(settings);
  const tracing = await startTracing({
    name: 'gateway',
    endpoint: settings.OTEL_EXPORTER_OTLP_ENDPOINT,
  });
  const logger = createLogger({name: 'gateway', level: settings.LOG_LEVEL});
  const limits = {
    ...defaults,
    requestMs: settings.REQUEST_TIMEOUT_MS,
    firstByteMs: settings.FIRST_BYTE_TIMEOUT_MS,
    idleUpstreamMs: settings.IDLE_TIMEOUT_MS,
    clientBodyMs: settings.CLIENT_BODY_TIMEOUT_MS,
    clientIdleMs: settings.CLIENT_IDLE_TIMEOUT_MS,
    leaseTtlMs: settings.LEASE_TTL_MS,
    leaseMarginMs: Math.min(defaults.leaseMarginMs, settings.LEASE_TTL_MS / 4),
    unsettledGraceMs: settings.UNSETTLED_GRACE_MS,
    leaseWaitMs: other.leaseWaitMs ?? defaults.leaseWaitMs,
    claimMarginMs: Math.min(defaults.claimMarginMs, settings.REQUEST_TIMEOUT_MS),
    // What Kafka did not take within its time goes to the outbox, which has as long.
    appendMs: kafka ? 2 * defaults.appendMs : defaults.appendMs,
  };
  const onPoolError = (error: Error) => logger.warn({err: error}, 'a database connection broke');
  const createGatewayPool = (name: string, connectionsMax: number) =>
    createPool({
      databaseUrl: settings.DATABASE_URL,
      name,
      connectionsMax,
      statementTimeoutMs: 5_000,
      onError: onPoolError,
    });
  const pool = createGatewayPool('gateway', 6);
  // Apart, so that a flood of unknown keys waits for itself and not intents for it.
  const lookups = createGatewayPool('gateway-lookups', 2);
  // Waited for below: connections are opened beside each other.
  const admitted = Promise.all([refuseSuperuser(pool), refuseSuperuser(lookups)]);
  const warn = (message: string) => (error: Error) => logger.warn({err: error}, message);

  const principals = createPrincipals({
    load: withDefaultRate(createPrincipalLoader(lookups), other.defaultRequestsPerMinute),
    environment: settings.ENVIRONMENT,
  });
  const catalogue = createCatalogue({
    load: createModelLoader(lookups, settings.ENVIRONMENT),
    environment: settings.ENVIRONMENT,
    onError: warn('the models could not be read'),
  });
  const id = uuidv7();
  const leaseWork = createLeaseWork({
    client: pool,
    gateway: id,
    environment: settings.ENVIRONMENT,
    ttlMs: limits.leaseTtlMs,
  });
  const gateways = countGateways({
    async ask() {
      await admitted;
      return (await leaseWork({returns: [], renewals: [], grants: []})).gateways;
    },
    everyMs: limits.leaseTtlMs / 3,
  });
  const leaseBook = createLeaseBook({
    work: leaseWork,
    ttlMs: limits.leaseTtlMs,
    marginMs: limits.leaseMarginMs,
    settleMs: limits.requestMs + limits.unsettledGraceMs - limits.leaseMarginMs,
    waitMs: limits.leaseWaitMs,
    onError: warn('the leases could not be worked on'),
  });
  const openExchanges = createOpenExchanges();
  const changes = watchChanges({
    databaseUrl: settings.DATABASE_URL_DIRECT ?? settings.DATABASE_URL,
    onChanges: found => {
      principals.onChanges(found);
      openExchanges.onChanges(found);
      if (found === 'all' || found.some(({kind}) => kind === 'model')) {
        catalogue.invalidate();
      }
      const budgets = found === 'all' ? found : found.filter(({kind}) => kind === 'budget');
      leaseBook.change(budgets === 'all' ? budgets : budgets.map(({subject}) => subject));
    },
    beside: besideChanges(id, leaseBook.recall),
    onError: warn('the changes could not be read'),
  });
  await Promise.all([
    admitted,
    // What was loaded before the first read would be forgotten by it. Without models it starts all the same: the next look-up tries again.
    changes.start().then(() => catalogue.refresh().catch(() => {})),
  ]);

  const metrics = createMetrics();
  const logs = createLogs({
    kafka,
    outbox: createOutboxLog({client: pool}),
    logger,
    metrics,
    sendMs: defaults.appendMs,
  });
  const gateway = createGateway({
    principals,
    catalogue,
    leaseBook,
    changes,
    openExchanges,
    log: logs.intents,
    resultLog: logs.results,
    logState: logs.state,
    pool,
    limits,
    logger,
    metrics,
    tracing,
    origins: settings.CORS_ORIGINS,
    ...(other.recheckMs === undefined ? {} : {recheckMs: other.recheckMs}),
    claims: redis
      ? createRedisClaims({
          redis: redisAt(redis, {
            name: 'sluice-gateway',
            replyMs: defaults.claimStoreMs,
            onError: warn('Redis is away'),
          }),
        })
      : createPostgresClaims(pool),
    gatewayId: id,
    gateways: () => Math.max(gateways.count(), leaseBook.state().gateways),
    ...(redis
      ? {
          limitStore: createRedisLimits({
            redis: redisAt(redis, {
              name: 'sluice-gateway-limits',
              replyMs: defaults.limitReplyMs,
              onError: warn('Redis is away'),
            }),
            gateway: id,
          }),
        }
      : {}),
    ...(settings.RESULTS_KEY ? {seal: createSeal(settings.RESULTS_KEY)} : {}),
  });
  await listen({
    server: gateway.server,
    logger,
    port: settings.PORT,
    drainMs: limits.requestMs,
    onDrain: gateway.drain,
    onClose: async () => {
      gateways.close();
      await gateway.close();
      await logs.close();
      await changes.close();
      await Promise.all([pool.end(), lookups.end()]);
      await tracing.stop();
    },
  });
});
