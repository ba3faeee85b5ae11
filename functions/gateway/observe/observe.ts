/**
Observe: what operators see of the gateway: one log line a request, counters, histograms, gauges.

In: exchanges that were sent and that ended. Out: lines and cells; never a prompt, never an answer.
*/
import type {SluiceError} from '../../../events/errors.ts';
import type {Metrics} from '../../../events/metrics.ts';
import {createLines, type Logger} from '../../../events/telemetry.ts';
import type {ModelEntry} from '../../registry/catalogue.ts';
import type {Exchange} from '../exchange/admitted.ts';
import type {Ending, Outcome} from '../exchange/facts.ts';
import type {Retried} from '../exchange/upstream.ts';
import {lineOf} from './line.ts';

/** Admission takes parts of a millisecond; waits for a lease up to seconds. */
const dispatchBuckets = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

export const createObserver = ({metrics, logger}: {metrics: Metrics; logger: Logger}) => {
  const requests = metrics.counter(
    'sluice_requests_total',
    'Requests that went upstream, by model and outcome.',
  );
  const tokens = metrics.counter(
    'sluice_tokens_total',
    'Tokens charged, by model and kind; cached_input ones are among input.',
  );
  const duration = metrics.histogram(
    'sluice_request_duration_seconds',
    'From arrival to end, by model.',
  );
  const firstToken = metrics.histogram(
    'sluice_time_to_first_token_seconds',
    'From arrival to the first byte of the answer, by model.',
  );
  const dispatch = metrics.histogram(
    'sluice_dispatch_seconds',
    'From arrival until the request goes out to the model server, by model: key, body, limits, holds.',
    dispatchBuckets,
  );
  const errors = metrics.counter(
    'sluice_errors_total',
    'Requests that went upstream and ended with an error, by code.',
  );
  const retries = metrics.counter(
    'sluice_retries_total',
    'Calls made again at another endpoint, by model and by what the one before failed by.',
  );
  const fallbacks = metrics.counter(
    'sluice_fallbacks_total',
    'Requests that another model took over, by the one that was asked for and the one that took it.',
  );
  const cellsOf = (model: string) => ({
    dispatch: dispatch({model}),
    outcomes: new Map<Outcome, ReturnType<typeof requests>>(),
    inputTokens: tokens({model, kind: 'input'}),
    cachedInputTokens: tokens({model, kind: 'cached_input'}),
    outputTokens: tokens({model, kind: 'output'}),
    duration: duration({model}),
    firstToken: firstToken({model}),
  });
  /** By model: finding a cell by its labels costs more than adding to it. */
  const byModel = new Map<string, ReturnType<typeof cellsOf>>();

  const cellsAt = (model: string) => {
    let cells = byModel.get(model);
    if (!cells) {
      cells = cellsOf(model);
      byModel.set(model, cells);
    }
    return cells;
  };

  const count = (model: string, ending: Ending) => {
    const cells = cellsAt(model);
    let outcome = cells.outcomes.get(ending.outcome);
    if (!outcome) {
      outcome = requests({model, outcome: ending.outcome});
      cells.outcomes.set(ending.outcome, outcome);
    }
    outcome.add();
    cells.inputTokens.add(ending.tokens.inputTokens);
    cells.cachedInputTokens.add(ending.tokens.cachedInputTokens);
    cells.outputTokens.add(ending.tokens.outputTokens);
    cells.duration.observe(ending.latencyMs / 1_000);
    if (ending.timeToFirstTokenMs !== undefined) {
      cells.firstToken.observe(ending.timeToFirstTokenMs / 1_000);
    }
  };

  const write = createLines(logger);

  const end = (exchange: Exchange, ending: Ending, error: SluiceError | undefined) => {
    const {facts} = exchange;
    const model = facts.model.name;
    count(model, ending);
    if (error) {
      errors({code: error.code}).add();
    }
    write(() => lineOf(exchange, ending, error));
  };

  return {
    end,
    /** It goes out to the model server now. */
    sent({facts, arrivedMs}: Exchange) {
      cellsAt(facts.model.name).dispatch.observe((performance.now() - arrivedMs) / 1_000);
    },
    retried: ({facts}: Exchange, why: Retried) => retries({model: facts.model.name, why}).add(),
    fellBack: ({name: model}: ModelEntry, {name: to}: ModelEntry) => fallbacks({model, to}).add(),
  };
};
