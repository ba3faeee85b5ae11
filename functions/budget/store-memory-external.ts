/**
Usage of other routers in memory: budgets with the windows of its instants, opened where they are not there. Windows are of
UTC here.
*/
import {uuidv7} from '../../events/uuid.ts';
import type {Unit} from './cost.ts';
import type {Account, Keys, LedgerEntry, WindowRow} from './store.ts';

export type BudgetRow = Readonly<{
  id: string;
  org: string;
  project?: string;
  key?: string;
  unit: Unit;
  limit: bigint;
  thresholds: readonly number[];
  period: 'day' | 'month' | 'none';
}>;

export const createMemoryAccounts = (
  windows: Map<string, WindowRow>,
  ledger: ReadonlyMap<string, LedgerEntry>,
) => {
  const budgets: BudgetRow[] = [];
  /** By budget and beginning. */
  const opened = new Map<string, string>();

  const windowOf = (budget: BudgetRow, at: string): string => {
    const start = {day: at.slice(0, 10), month: at.slice(0, 7), none: ''}[budget.period];
    const path = `${budget.id} ${start}`;
    const id = opened.get(path) ?? uuidv7();
    if (!opened.has(path)) {
      opened.set(path, id);
      windows.set(id, {
        id,
        org: budget.org,
        budget: budget.id,
        unit: budget.unit,
        thresholds: budget.thresholds,
        thresholdReached: 0,
        limit: budget.limit,
        ceiling: budget.limit,
        spent: 0n,
        leased: 0n,
        overage: 0n,
      });
    }
    return id;
  };

  return {
    budgets,
    /** A budget whose only window is there already. */
    adopt(budget: BudgetRow, window: string) {
      budgets.push(budget);
      opened.set(`${budget.id} `, window);
    },
    load({external}: Pick<Keys, 'external'>) {
      const charged = new Set(
        [...ledger.values()].flatMap(({entry, request}) => (entry === 'external' ? [request] : [])),
      );
      const accounts = new Map<string, Account[]>();
      for (const {request, org, project, key, at} of external) {
        if (!charged.has(request)) {
          const touched = budgets.filter(
            budget =>
              budget.org === org &&
              (budget.project === undefined || budget.project === project) &&
              (budget.key === undefined || budget.key === key),
          );
          accounts.set(
            request,
            touched.map(budget => ({
              budget: budget.id,
              window: windowOf(budget, at),
              unit: budget.unit,
            })),
          );
        }
      }
      return {charged, accounts};
    },
  };
};
