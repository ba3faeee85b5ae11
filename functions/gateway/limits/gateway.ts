/**
The gateway's limits: its parts put together, and what operators see of them.

In: the store, or none; how many gateways there are. Out: a request lets itself in and ends; counters and gauges in `/metrics`.
A request without a limit costs nothing.
*/
import type {Metrics} from '../../../events/metrics.ts';
import type {Logger} from '../../../events/telemetry.ts';
import type {Principal} from '../../auth/principal.ts';
import type {ModelEntry} from '../../registry/catalogue.ts';
import type {ClientResponse} from '../exchange/admitted.ts';
import {setLimitHeaders} from './headers.ts';
import {type Limit, limitsOfModel, limitsOfPrincipal, usesOf} from './limit.ts';
import {createLimitBook, type Entered, type Refused} from './limit-book.ts';
import {errorOf, setRetryHeaders} from './refusal.ts';
import {createSharedLimits} from './shared-limits.ts';
import type {LimitStore} from './store.ts';

type Receiver = Pick<ClientResponse, 'setHeader'>;
export type Entering = Readonly<{
  principal: Principal;
  model: ModelEntry;
  /** The most that it can use. */
  tokens: number;
  /** What is answered when it is let in, and when it is not. */
  response: Receiver;
  refusals: Receiver;
}>;

export type RequestLimits = Readonly<{
  /** Rejects with what the client is told. */
  enter(entering: Entering): Entered | Promise<Entered>;
  /** Whether a maximum of tokens must be put into the body, so that it holds. */
  limitTokens(principal: Principal, model: ModelEntry): boolean;
  isAway(): boolean;
  close(): Promise<void>;
}>;

const unlimited: Entered = {end() {}};
const isOfTokens = ({unit}: Limit) => unit === 'tokens';

export const createRequestLimits = ({
  limitStore: store,
  gatewayId = 'one',
  gateways,
  logger,
  metrics,
}: {
  /** Absent: every gateway has its share of each limit. */
  limitStore?: LimitStore;
  gatewayId?: string;
  gateways?: () => number;
  logger: Logger;
  metrics: Metrics;
}): RequestLimits => {
  const shared = createSharedLimits({
    store,
    gateway: gatewayId,
    ...(gateways ? {gateways} : {}),
    logger,
  });
  const book = createLimitBook({
    exchange: shared.exchange,
    onError: error => logger.error({err: error}, 'limits could not be worked on'),
  });
  const refusals = metrics.counter(
    'sluice_limit_refusals_total',
    'Requests over a limit, by whose it is and of what.',
  );
  const perProcess = metrics.gauge(
    'sluice_limits_per_process',
    '1 while limits are counted by each process for itself, because their store is away.',
  )();
  const known = metrics.gauge('sluice_limits', 'Limits that requests count in here.')();
  const sharing = metrics.gauge(
    'sluice_limit_gateways',
    'Gateways that are known of here; by their number a share is reckoned.',
  )();
  const {text} = metrics;
  metrics.text = () => {
    perProcess.set(shared.isAway() ? 1 : 0);
    known.set(book.state().limits);
    sharing.set(shared.gateways());
    return text();
  };

  const settle = (
    outcome: Entered | Refused,
    own: readonly Limit[],
    entering: Entering,
  ): Entered => {
    const entered = 'end' in outcome;
    setLimitHeaders(entered ? entering.response : entering.refusals, own, book.quota);
    if (entered) {
      return outcome;
    }
    refusals({scope: outcome.limit.scope, unit: outcome.limit.unit}).add();
    setRetryHeaders(entering.refusals, outcome);
    throw errorOf(outcome);
  };

  return {
    enter(entering) {
      const {principal, model, tokens} = entering;
      const own = limitsOfPrincipal(principal);
      const ofModel = limitsOfModel(model);
      if (own.length + ofModel.length === 0) {
        return unlimited;
      }
      const limits = ofModel.length === 0 ? own : [...own, ...ofModel];
      const outcome = book.enter(usesOf(limits, tokens));
      return outcome instanceof Promise
        ? outcome.then(found => settle(found, own, entering))
        : settle(outcome, own, entering);
    },
    limitTokens: (principal, model) =>
      limitsOfPrincipal(principal).some(isOfTokens) || limitsOfModel(model).some(isOfTokens),
    isAway: shared.isAway,
    async close() {
      await book.close();
      await shared.close();
    },
  };
};
