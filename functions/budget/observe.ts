/** Observe: what the debit counts. In: a metrics page. Out: a function that a batch's outcome and duration are told to. */
import type {Event} from '../../events/event.ts';
import type {Metrics} from '../../events/metrics.ts';
import type {Logger} from '../../events/telemetry.ts';
import type {Outcome} from './debit.ts';

/** As those of the usage function's lag: what was away for a day is read a day late. */
const lagBuckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 86_400];

export const observer = ({
  metrics,
  logger,
  nowMs = Date.now,
}: {
  metrics: Metrics;
  logger: Logger;
  nowMs?: () => number;
}) => {
  const debited = metrics.counter(
    'sluice_budget_events_total',
    'Events of batches that were committed, by type; repeated deliveries included.',
  );
  const entries = metrics.counter(
    'sluice_budget_ledger_entries_total',
    'Ledger entries written, by entry.',
  );
  const overage = metrics.counter(
    'sluice_budget_overage_total',
    "Amounts that no lease covered, in the budget's unit.",
  );
  const short = metrics.counter(
    'sluice_budget_short_total',
    'Holds that their lease could no longer cover. Not 0: a gateway breaks the protocol.',
  );
  const dead = metrics.counter(
    'sluice_budget_dead_letters_total',
    'Events that can never be handled.',
  );
  const voided = metrics.counter(
    'sluice_budget_void_markers_total',
    'Markers of fences that nobody began.',
  );
  const duration = metrics.histogram(
    'sluice_budget_batch_seconds',
    'Duration of a batch, from its arrival to its commit.',
  );

  const lag = metrics.histogram(
    'sluice_budget_lag_seconds',
    'From the making of the oldest event of a batch to its commit.',
    lagBuckets,
  );

  return {
    outcome(outcome: Outcome, events: readonly Event[]) {
      const types = new Map<string, number>();
      for (const {type} of events) {
        const name = type.startsWith('dev.sluice.') ? type : 'other';
        types.set(name, (types.get(name) ?? 0) + 1);
      }
      const oldestMs = Math.min(...events.map(({time}) => Date.parse(time ?? '')).filter(Boolean));
      if (Number.isFinite(oldestMs)) {
        lag().observe(Math.max(0, nowMs() - oldestMs) / 1_000);
      }
      for (const [type, count] of types) {
        debited({type}).add(count);
      }
      const overages = new Map<string, number>();
      const kinds = new Map<string, number>();
      for (const {entry, charges} of outcome.entries) {
        kinds.set(entry, (kinds.get(entry) ?? 0) + 1);
        for (const charge of charges) {
          // A counter only rises; what a correction gives back shows in the windows.
          const more = Number(charge.overage > 0n ? charge.overage : 0n);
          overages.set(charge.unit, (overages.get(charge.unit) ?? 0) + more);
        }
      }
      for (const [entry, count] of kinds) {
        entries({entry}).add(count);
      }
      for (const [unit, amount] of overages) {
        overage({unit}).add(amount);
      }
      short().add(outcome.short);
      dead().add(outcome.deadLetters.length);
      voided().add(outcome.voidMarkers.length);
      for (const letter of outcome.deadLetters) {
        logger.warn(
          {event: letter.eventId, type: letter.type, reason: letter.reason},
          'a dead letter',
        );
      }
      for (const lease of outcome.voidMarkers) {
        logger.warn({lease}, 'a marker of a fence that nobody began');
      }
    },
    duration: (seconds: number) => duration().observe(seconds),
  };
};
