/**
Thresholds: which shares of its limit a window's charges have newly reached, and the events that say so.

In: a window, with the highest share that was announced in it. Out: the window with what is announced now, and rows of the
outbox: budget.threshold.reached for each share, budget.exhausted. Who has locked the window and writes both in one transaction
announces each once, however often a batch is delivered or a limit is changed: the debit when charges rise, the admin API
when a limit falls below them.
*/
import {makeEvent} from './event.ts';
import type {OutboxRow} from './outbox.ts';
import type {Unit} from './price.ts';

export type Charged = Readonly<{
  id: string;
  org: string;
  budget: string;
  unit: Unit;
  limit: bigint;
  spent: bigint;
  overage: bigint;
  /** Shares of the limit in per cent that are announced. */
  thresholds: readonly number[];
  /** The highest share that was announced. */
  thresholdReached: number;
}>;

const whole = 100;

/**
The shares of its limit that a window's charges newly reached, each once a window. The whole limit is always one of them,
whether or not it is announced as a threshold: it is what `budget.exhausted` goes by.
*/
export const thresholds = <Window extends Charged>(
  window: Window,
  time: Date,
): {window: Window; rows: OutboxRow[]} => {
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
