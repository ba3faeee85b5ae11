/**
Observe: what operators see of the gateway: one log line a request, counters, histograms, gauges.

In: exchanges that ended. Out: lines and cells; never a prompt, never an answer.
*/
import type {SluiceError} from '../../events/errors.ts';
import type {Metrics} from '../../events/metrics.ts';
import {type Logger, traceIdOf} from '../../events/telemetry.ts';
import type {LeaseBook} from '../budget/leases/lease-book.ts';
import type {Exchange} from './admitted.ts';
import type {Ending, Outcome} from './facts.ts';
import type {OutboxWatch} from './outbox-watch.ts';

export const createObserver = ({metrics, logger}: {metrics: Metrics; logger: Logger}) => {
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
  const cellsOf = (model: string) => ({
    outcomes: new Map<Outcome, ReturnType<typeof requests>>(),
    inputTokens: tokens({model, kind: 'input'}),
    outputTokens: tokens({model, kind: 'output'}),
    duration: duration({model}),
    firstToken: firstToken({model}),
  });
  /** By model: finding a cell by its labels costs more than adding to it. */
  const byModel = new Map<string, ReturnType<typeof cellsOf>>();

  const count = (model: string, ending: Ending) => {
    let cells = byModel.get(model);
    if (!cells) {
      cells = cellsOf(model);
      byModel.set(model, cells);
    }
    let outcome = cells.outcomes.get(ending.outcome);
    if (!outcome) {
      outcome = requests({model, outcome: ending.outcome});
      cells.outcomes.set(ending.outcome, outcome);
    }
    outcome.add();
    cells.inputTokens.add(ending.tokens.inputTokens);
    cells.outputTokens.add(ending.tokens.outputTokens);
    cells.duration.observe(ending.latencyMs / 1_000);
    if (ending.timeToFirstTokenMs !== undefined) {
      cells.firstToken.observe(ending.timeToFirstTokenMs / 1_000);
    }
  };

  // Looking for what may be secret costs more than the line, and here every field is one that this file names.
  const lines = logger.child({}, {redact: []});

  return (exchange: Exchange, ending: Ending, error: SluiceError | undefined) => {
    const {facts} = exchange;
    const model = facts.model.name;
    count(model, ending);
    lines.info({
      request: facts.request,
      org: facts.principal.org,
      model,
      operation: facts.operation,
      streamed: facts.streamed,
      status: ending.status,
      outcome: ending.outcome,
      ...(error ? {code: error.code} : {}),
      durationMs: ending.latencyMs,
      ...exchange.caller,
      firstTokenMs: ending.timeToFirstTokenMs,
      inputTokens: ending.tokens.inputTokens,
      outputTokens: ending.tokens.outputTokens,
      costNanos: ending.costNanos,
      estimated: ending.estimated,
      trace: traceIdOf(facts.traceparent),
    });
  };
};

/** Read when somebody asks for them. */
export const registerGauges = (
  metrics: Metrics,
  {
    leaseBook,
    router,
    changes,
    results,
    outbox,
  }: {
    leaseBook: LeaseBook;
    router: {inFlight(): number};
    changes: {staleSinceMs(): number};
    results: {unacknowledged(): number};
    outbox: Pick<OutboxWatch, 'backlog'>;
  },
) => {
  const text = metrics.text;
  const gauge = (name: string, help: string) => metrics.gauge(name, help)();
  const open = gauge('sluice_open_requests', 'Requests upstream.');
  const leases = gauge('sluice_leases', 'Leases that may grant.');
  const waiting = gauge('sluice_lease_waiters', 'Requests that wait for a lease.');
  const stale = gauge('sluice_changes_age_seconds', 'Since the changes were last read.');
  const unsent = gauge('sluice_results_waiting', 'Results that the log has not acknowledged.');
  const rows = gauge('sluice_outbox_rows', 'Events that wait in the outbox, as last looked at.');
  const age = gauge('sluice_outbox_age_seconds', 'How long the oldest of them has waited.');
  metrics.text = () => {
    open.set(router.inFlight());
    leases.set(leaseBook.state().leases);
    waiting.set(leaseBook.state().waiting);
    stale.set(changes.staleSinceMs() / 1_000);
    unsent.set(results.unacknowledged());
    const {rows: outboxRows, ageMs} = outbox.backlog();
    rows.set(outboxRows);
    age.set(ageMs / 1_000);
    return text();
  };
};
