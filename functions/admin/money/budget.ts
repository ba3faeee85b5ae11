/**
Budget: how a budget and its current window are told.

In: the budget's row beside its window's, or nulls where no request has opened one yet. Out: amounts as texts in its unit.
*/
import {formatAmount, type Unit} from './amount.ts';

export type BudgetRow = {
  id: string;
  org_id: string;
  project_id: string | null;
  key_id: string | null;
  unit: Unit;
  period: string;
  time_zone: string;
  thresholds: number[];
  paused: boolean;
  /** With what was topped up in this window. */
  limit: bigint;
  topped_up: bigint;
  spent: bigint;
  overage: bigint;
  leased: bigint;
  window_id: string | null;
  starts_at: Date | number | null;
  ends_at: Date | number | null;
  created_at: Date;
};

export const toBudgetView = (row: BudgetRow) => {
  const write = (amount: bigint) => formatAmount(row.unit, amount);
  const spent = row.spent + row.overage;
  const available = row.limit - spent - row.leased;
  return {
    id: row.id,
    org: row.org_id,
    ...(row.project_id === null ? {} : {project: row.project_id}),
    ...(row.key_id === null ? {} : {key: row.key_id}),
    unit: row.unit,
    period: row.period,
    timeZone: row.time_zone,
    thresholds: row.thresholds,
    paused: row.paused,
    limit: write(row.limit),
    toppedUp: write(row.topped_up),
    spent: write(spent),
    overage: write(row.overage),
    leased: write(row.leased),
    remaining: write(row.limit - spent),
    available: write(row.paused || available < 0n ? 0n : available),
    window:
      row.window_id === null
        ? null
        : {id: row.window_id, start: finite(row.starts_at), end: finite(row.ends_at)},
    createdAt: row.created_at,
  };
};

/** A window for ever goes from minus infinity to infinity, which come as numbers. */
const finite = (instant: Date | number | null) => (instant instanceof Date ? instant : null);
