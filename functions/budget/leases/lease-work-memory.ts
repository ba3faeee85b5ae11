/**
Lease work in memory: the twin of `lease_work`, `begin_fences` and `recalled_leases` (schemas/sql/0004-money.sql) on the state
of the store in memory. One contract suite holds both to the same.
*/
import {uuidv7} from '../../../events/uuid.ts';
import type {LeaseRow, WindowRow} from '../store.ts';
import type {MemoryStore} from '../store-memory.ts';
import {checkedLease, checkedWindow} from '../store-memory-rows.ts';
import type {BudgetRow} from '../store-memory-windows.ts';
import type {LeaseAnswer, LeaseWork} from './lease-work.ts';

type Grant = LeaseWork['grants'][number];
type Place = {wanted: Grant; budget: BudgetRow; window: string};

const least = (one: bigint, other: bigint) => (one < other ? one : other);
const most = (one: bigint, other: bigint) => (one > other ? one : other);

/** What a gateway reckons with fits a safe integer. */
const toNumber = (amount: bigint) => Number(least(amount, BigInt(Number.MAX_SAFE_INTEGER)));

/** A window once, however often it was named. */
const once = (places: readonly Place[]): Place[] => {
  const found = new Map<string, Place>();
  for (const place of places) {
    const before = found.get(place.window);
    if (!before || before.wanted.needed < place.wanted.needed) {
      found.set(place.window, place);
    }
  }
  return [...found.values()];
};

export const createMemoryLeaseWork = ({
  store,
  now,
  ttlMs,
  fenceAfterShare = 0.25,
}: {
  store: Pick<MemoryStore, 'state' | 'opened' | 'beginFences'>;
  now: () => number;
  ttlMs: number;
  fenceAfterShare?: number;
}) => {
  const {windows, leases, leaseEnds} = store.state;
  const {bounds, budgetOf, windowAt} = store.opened;
  /** By id: when each was last seen. */
  const gateways = new Map<string, number>();
  /** By lease: whose it is. */
  const holders = new Map<string, string>();
  const recalled = new Set<string>();

  const isOpen = (lease: LeaseRow) => lease.state === 'open';
  const isHolding = ({state, granted, settled, returned}: LeaseRow) =>
    state === 'closed' && granted > settled + returned;
  const endsMs = (window: string) => bounds.get(window)?.endsMs ?? Number.POSITIVE_INFINITY;
  const openLeaseOf = (gateway: string, window: string) =>
    [...leases.values()].find(
      lease => lease.window === window && isOpen(lease) && holders.get(lease.id) === gateway,
    );
  const lengthen = (lease: LeaseRow) => leaseEnds.set(lease.id, now() + ttlMs);

  /** The window of now, or of the instant at which the window `after` ends. */
  const placeOf = (wanted: Grant): Place[] => {
    const budget = budgetOf(wanted.budget);
    const earlier = windows.get(wanted.after ?? '');
    const atMs = budget && earlier?.budget === budget.id ? endsMs(earlier.id) : now();
    return budget ? [{wanted, budget, window: windowAt(budget, atMs).id}] : [];
  };

  const giveBack = (gateway: string, {lease: id, total}: LeaseWork['returns'][number]) => {
    const lease = leases.get(id);
    if (!lease || holders.get(id) !== gateway || !(isOpen(lease) || lease.state === 'closed')) {
      return;
    }
    const returned = most(lease.returned, BigInt(total));
    if (lease.settled + returned <= lease.granted) {
      const window = windows.get(lease.window) as WindowRow;
      const leased = window.leased - (returned - lease.returned);
      const ceiling = most(window.limit, window.spent + leased);
      leases.set(id, checkedLease({...lease, state: 'closed', returned}));
      windows.set(window.id, checkedWindow({...window, leased, ceiling}));
    }
  };

  const renew = (gateway: string, id: string): LeaseAnswer['renewals'] => {
    const lease = leases.get(id);
    if (!lease || holders.get(id) !== gateway || !(isOpen(lease) || isHolding(lease))) {
      return [];
    }
    lengthen(lease);
    const budget = budgetOf((windows.get(lease.window) as WindowRow).budget);
    const isRecalled = recalled.has(id) || budget?.paused === true;
    return [{lease: id, granted: Number(lease.granted), recalled: isRecalled}];
  };

  const enlarge = (lease: LeaseRow, window: WindowRow, amount: bigint): LeaseRow => {
    const enlarged = checkedLease({...lease, granted: lease.granted + amount});
    leases.set(lease.id, enlarged);
    windows.set(window.id, checkedWindow({...window, leased: window.leased + amount}));
    return enlarged;
  };

  const openLease = (gateway: string, window: WindowRow): LeaseRow => {
    const id = uuidv7();
    holders.set(id, gateway);
    return {
      id,
      org: window.org,
      window: window.id,
      state: 'open',
      granted: 0n,
      settled: 0n,
      returned: 0n,
      open: 0n,
    };
  };

  /** Short: ask the others for what they do not use, fence the dead. */
  const askOthers = (gateway: string, window: string) => {
    for (const lease of leases.values()) {
      if (lease.window === window && isOpen(lease) && holders.get(lease.id) !== gateway) {
        recalled.add(lease.id);
      }
    }
    store.beginFences(window, ttlMs * fenceAfterShare);
  };

  const grant = (gateway: string, alive: number, {wanted, budget, window: id}: Place) => {
    const window = windows.get(id) as WindowRow;
    const needed = BigInt(wanted.needed);
    const paused = budget.paused === true;
    const charged = window.spent + window.overage;
    const remaining = most(window.limit - charged, 0n);
    const available = paused ? 0n : most(remaining - window.leased, 0n);
    const slice = most(needed, least(BigInt(wanted.max), remaining / BigInt(4 * alive)));
    const amount = least(slice, available);
    const before =
      openLeaseOf(gateway, id) ?? (amount > 0n ? openLease(gateway, window) : undefined);
    const lease = before && enlarge(before, window, amount);
    if (lease) {
      // Also where nothing was granted: its holder counts its life from the answer.
      lengthen(lease);
    }
    if (amount < needed && !paused) {
      askOthers(gateway, id);
    }
    const {startsMs, endsMs} = bounds.get(id) ?? {startsMs: 0, endsMs: Number.POSITIVE_INFINITY};
    return {
      budget: budget.id,
      window: id,
      lease: lease?.id ?? null,
      granted: lease ? Number(lease.granted) : null,
      slice: Number(slice),
      limit: Number(window.limit),
      charged: Number(charged),
      paused,
      remaining: toNumber(remaining),
      available: toNumber(available - amount),
      startsInMs: Math.max(startsMs - now(), 0),
      endsInMs: endsMs === Number.POSITIVE_INFINITY ? null : endsMs - now(),
    };
  };

  return {
    holders,
    gateways,
    recalled,
    work(gateway: string, {returns, renewals, grants}: LeaseWork): LeaseAnswer {
      gateways.set(gateway, now());
      const alive = [...gateways.values()].filter(seenMs => seenMs > now() - ttlMs).length;
      const places = once(grants.flatMap(placeOf));
      for (const returned of returns) {
        giveBack(gateway, returned);
      }
      const renewed = renewals.flatMap(id => renew(gateway, id));
      return {
        grants: places.map(place => grant(gateway, alive, place)),
        renewals: renewed,
        gateways: alive,
      };
    },
    recalledLeases: (gateway: string) =>
      [...leases.values()].flatMap(lease =>
        isOpen(lease) && holders.get(lease.id) === gateway && recalled.has(lease.id)
          ? [lease.id]
          : [],
      ),
  };
};

export type MemoryLeaseWork = ReturnType<typeof createMemoryLeaseWork>;
