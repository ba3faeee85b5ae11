/**
Gauges: what operators see of the gateway as it is at the moment; read when somebody asks for `/metrics`.

In: who knows it. Out: gauges. No label is a key, an organisation or a request.
*/
import type {Metrics} from '../../../events/metrics.ts';
import type {Unit} from '../../budget/cost.ts';
import type {LeaseBook} from '../../budget/leases/lease-book.ts';
import type {OutboxWatch} from '../log/outbox-watch.ts';
import type {HoldCount} from './hold-count.ts';

const units: readonly Unit[] = ['usd', 'tokens', 'gpu_ms'];

export const registerGauges = (
  metrics: Metrics,
  {
    leaseBook,
    router,
    changes,
    intents,
    results,
    outbox,
    holds,
  }: {
    leaseBook: LeaseBook;
    router: {inFlight(): number};
    changes: {staleSinceMs(): number};
    intents: {unacknowledged(): number};
    results: {unacknowledged(): number};
    outbox: Pick<OutboxWatch, 'backlog'>;
    holds: Pick<HoldCount, 'state'>;
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
  const unsentIntents = gauge(
    'sluice_intents_waiting',
    'Intents that the log has not acknowledged.',
  );
  const openHolds = gauge('sluice_holds', 'Holds of requests whose result is not durable yet.');
  const retired = gauge('sluice_leases_retired', 'Leases that grant no more and are not returned.');
  const held = metrics.gauge('sluice_hold_amount', "What they hold, in the budget's unit.");
  const free = metrics.gauge(
    'sluice_lease_free_amount',
    "What leases that may grant have left, in the budget's unit.",
  );
  metrics.text = () => {
    open.set(router.inFlight());
    const book = leaseBook.state();
    leases.set(book.leases);
    retired.set(book.retired);
    waiting.set(book.waiting);
    const {open: holdsOpen, amounts} = holds.state();
    openHolds.set(holdsOpen);
    for (const unit of units) {
      held({unit}).set(amounts[unit]);
      free({unit}).set(book.free[unit]);
    }
    unsentIntents.set(intents.unacknowledged());
    stale.set(changes.staleSinceMs() / 1_000);
    unsent.set(results.unacknowledged());
    const {rows: outboxRows, ageMs} = outbox.backlog();
    rows.set(outboxRows);
    age.set(ageMs / 1_000);
    return text();
  };
};
