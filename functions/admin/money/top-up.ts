/** Top-up: how a top-up is told. In: its row, the unit of its budget. Out: the amount as text in that unit. */
import {formatAmount, type Unit} from './amount.ts';

export type TopUpRow = {
  id: string;
  budget_id: string;
  window_id: string;
  amount: bigint;
  made_by: string | null;
  created_at: Date;
};

export const toTopUpView = (row: TopUpRow, unit: Unit) => ({
  id: row.id,
  budget: row.budget_id,
  window: row.window_id,
  amount: formatAmount(unit, row.amount),
  ...(row.made_by === null ? {} : {by: row.made_by}),
  createdAt: row.created_at,
});
