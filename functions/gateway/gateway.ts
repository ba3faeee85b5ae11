/**
Gateway: puts the parts of the request path together, and keeps what must be kept while it runs.

In: the cores and ports that main.ts made. Out: a server, its drain and its close. Beside requests it does one thing by
itself: every few seconds, jittered, it begins the fences and settlements that are due, so that money held by a process
that died comes free although every function sleeps.
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
import {createExchanges} from './exchange.ts';
import {createGather} from './gather.ts';
import type {ClaimStore} from './idempotency/claim.ts';
import {createGatewayIdempotency} from './idempotency/gateway.ts';
import type {Seal} from './idempotency/seal.ts';
import {createInference} from './inference.ts';
import {createObserver, registerGauges} from './observe.ts';
import {createRouter} from './route.ts';
import {createGatewayServer} from './server.ts';
import {createSuspicion} from './suspicion.ts';
import {type Backlog, startSweeping} from './sweep.ts';
import {createUpstream} from './upstream.ts';

export type GatewayParts = Readonly<{
  principals: Principals;
  catalogue: Catalogue;
  leaseBook: LeaseBook;
  changes: Pick<ReturnType<typeof watchChanges>, 'staleSinceMs'>;
  log: EventLog;
  /** Where results go, when they are not to wait behind intents. */
  resultLog?: EventLog;
  pool: Queryable;
  limits: Limits;
  logger: Logger;
  metrics: Metrics;
  tracing?: Tracing;
  /** Where claims on idempotency keys are; without it they are this process's own. */
  claims?: ClaimStore;
  /** How results are kept; without it none is. */
  seal?: Seal;
  sweepMs?: number;
}>;

export const createGateway = (parts: GatewayParts) => {
  const {limits, logger, metrics, leaseBook, changes, log, resultLog = log} = parts;
  const router = createRouter();
  const upstream = createUpstream({limits});
  const onError = (error: Error) => logger.warn({err: error}, 'the log did not take a batch');
  const appended = metrics.histogram(
    'sluice_log_append_seconds',
    'How long the log took to make a batch durable, by what was in it.',
  );
  const intents = createGather({
    log,
    lingerMs: 2,
    persistent: false,
    appendMs: limits.appendMs,
    onError,
    onDurable: appended({kind: 'intents'}).observe,
  });
  const results = createGather({
    log: resultLog,
    lingerMs: 25,
    persistent: true,
    appendMs: limits.appendMs,
    onError,
    onDurable: appended({kind: 'results'}).observe,
  });
  const observe = createObserver(parts);
  const suspect = createSuspicion(parts);
  const idempotency = createGatewayIdempotency(parts);
  let draining = false;
  let backlog: Backlog = {rows: 0, ageMs: 0};
  const isFull = () => backlog.rows > limits.outboxRows || backlog.ageMs > limits.outboxAgeMs;

  const runExchange = createExchanges({
    upstream,
    intents,
    results,
    limits,
    logger,
    onEnd(exchange, ending, error) {
      router.end(exchange.facts.endpoint.url);
      exchange.onEnd?.(ending);
      observe(exchange, ending, error);
      if (ending.outcome === 'completed' && exchange.facts.endpoint.health === 'unhealthy') {
        suspect(exchange.facts, 'it answered although it is thought unhealthy');
      }
    },
    onEndpointFailed: ({facts}, error) => suspect(facts, error.message),
  });
  const server = createGatewayServer({
    ...parts,
    infer: createInference({
      ...parts,
      tracing: parts.tracing ?? noTracing,
      router,
      upstream,
      idempotency,
      runExchange(exchange) {
        router.begin(exchange.facts.endpoint.url);
        runExchange(exchange);
      },
    }),
    staleSinceMs: changes.staleSinceMs,
    isFull,
    health() {
      if (draining) {
        throw new SluiceError('unavailable', 'draining');
      }
      if (isFull()) {
        return `full: ${backlog.rows} events wait in the outbox, the oldest for ${backlog.ageMs} ms`;
      }
      if (changes.staleSinceMs() > 1_000) {
        return 'stale: changes were not read for a second';
      }
      return idempotency.isAway() ? 'idempotency keys are known per process only' : undefined;
    },
  });
  const stopSweeping = startSweeping({
    ...parts,
    onBacklog(found) {
      backlog = found;
    },
  });
  registerGauges(metrics, {leaseBook, router, changes, results});

  return {
    server,
    drain() {
      draining = true;
    },
    async close() {
      stopSweeping();
      await intents.flush(limits.appendMs);
      if (!(await results.flush(10_000))) {
        logger.error(
          {results: results.waiting()},
          'results were not recorded in time; the reconciler settles them',
        );
      }
      await idempotency.close();
      await leaseBook.close();
      await upstream.close();
    },
  };
};
