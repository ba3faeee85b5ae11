/**
Windows in memory: budgets, and the windows of their instants, opened in what needs them first. Windows are of UTC here.
*/
import {uuidv7} from '../../events/uuid.ts';
import type {Unit} from './cost.ts';
import type {WindowRow} from './store.ts';

export type BudgetRow = Readonly<{
  id: string;
  org: string;
  project?: string;
  key?: string;
  unit: Unit;
  limit: bigint;
  thresholds: readonly number[];
  period: 'day' | 'week' | 'month' | 'none';
  paused?: boolean;
}>;

/** [starts, ends), ms since the epoch. */
export type Bounds = Readonly<{startsMs: number; endsMs: number}>;

const dayMs = 86_400_000;
/** 1970-01-01 was a Thursday, ISO weeks begin on Mondays. */
const firstMondayMs = 4 * dayMs;
const always: Bounds = {startsMs: Number.NEGATIVE_INFINITY, endsMs: Number.POSITIVE_INFINITY};

export const boundsOf = (period: BudgetRow['period'], atMs: number): Bounds => {
  const at = new Date(atMs);
  const days = (first: number, count: number) => {
    const startsMs = first + Math.floor((atMs - first) / (count * dayMs)) * count * dayMs;
    return {startsMs, endsMs: startsMs + count * dayMs};
  };
  switch (period) {
    case 'none':
      return always;
    case 'day':
      return days(0, 1);
    case 'week':
      return days(firstMondayMs, 7);
    case 'month':
      return {
        startsMs: Date.UTC(at.getUTCFullYear(), at.getUTCMonth()),
        endsMs: Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1),
      };
  }
};

export const createMemoryWindows = (windows: Map<string, WindowRow>) => {
  const budgets: BudgetRow[] = [];
  /** By budget and beginning. */
  const opened = new Map<string, string>();
  const bounds = new Map<string, Bounds>();
  const toppedUp = new Map<string, bigint>();

  const pathOf = (budget: string, startsMs: number) => `${budget} ${startsMs}`;
  const enter = (budget: string, window: string, found: Bounds) => {
    opened.set(pathOf(budget, found.startsMs), window);
    bounds.set(window, found);
  };

  const windowAt = (budget: BudgetRow, atMs: number): WindowRow => {
    const found = boundsOf(budget.period, atMs);
    const id = opened.get(pathOf(budget.id, found.startsMs));
    if (id !== undefined) {
      return windows.get(id) as WindowRow;
    }
    const row = {
      id: uuidv7(),
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
    };
    windows.set(row.id, row);
    enter(budget.id, row.id, found);
    return row;
  };

  const budgetOf = (id: string) => budgets.find(budget => budget.id === id);

  /** What is spent or leased cannot be taken back: the ceiling stays there and sinks with returns and debits. */
  const bringToLimit = (budget: BudgetRow, window: WindowRow) => {
    const limit = budget.limit + (toppedUp.get(window.id) ?? 0n);
    const used = window.spent + window.leased;
    windows.set(window.id, {...window, limit, ceiling: limit > used ? limit : used});
  };

  return {
    budgets,
    bounds,
    budgetOf,
    windowAt,
    /** A budget whose only window is there already. */
    adopt(budget: BudgetRow, window: string) {
      budgets.push(budget);
      enter(budget.id, window, always);
    },
    /** A changed limit counts at once in every window that is not over. */
    change(id: string, fields: Partial<Pick<BudgetRow, 'limit' | 'paused'>>, nowMs: number) {
      const index = budgets.findIndex(budget => budget.id === id);
      const budget = {...(budgets[index] as BudgetRow), ...fields};
      budgets[index] = budget;
      for (const window of [...windows.values()]) {
        if (window.budget === id && (bounds.get(window.id)?.endsMs ?? 0) > nowMs) {
          bringToLimit(budget, window);
        }
      }
    },
    topUp(id: string, amount: bigint, nowMs: number) {
      const budget = budgetOf(id) as BudgetRow;
      const {id: window} = windowAt(budget, nowMs);
      toppedUp.set(window, (toppedUp.get(window) ?? 0n) + amount);
      bringToLimit(budget, windows.get(window) as WindowRow);
    },
  };
};

export type MemoryWindows = ReturnType<typeof createMemoryWindows>;
