/**
Memory leases: the store of one gateway for tests without a database: the twin of `lease_work` with one window a budget, which can
be away, forget a lease or ask it back.
*/
import {uuidv7} from '../../events/uuid.ts';
import type {LeaseAnswer, LeaseWork} from '../../functions/budget/leases/lease-work.ts';
import {createMemoryLeaseWork} from '../../functions/budget/leases/lease-work-memory.ts';
import type {WindowRow} from '../../functions/budget/store.ts';
import {createMemoryStore} from '../../functions/budget/store-memory.ts';
import {org} from './budget.ts';

export const createMemoryLeases = (limits: Readonly<Record<string, number>>) => {
  const store = createMemoryStore();
  const {windows} = store.state;
  const gateway = uuidv7();
  const {work, recalled} = createMemoryLeaseWork({store, now: Date.now, ttlMs: 60_000});
  const state = {away: false, void: false, recalled: false, works: [] as LeaseWork[]};
  const ids = new Map(
    Object.entries(limits).map(([id, limit]) => {
      const budget = {id, org, unit: 'usd', limit: BigInt(limit), thresholds: []} as const;
      store.budgets.push({...budget, period: 'none'});
      return [id, store.opened.windowAt({...budget, period: 'none'}, Date.now()).id];
    }),
  );
  const rowOf = (budget: string): WindowRow => {
    const row = windows.get(ids.get(budget) ?? '');
    if (!row) {
      throw new Error(`no budget ${budget}`);
    }
    return row;
  };
  return {
    state,
    async work(todo: LeaseWork): Promise<LeaseAnswer> {
      state.works.push(todo);
      if (state.away) {
        throw new Error('the store is away');
      }
      if (state.recalled) {
        todo.renewals.forEach(lease => void recalled.add(lease));
      }
      return work(gateway, {...todo, renewals: state.void ? [] : todo.renewals});
    },
    leasedOf: (budget: string) => Number(rowOf(budget).leased),
    /** All that is leased was spent. */
    spend(budget: string) {
      const row = rowOf(budget);
      windows.set(row.id, {...row, spent: row.spent + row.leased, leased: 0n});
    },
  };
};
