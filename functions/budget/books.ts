/**
Books: what a batch works on. In: what the store loaded. Out: the same in memory, changed event by event, and what of it
must be written. A request that opens and settles within one batch leaves nothing to write but its ledger entry.
*/
import type {DeadLetter} from '../../events/dead-letters.ts';
import type {OutboxRow} from '../../events/outbox.ts';
import type {Changes, LeaseRow, LedgerEntry, Loaded, OpenRequest, WindowRow} from './store.ts';
import type {Lease, Window} from './window.ts';

export const openBooks = (loaded: Loaded) => {
  const windows = new Map(loaded.windows);
  const leases = new Map(loaded.leases);
  const requests = new Map(loaded.requests);
  const settlements = new Map(loaded.settlements);
  const charged = new Set(loaded.charged);
  const changedWindows = new Set<string>();
  const changedLeases = new Set<string>();
  const opened = new Map<string, OpenRequest>();
  const closed: string[] = [];
  const entries: LedgerEntry[] = [];
  const outbox: OutboxRow[] = [];
  const deadLetters: DeadLetter[] = [];

  return {
    window: (id: string): WindowRow | undefined => windows.get(id),
    /** A lease that is not one of this window covers nothing in it. */
    lease(id: string, window: string): LeaseRow | undefined {
      const lease = leases.get(id);
      return lease?.window === window ? lease : undefined;
    },
    request: (id: string) => requests.get(id),
    requests: () => requests.values(),
    settlement: (id: string) => settlements.get(id),
    price: (key: string) => loaded.prices.get(key),
    /** Is usage of another router in the ledger? */
    isCharged: (id: string) => charged.has(id),
    accounts: (id: string) => loaded.accounts.get(id) ?? [],
    setWindow(window: WindowRow, after: Window) {
      windows.set(window.id, {...window, ...after});
      changedWindows.add(window.id);
    },
    setLease(lease: LeaseRow, after: Lease) {
      leases.set(lease.id, {...lease, ...after});
      changedLeases.add(lease.id);
    },
    open(request: OpenRequest) {
      requests.set(request.id, request);
      opened.set(request.id, request);
    },
    close(id: string) {
      if (requests.delete(id) && !opened.delete(id)) {
        closed.push(id);
      }
    },
    enter(entry: LedgerEntry) {
      entries.push(entry);
      if (entry.entry === 'external') {
        charged.add(entry.request);
        return;
      }
      settlements.set(
        entry.request,
        entry.entry === 'unsettled' ? {final: false, unsettled: entry} : {final: true},
      );
    },
    send(row: OutboxRow | undefined) {
      if (row) {
        outbox.push(row);
      }
    },
    bury(letter: DeadLetter) {
      deadLetters.push(letter);
    },
    changes: (): Changes => ({
      windows: [...changedWindows].map(id => windows.get(id) as WindowRow),
      leases: [...changedLeases].map(id => leases.get(id) as LeaseRow),
      opened: [...opened.values()],
      closed,
      entries,
      outbox,
      deadLetters,
    }),
  };
};

export type Books = ReturnType<typeof openBooks>;
