/**
Usage of other routers in memory: what the ledger has of it already, and of the rest the windows that it is charged to.
*/
import type {Account, Keys, LedgerEntry} from './store.ts';
import type {MemoryWindows} from './store-memory-windows.ts';

export const createMemoryAccounts = (
  {budgets, windowAt}: MemoryWindows,
  ledger: ReadonlyMap<string, LedgerEntry>,
) => ({
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
            window: windowAt(budget, Date.parse(at)).id,
            unit: budget.unit,
          })),
        );
      }
    }
    return {charged, accounts};
  },
});
