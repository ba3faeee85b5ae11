/** Memory leases: the twin of `lease_work` for tests without a database: one window a budget, one gateway, nothing expires. */
import type {LeaseAnswer, LeaseWork} from '../../functions/budget/leases/lease-work.ts';

export const createMemoryLeases = (limits: Readonly<Record<string, number>>) => {
  const windows = new Map(
    Object.entries(limits).map(([id, limit]) => [
      id,
      {limit, charged: 0, leased: 0, granted: 0, returned: 0},
    ]),
  );
  const state = {away: false, void: false, recalled: false, works: [] as LeaseWork[]};
  const windowOf = (budget: string) => {
    const window = windows.get(budget);
    if (!window) {
      throw new Error(`no budget ${budget}`);
    }
    return window;
  };
  const grant = ({budget, needed, max}: LeaseWork['grants'][number]) => {
    const window = windowOf(budget);
    const remaining = window.limit - window.charged;
    const slice = Math.max(needed, Math.min(max, Math.floor(remaining / 4)));
    const amount = Math.min(slice, window.limit - window.charged - window.leased);
    window.leased += amount;
    window.granted += amount;
    return {
      budget,
      window: `window-of-${budget}`,
      lease: window.granted > 0 ? budget : null,
      granted: window.granted > 0 ? window.granted : null,
      remaining: window.limit - window.charged,
      available: window.limit - window.charged - window.leased,
      slice,
      paused: false,
      startsInMs: 0,
      endsInMs: null,
    };
  };
  const work = async (todo: LeaseWork): Promise<LeaseAnswer> => {
    state.works.push(todo);
    if (state.away) {
      throw new Error('the store is away');
    }
    for (const {lease, total} of todo.returns) {
      const window = windowOf(lease);
      window.leased -= total - window.returned;
      window.returned = total;
    }
    return {
      grants: todo.grants.map(grant),
      renewals: state.void
        ? []
        : todo.renewals.map(lease => ({
            lease,
            granted: windowOf(lease).granted,
            recalled: state.recalled,
          })),
      gateways: 1,
    };
  };
  return {work, windowOf, state};
};
