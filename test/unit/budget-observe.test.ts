import test from 'ava';
import type {Event} from '../../events/event.ts';
import {createMetrics} from '../../events/metrics.ts';
import type {Outcome} from '../../functions/budget/debit.ts';
import {observer} from '../../functions/budget/observe.ts';

const nothing = {entries: [], short: 0, deadLetters: [], voidMarkers: []} as unknown as Outcome;
const eventOf = (time?: string) =>
  ({type: 'dev.sluice.inference.finished.v1', ...(time ? {time} : {})}) as Event;

test('the lag of a batch is that of its oldest event; one without a time tells none', t => {
  const metrics = createMetrics();
  const observe = observer({
    metrics,
    logger: {warn: () => t.fail()} as never,
    nowMs: () => Date.parse('2026-11-21T10:00:05.000Z'),
  });
  observe.outcome(nothing, [eventOf()]);
  t.false(metrics.text().includes('sluice_budget_lag_seconds_count'));
  observe.outcome(nothing, [
    eventOf('2026-11-21T10:00:04.000Z'),
    eventOf('2026-11-21T10:00:01.500Z'),
    eventOf('nonsense'),
  ]);
  t.regex(
    metrics.text(),
    /sluice_budget_lag_seconds_sum 3\.5\nsluice_budget_lag_seconds_count 1\n/,
  );
  // A clock that is ahead of ours makes no negative lag.
  observe.outcome(nothing, [eventOf('2026-11-21T10:01:00.000Z')]);
  t.regex(
    metrics.text(),
    /sluice_budget_lag_seconds_sum 3\.5\nsluice_budget_lag_seconds_count 2\n/,
  );
});
