/**
Gateway: puts the parts of the request path together, and keeps what must be kept while it runs.

In: the cores and ports that main.ts made. Out: a server, its drain and its close. Beside requests it does two things by
itself: every few seconds, jittered, it begins the fences and settlements that are due, so that money held by a process
that died comes free although every function sleeps; and it watches what it can still promise.
*/

import type {watchChanges} from '../../events/changes.ts';
import type {Queryable} from '../../events/database.ts';
import {SluiceError} from '../../events/errors.ts';
import type {Limits} from '../../events/limits.ts';
import type {Metrics} from '../../events/metrics.ts';
import type {EventLog} from '../../events/outbox.ts';
import type {Logger} from '../../events/telemetry.ts';
import {noTracing, type Tracing} from '../../events/tracing.ts';
import type {Principals} from '../auth/principals.ts';
import type {LeaseBook} from '../budget/leases/lease-book.ts';
import type {Catalogue} from '../registry/catalogue.ts';
import {createInference} from './admission/inference.ts';
import {whyNotAnyMore} from './admission/still-let-in.ts';
import {createExchanges} from './exchange/exchange.ts';
import type {OpenExchanges} from './exchange/open-exchanges.ts';
import {createUpstream} from './exchange/upstream.ts';
import {createGatewayServer} from './front/server.ts';
import type {ClaimStore} from './idempotency/claim.ts';
import {createGatewayIdempotency} from './idempotency/gateway.ts';
import type {Seal} from './idempotency/seal.ts';
import {createRequestLimits} from './limits/gateway.ts';
import type {LimitStore} from './limits/store.ts';
import {createGather} from './log/gather.ts';
import type {LogState} from './log/logs.ts';
import {watchOutbox} from './log/outbox-watch.ts';
import {createPatience} from './log/patience.ts';
import {startSweeping, sweepMsOf} from './log/sweep.ts';
import {isLogAway, type Known, staleMs} from './observe/degradation.ts';
import {watchDegradation} from './observe/degradation-watch.ts';
import {registerGauges} from './observe/gauges.ts';
import {createMeasure} from './observe/gen-ai.ts';
import {countHolds} from './observe/hold-count.ts';
import {createObserver} from './observe/observe.ts';
import {createRefusals} from './observe/refusals.ts';
import {createGatewayRouter} from './routing/gateway.ts';
import {createRecheck} from './routing/recheck.ts';
import {createSuspicion} from './routing/suspicion.ts';

export type GatewayParts = Readonly<{
  principals: Principals;
  catalogue: Catalogue;
  leaseBook: LeaseBook;
  changes: Pick<ReturnType<typeof watchChanges>, 'staleSinceMs'>;
  /** What runs, for who cuts it off. */
  openExchanges?: OpenExchanges;
  log: EventLog;
  /** Where results go, when they are not to wait behind intents. */
  resultLog?: EventLog;
  /** How the logs do; without it they are the outbox alone. */
  logState?: () => LogState;
  pool: Queryable;
  limits: Limits;
  logger: Logger;
  metrics: Metrics;
  tracing?: Tracing;
  /** Where claims on idempotency keys are; without it they are this process's own. */
  claims?: ClaimStore;
  /** How results are kept; without it none is. */
  seal?: Seal;
  /** Where limits are counted over all gateways; without it each has its share. */
  limitStore?: LimitStore;
  /** This one's name among the gateways, and how many there are. */
  gatewayId?: string;
  gateways?: () => number;
  /** Web pages that may call; none without it. */
  origins?: readonly string[];
  /** After so long an endpoint that was found ill is asked for again. */
  recheckMs?: number;
  sweepMs?: number;
}>;

export const createGateway = (parts: GatewayParts) => {
  const {limits, logger, metrics, leaseBook, changes, log, resultLog = log} = parts;
  const router = createGatewayRouter(parts);
  const upstream = createUpstream({limits});
  const {logState = () => ({kafka: 'none', outboxEvents: 0})} = parts;
  const outbox = watchOutbox({
    pool: parts.pool,
    addedEvents: () => logState().outboxEvents,
    isSuspicious: () => logState().kafka === 'away' || changes.staleSinceMs() > staleMs,
    rowsMax: limits.outboxRows,
    regularMs: parts.sweepMs ?? sweepMsOf(limits),
    onAway: error => logger.warn({err: error}, 'PostgreSQL does not answer'),
  });
  const onError = (error: Error) => {
    outbox.suspect();
    logger.warn({err: error}, 'the log did not take a batch');
  };
  const appended = metrics.histogram(
    'sluice_log_append_seconds',
    'How long the log took to make a batch durable, by what was in it.',
  );
  const lag = metrics.histogram(
    'sluice_event_lag_seconds',
    'How long the first event of a batch waited until the log had it, attempts that failed included, by what was in it.',
  );
  const onDurableOf = (kind: 'intents' | 'results') => {
    const cells = {appended: appended({kind}), lag: lag({kind})};
    return (seconds: number, lagSeconds: number) => {
      cells.appended.observe(seconds);
      cells.lag.observe(lagSeconds);
    };
  };
  const patience = createPatience();
  const intentIsDurable = onDurableOf('intents');
  const intents = createGather({
    log: {
      // Its client would wait in vain for both, one after the other.
      append: events =>
        isLogAway(know())
          ? Promise.reject(new SluiceError('unavailable', 'nothing takes the record of a request'))
          : log.append(events),
    },
    lingerMs: 2,
    persistent: false,
    appendMs: limits.appendMs,
    onError,
    onDurable(seconds, lagSeconds) {
      patience.appended(seconds * 1_000);
      intentIsDurable(seconds, lagSeconds);
    },
  });
  const results = createGather({
    log: resultLog,
    lingerMs: 25,
    persistent: true,
    appendMs: limits.appendMs,
    onError,
    onDurable: onDurableOf('results'),
  });
  const observe = createObserver(parts);
  const holds = countHolds();
  const {tracing = noTracing} = parts;
  const measure = createMeasure(tracing);
  const suspect = createSuspicion(parts);
  const recheck = createRecheck({
    suspect,
    ...(parts.gateways ? {gateways: parts.gateways} : {}),
    ...(parts.recheckMs === undefined ? {} : {firstMs: parts.recheckMs}),
  });
  const idempotency = createGatewayIdempotency(parts);
  const requestLimits = createRequestLimits(parts);
  const refusals = createRefusals(parts);
  let draining = false;
  const know = (): Known => ({
    kafka: logState().kafka,
    postgresAwayMs: outbox.awayMs(),
    changesAgeMs: changes.staleSinceMs(),
    modelsFailing: parts.catalogue.state().failing,
    outbox: outbox.backlog(),
    resultsWaiting: results.unacknowledged(),
    claimsAway: idempotency.isAway(),
    limitsAway: requestLimits.isAway(),
  });
  const degradation = watchDegradation({know, bounds: limits, logger, metrics});

  const runExchange = createExchanges({
    upstream,
    intents,
    patience,
    results,
    router,
    limits,
    logger,
    ...(parts.openExchanges ? {open: parts.openExchanges} : {}),
    stillLetIn: ({principal, model}) => whyNotAnyMore(parts.principals, principal, model.name),
    isServed: ({id, name}) => parts.catalogue.find(name)?.id === id,
    onEnd(exchange, ending, error) {
      exchange.onEnd?.(ending);
      observe.end(exchange, ending, error);
      measure?.(exchange, ending, error);
      if (ending.outcome === 'completed' && exchange.facts.endpoint.health !== 'healthy') {
        suspect(exchange.facts, 'it answered although it is not known to be healthy');
      }
      recheck(exchange.facts.model);
    },
    onSent: observe.sent,
    onRetry: observe.retried,
    onRecorded: ({facts}) => holds.end(facts.holds),
    onEndpointFailed: ({facts}, error) => suspect(facts, error.message),
  });
  const server = createGatewayServer({
    ...parts,
    infer: createInference({
      ...parts,
      tracing,
      router,
      upstream,
      idempotency,
      requestLimits,
      onFallback: observe.fellBack,
      runExchange(exchange) {
        holds.begin(exchange.facts.holds);
        runExchange(exchange);
      },
    }),
    refusals,
    stateOf: router.stateOf,
    staleSinceMs: changes.staleSinceMs,
    refusal: degradation.refusal,
    health: () => degradation.health(draining),
    isDraining: () => draining,
  });
  const stopSweeping = startSweeping(parts);
  registerGauges(metrics, {leaseBook, router, changes, intents, results, outbox, holds});

  return {
    server,
    drain() {
      draining = true;
    },
    async close() {
      stopSweeping();
      // Whose client went a moment ago has no result yet.
      await upstream.idle();
      await intents.flush(limits.appendMs);
      if (!(await results.flush(10_000))) {
        logger.error(
          {results: results.waiting()},
          'results were not recorded in time; the reconciler settles them',
        );
      }
      router.close();
      degradation.close();
      outbox.close();
      await refusals.close();
      await idempotency.close();
      await requestLimits.close();
      await leaseBook.close();
      await upstream.close();
    },
  };
};
