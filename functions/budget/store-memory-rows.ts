/**
Rows in memory: the constraints of the schema, and what is looked up of the ledger.
*/
import type {LeaseRow, LedgerEntry, Settlement, WindowRow} from './store.ts';

export const pick = <Row>(rows: ReadonlyMap<string, Row>, ids: readonly string[]) =>
  ids.flatMap((id): [string, Row][] => {
    const row = rows.get(id);
    return row === undefined ? [] : [[id, row]];
  });

export const settlementsOf = (entries: Iterable<LedgerEntry>) => {
  const found = new Map<string, Settlement>();
  for (const entry of entries) {
    if (entry.entry === 'external') {
      continue;
    }
    const only = entry.entry === 'unsettled' && !found.has(entry.request);
    found.set(entry.request, only ? {final: false, unsettled: entry} : {final: true});
  }
  return found;
};

/** The bounds of `open_month`. */
export const isNear = (month: string, now: Date) => {
  const bound = (months: number) =>
    new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + months, now.getUTCDate()));
  return Date.parse(month) >= bound(-26).getTime() && Date.parse(month) <= bound(2).getTime();
};

export const absent = <Row>(rows: ReadonlyMap<string, unknown>, key: string, row: Row): Row => {
  if (rows.has(key)) {
    throw new Error(`the key is taken: ${key}`);
  }
  return row;
};

export const checkedWindow = (window: WindowRow): WindowRow => {
  const {ceiling, spent, leased, overage} = window;
  if (spent < 0n || leased < 0n || overage < 0n || spent + leased > ceiling) {
    throw new Error(
      `window ${window.id}: spent ${spent}, leased ${leased}, ceiling ${ceiling}, overage ${overage}`,
    );
  }
  return window;
};

export const checkedLease = (lease: LeaseRow): LeaseRow => {
  const {granted, settled, returned, open} = lease;
  if (settled < 0n || returned < 0n || open < 0n || settled + returned > granted) {
    throw new Error(
      `lease ${lease.id}: settled ${settled}, returned ${returned}, granted ${granted}, open ${open}`,
    );
  }
  return lease;
};
