/**
Announce: the events that a batch sends, with ids that follow from what they are about, so that sending twice is sending once.

To the log: inference.unsettled and inference.corrected, which the usage function needs. To the broker, as hints:
usage.implausible; and what `events/thresholds.ts` says of a window's charges.
*/
import {makeEvent} from '../../events/event.ts';
import type {OutboxRow} from '../../events/outbox.ts';
import type {Estimate} from './policy.ts';
import type {LedgerEntry, OpenRequest, Result} from './store.ts';

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
