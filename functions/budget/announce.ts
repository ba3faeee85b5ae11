/**
Announce: the events that a batch sends, with ids that follow from what they are about, so that sending twice is sending once.

To the log: inference.unsettled and inference.corrected, which the usage function needs. To the broker, as hints:
usage.implausible, budget.threshold.reached, budget.exhausted.
*/
import {makeEvent} from '../../events/event.ts';
import type {OutboxRow} from '../../events/outbox.ts';
import type {Estimate} from './policy.ts';
import type {LedgerEntry, OpenRequest, Result, WindowRow} from './store.ts';

export const unsettled = (
  request: OpenRequest,
  {policy, inputTokens, costNanos}: Estimate,
  time: Date,
): OutboxRow => {
  const {deadline, promptBytes, unsettledPolicy, budgets, ...about} = request.intent;
  return {
    destination: 'log:sluice.usage',
    event: makeEvent({
      type: 'dev.sluice.inference.unsettled.v1',
      from: 'budget',
      id: `${request.id}/unsettled`,
      orgid: request.org,
      projectid: about.project,
      traceparent: request.traceparent,
      time,
      data: {
        ...about,
        settledAt: time.toISOString(),
        policy,
        inputTokens,
        cachedInputTokens: 0,
        outputTokens: 0,
        costNanos,
        estimated: true,
      },
    }),
  };
};

export const corrected = (result: Result, correction: LedgerEntry, time: Date): OutboxRow => {
  const {budgets, ...about} = result;
  return {
    destination: 'log:sluice.usage',
    event: makeEvent({
      type: 'dev.sluice.inference.corrected.v1',
      from: 'budget',
      id: `${result.request}/corrected`,
      orgid: result.orgid,
      projectid: result.project,
      traceparent: correction.traceparent,
      time,
      data: {...about, differenceNanos: correction.costNanos},
    }),
  };
};

/** A model server reported more than the request could have used. */
export const implausible = (
  result: Result,
  traceparent: string | undefined,
  time: Date,
): OutboxRow | undefined => {
  const charges = result.budgets.filter(({amount, hold}) => amount > hold);
  return charges.length === 0
    ? undefined
    : {
        destination: 'broker:default',
        event: makeEvent({
          type: 'dev.sluice.usage.implausible.v1',
          from: 'budget',
          id: `${result.request}/implausible`,
          orgid: result.orgid,
          projectid: result.project,
          traceparent,
          time,
          data: {request: result.request, model: result.model, endpoint: result.endpoint, charges},
        }),
      };
};

const whole = 100;

/**
The shares of its limit that a window's charges newly reached, each once a window. The whole limit is always one of them,
whether or not it is announced as a threshold: it is what `budget.exhausted` goes by.
*/
export const thresholds = (
  window: WindowRow,
  time: Date,
): {window: WindowRow; rows: OutboxRow[]} => {
  const charged = window.spent + window.overage;
  const isReached = (share: number) =>
    share > window.thresholdReached &&
    charged > 0n &&
    charged * 100n >= BigInt(share) * window.limit;
  const reached = window.thresholds.filter(
    share => share >= 1 && share <= whole && isReached(share),
  );
  const exhausted = isReached(whole);
  const highest = Math.max(window.thresholdReached, ...reached, exhausted ? whole : 0);
  if (highest === window.thresholdReached) {
    return {window, rows: []};
  }
  const about = {
    budget: window.budget,
    window: window.id,
    unit: window.unit,
    limit: String(window.limit),
    charged: String(charged),
  };
  const made = {from: 'budget', orgid: window.org, time};
  const path = `${window.budget}/${window.id}`;
  const events = [...new Set(reached)]
    .sort((one, other) => one - other)
    .map(threshold =>
      makeEvent({
        ...made,
        type: 'dev.sluice.budget.threshold.reached.v1',
        id: `${path}/${threshold}`,
        data: {...about, threshold},
      }),
    );
  const last = exhausted
    ? [
        makeEvent({
          ...made,
          type: 'dev.sluice.budget.exhausted.v1',
          id: `${path}/exhausted`,
          data: about,
        }),
      ]
    : [];
  return {
    window: {...window, thresholdReached: highest},
    rows: [...events, ...last].map(event => ({destination: 'broker:default', event})),
  };
};
