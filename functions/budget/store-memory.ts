/**
Store in memory: the reference that the contract suite holds PostgreSQL to, with the schema's constraints and the markers that
begin fences and settlements, so that the rules can be tested without a server. What gateways ask is `leases/lease-work-memory.ts`.
*/
import type {DeadLetter} from '../../events/dead-letters.ts';
import type {Event} from '../../events/event.ts';
import {emptyRegistry, findTermsAmong} from '../../events/external-terms-memory.ts';
import {limits} from '../../events/limits.ts';
import type {Price} from './cost.ts';
import {
  type BudgetStore,
  type Changes,
  dueMax,
  type Keys,
  type LeaseRow,
  type LedgerEntry,
  type Loaded,
  type OpenRequest,
  type WindowRow,
} from './store.ts';
import {createMemoryAccounts} from './store-memory-external.ts';
import {
  absent,
  checkedLease,
  checkedWindow,
  isNear,
  pick,
  settlementsOf,
} from './store-memory-rows.ts';
import {createMemoryWindows} from './store-memory-windows.ts';

/** A marker that nobody read for so long is sent again. */
const markerMs = 600_000;

export const createMemoryStore = ({now = Date.now}: {now?: () => number} = {}) => {
  const windows = new Map<string, WindowRow>();
  const leases = new Map<string, LeaseRow>();
  const leaseEnds = new Map<string, number>();
  /** When its marker was last sent. */
  const fencingAt = new Map<string, number>();
  const requests = new Map<string, OpenRequest>();
  const ledger = new Map<string, LedgerEntry>();
  const prices = new Map<string, Price>();
  const outbox = new Map<string, Event>();
  const deadLetters = new Map<string, DeadLetter>();
  const registry = emptyRegistry();
  const opened = createMemoryWindows(windows);
  const external = createMemoryAccounts(opened, ledger);
  const state = {windows, leases, leaseEnds, requests, ledger, prices, outbox, deadLetters};

  const send = (event: Event) => {
    const key = `${event.source} ${event.id}`;
    if (!outbox.has(key)) {
      outbox.set(key, event);
    }
  };

  const load = (keys: Keys): Loaded => {
    const found = new Map(pick(requests, keys.requests));
    for (const {org, beforeMs} of keys.due) {
      const due = [...requests.values()].filter(
        row => row.org === org && row.deadlineMs < beforeMs,
      );
      for (const row of due
        .sort((one, other) => one.deadlineMs - other.deadlineMs)
        .slice(0, dueMax)) {
        found.set(row.id, row);
      }
    }
    const settlements = settlementsOf(ledger.values());
    return {windows, leases, requests: found, settlements, prices, ...external.load(keys)};
  };

  const write = (changes: Changes) => {
    for (const window of changes.windows) {
      windows.set(window.id, checkedWindow(window));
    }
    for (const lease of changes.leases) {
      leases.set(lease.id, checkedLease(lease));
    }
    for (const id of changes.closed) {
      requests.delete(id);
    }
    for (const row of changes.opened) {
      requests.set(row.id, absent(requests, row.id, row));
    }
    for (const entry of changes.entries) {
      const key = `${entry.month} ${entry.request} ${entry.entry}`;
      ledger.set(key, absent(ledger, key, entry));
    }
    for (const {event} of changes.outbox) {
      send(event);
    }
    for (const letter of changes.deadLetters) {
      deadLetters.set(letter.id, letter);
    }
  };

  const marker = (org: string, type: string, id: string, data: object) =>
    send({
      specversion: '1.0',
      source: '/functions/budget',
      id,
      type,
      orgid: org,
      partitionkey: org,
      data,
    });

  const store: BudgetStore = {
    async openMonths(months) {
      return new Set(months.filter(month => !isNear(month, new Date(now()))));
    },
    findTerms: findTermsAmong(registry),
    async transaction(keys, work) {
      const outcome = work(load(keys));
      const before = Object.values(state).map(
        table => [table as Map<string, unknown>, [...table]] as const,
      );
      try {
        write(outcome);
      } catch (error) {
        for (const [table, rows] of before) {
          table.clear();
          for (const [key, value] of rows) {
            table.set(key, value);
          }
        }
        throw error;
      }
      return outcome;
    },
    async reconcile({leaseMs, requestMs}) {
      return {fences: beginFences(undefined, leaseMs), settlements: beginSettlements(requestMs)};
    },
  };

  /** As `lease_work` grants: what is wanted or what there is; undefined when that is nothing. */
  const grant = ({
    id,
    window: place,
    amount,
    ttlMs = limits.leaseTtlMs,
  }: {
    id: string;
    window: string;
    amount: bigint;
    ttlMs?: number;
  }) => {
    const window = windows.get(place) as WindowRow;
    const available = window.limit - window.spent - window.leased - window.overage;
    const granted = amount < available ? amount : available;
    if (granted <= 0n) {
      return undefined;
    }
    const fresh = {
      id,
      org: window.org,
      window: place,
      state: 'open',
      granted: 0n,
      settled: 0n,
      returned: 0n,
      open: 0n,
    } as const;
    const lease = leases.get(id) ?? fresh;
    windows.set(place, checkedWindow({...window, leased: window.leased + granted}));
    leases.set(id, checkedLease({...lease, granted: lease.granted + granted}));
    leaseEnds.set(id, now() + ttlMs);
    return granted;
  };

  const beginFence = (id: string) => {
    const lease = leases.get(id) as LeaseRow;
    leases.set(id, {...lease, state: 'fencing'});
    fencingAt.set(id, now());
    marker(lease.org, 'dev.sluice.lease.fenced.v1', `${id}/fenced`, {
      lease: id,
      window: lease.window,
    });
  };

  /** As `begin_fences`: of every lease of a window, or of all, that is so long past its end. */
  const beginFences = (window: string | undefined, pastMs: number) => {
    const isDue = ({id, state}: LeaseRow) =>
      state === 'open' ||
      state === 'closed' ||
      (state === 'fencing' && (fencingAt.get(id) ?? 0) < now() - markerMs);
    const dead = [...leases.values()].filter(
      lease =>
        isDue(lease) &&
        (window === undefined || lease.window === window) &&
        lease.granted > lease.settled + lease.returned &&
        (leaseEnds.get(lease.id) ?? Number.POSITIVE_INFINITY) < now() - pastMs,
    );
    for (const lease of dead) {
      beginFence(lease.id);
    }
    return dead.length;
  };

  /** As `begin_settlements`: one marker for each organisation with a request so long past its deadline. */
  const beginSettlements = (pastMs: number) => {
    const before = now() - pastMs;
    const late = [...requests.values()].filter(row => row.deadlineMs < before);
    const orgs = new Set(late.map(row => row.org));
    for (const org of orgs) {
      const last = Math.max(...late.filter(row => row.org === org).map(row => row.deadlineMs));
      const dueBefore = new Date(before).toISOString();
      marker(org, 'dev.sluice.settlement.due.v1', `${org}/settlement/${last}`, {dueBefore});
    }
    return orgs.size;
  };

  return {
    ...store,
    state,
    registry,
    opened,
    budgets: opened.budgets,
    adopt: opened.adopt,
    grant,
    beginFence,
    beginFences,
    beginSettlements,
  };
};

export type MemoryStore = ReturnType<typeof createMemoryStore>;
