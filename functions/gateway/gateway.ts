/**
Gateway: puts the parts of the request path together, and keeps what must be kept while it runs.

In: the cores and ports that main.ts made. Out: a server, its drain and its close. Beside requests it does one thing by
itself: every few seconds, jittered, it begins the fences and settlements that are due, so that money held by a process
that died comes free although every function sleeps.
*/

import type {watchChanges} from '../../events/changes.ts';
import type {Queryable} from '../../events/database.ts';
import type {SluiceError} from '../../events/errors.ts';
import {makeEvent} from '../../events/event.ts';
import type {Limits} from '../../events/limits.ts';
import type {Metrics} from '../../events/metrics.ts';
import {type EventLog, insertIntoOutbox} from '../../events/outbox.ts';
import {type Logger, traceIdOf} from '../../events/telemetry.ts';
import {uuidv7} from '../../events/uuid.ts';
import type {Principals} from '../auth/principals.ts';
import type {LeaseBook} from '../budget/lease-book.ts';
import type {Catalogue} from '../registry/catalogue.ts';
import {createExchanges, type Exchange} from './exchange.ts';
import type {Ending} from './facts.ts';
import {createGather} from './gather.ts';
import {createInference} from './inference.ts';
import {createRouter} from './route.ts';
import {createGatewayServer} from './server.ts';
import {createUpstream} from './upstream.ts';

export type GatewayParts = Readonly<{
  principals: Principals;
  catalogue: Catalogue;
  leaseBook: LeaseBook;
  changes: Pick<ReturnType<typeof watchChanges>, 'staleSinceMs'>;
  log: EventLog;
  pool: Queryable;
  limits: Limits;
  logger: Logger;
  metrics: Metrics;
  sweepMs?: number;
}>;

export const createGateway = (parts: GatewayParts) => {
  const {limits, logger, metrics, leaseBook, changes, log} = parts;
  const router = createRouter();
  const upstream = createUpstream({limits});
  const onError = (error: Error) => logger.warn({err: error}, 'the log did not take a batch');
  const intents = createGather({log, lingerMs: 2, persistent: false, onError});
  const results = createGather({log, lingerMs: 25, persistent: true, onError});
  const observe = createObserver(parts);
  const suspect = createSuspicion(parts);
  let draining = false;

  const runExchange = createExchanges({
    upstream,
    intents,
    results,
    limits,
    logger,
    onEnd(exchange, ending, error) {
      router.end(exchange.facts.endpoint);
      observe(exchange, ending, error);
    },
    onEndpointFailed: suspect,
  });
  const server = createGatewayServer({
    ...parts,
    infer: createInference({
      ...parts,
      router,
      upstream,
      runExchange(exchange) {
        router.begin(exchange.facts.endpoint);
        runExchange(exchange);
      },
    }),
    staleSinceMs: changes.staleSinceMs,
    openRequests: router.inFlight,
    health() {
      if (draining) {
        throw new Error('draining');
      }
      return changes.staleSinceMs() > 1_000
        ? 'stale: changes were not read for a second'
        : undefined;
    },
  });
  const stopSweeping = startSweeping(parts);
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
      await leaseBook.close();
      await upstream.close();
    },
  };
};

const registerGauges = (
  metrics: Metrics,
  {
    leaseBook,
    router,
    changes,
    results,
  }: {
    leaseBook: LeaseBook;
    router: {inFlight(): number};
    changes: {staleSinceMs(): number};
    results: {waiting(): number};
  },
) => {
  const text = metrics.text;
  const gauge = (name: string, help: string) => metrics.gauge(name, help)();
  const open = gauge('sluice_open_requests', 'Requests upstream.');
  const leases = gauge('sluice_leases', 'Leases that may grant.');
  const waiting = gauge('sluice_lease_waiters', 'Requests that wait for a lease.');
  const stale = gauge('sluice_changes_age_seconds', 'Since the changes were last read.');
  const unsent = gauge('sluice_results_waiting', 'Results that the log has not acknowledged.');
  metrics.text = () => {
    open.set(router.inFlight());
    leases.set(leaseBook.state().leases);
    waiting.set(leaseBook.state().waiting);
    stale.set(changes.staleSinceMs() / 1_000);
    unsent.set(results.waiting());
    return text();
  };
};

/** One log line a request, and its metrics. Never a prompt, never an answer. */
const createObserver = ({metrics, logger}: GatewayParts) => {
  const requests = metrics.counter(
    'sluice_requests_total',
    'Requests that went upstream, by model and outcome.',
  );
  const tokens = metrics.counter('sluice_tokens_total', 'Tokens charged, by model and kind.');
  const duration = metrics.histogram(
    'sluice_request_duration_seconds',
    'From arrival to end, by model.',
  );
  const firstToken = metrics.histogram(
    'sluice_time_to_first_token_seconds',
    'From arrival to the first byte of the answer, by model.',
  );
  return (exchange: Exchange, ending: Ending, error: SluiceError | undefined) => {
    const {facts} = exchange;
    const model = facts.model.name;
    requests({model, outcome: ending.outcome}).add();
    tokens({model, kind: 'input'}).add(ending.tokens.inputTokens);
    tokens({model, kind: 'output'}).add(ending.tokens.outputTokens);
    duration({model}).observe(ending.latencyMs / 1_000);
    if (ending.timeToFirstTokenMs !== undefined) {
      firstToken({model}).observe(ending.timeToFirstTokenMs / 1_000);
    }
    logger.info({
      request: facts.request,
      org: facts.principal.org,
      model,
      operation: facts.operation,
      streamed: facts.streamed,
      status: ending.status,
      outcome: ending.outcome,
      ...(error ? {code: error.code} : {}),
      durationMs: ending.latencyMs,
      firstTokenMs: ending.timeToFirstTokenMs,
      inputTokens: ending.tokens.inputTokens,
      outputTokens: ending.tokens.outputTokens,
      costNanos: ending.costNanos,
      estimated: ending.estimated,
      trace: traceIdOf(facts.traceparent),
    });
  };
};

/** Tells the registry of an endpoint that failed, once in five seconds each: a hint, not worth a queue. */
const createSuspicion = ({pool, logger}: GatewayParts) => {
  const toldMs = new Map<string, number>();
  return ({facts}: Exchange, failure: Error) => {
    const endpoint = facts.model.endpoints.find(({url}) => url === facts.endpoint);
    const now = performance.now();
    if (!endpoint || now - (toldMs.get(endpoint.id) ?? Number.NEGATIVE_INFINITY) < 5_000) {
      return;
    }
    toldMs.set(endpoint.id, now);
    logger.warn({err: failure, endpoint: endpoint.url}, 'an endpoint failed');
    const event = makeEvent({
      type: 'dev.sluice.endpoint.suspected.v1',
      from: 'gateway',
      id: uuidv7(),
      time: new Date(),
      data: {model: facts.model.id, endpoint: endpoint.id, reason: failure.message.slice(0, 500)},
    });
    insertIntoOutbox(pool, [{destination: 'broker:default', event}]).catch(error =>
      logger.warn({err: error}, 'the suspicion was not told'),
    );
  };
};

const startSweeping = ({
  pool,
  limits,
  logger,
  sweepMs = Math.min(10_000, limits.leaseTtlMs / 4),
}: GatewayParts) => {
  let timer: NodeJS.Timeout;
  let running = false;
  const sweep = async () => {
    if (!running) {
      running = true;
      await pool
        .query(
          `select begin_fences(null, make_interval(secs => $1)), begin_settlements(make_interval(secs => $2))`,
          [(limits.leaseTtlMs * limits.fenceAfterShare) / 1_000, limits.unsettledGraceMs / 1_000],
        )
        .catch(error => logger.warn({err: error}, 'the sweep failed'));
      running = false;
    }
    timer = setTimeout(sweep, sweepMs * (0.5 + Math.random()));
    timer.unref();
  };
  timer = setTimeout(sweep, sweepMs * Math.random());
  timer.unref();
  return () => {
    running = true;
    clearTimeout(timer);
  };
};
