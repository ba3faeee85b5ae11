/**
Reconcile: sends the markers that are due (fences of leases whose holder is gone, settlements of requests whose result
never came), after a batch and when asked to. It only begins: what the markers mean happens when the debit reads them.

Not more often than `everyMs`, because a busy log ends a batch every few milliseconds. Gateways do the same in their own
tick, so nothing waits for this one. Once an hour it also forgets what only recent past needs. A failure is reported, not
thrown: the batch before it is committed.
*/
import type {BudgetStore} from './store.ts';

export const reconciler = ({
  store,
  leaseTtlMs,
  fenceAfterShare,
  unsettledGraceMs,
  forgetOld = async () => {},
  everyMs = 1_000,
  forgetEveryMs = 3_600_000,
  now = () => performance.now(),
  onError = () => {},
}: {
  store: BudgetStore;
  leaseTtlMs: number;
  fenceAfterShare: number;
  unsettledGraceMs: number;
  /** Deletes rows that nothing reads any more. */
  forgetOld?: () => Promise<unknown>;
  everyMs?: number;
  forgetEveryMs?: number;
  now?: () => number;
  onError?: (error: Error) => void;
}) => {
  let last = Number.NEGATIVE_INFINITY;
  let forgotten = Number.NEGATIVE_INFINITY;
  const reconcile = () => {
    last = now();
    return store.reconcile({leaseMs: leaseTtlMs * fenceAfterShare, requestMs: unsettledGraceMs});
  };
  return {
    reconcile,
    async afterBatch() {
      if (now() - last >= everyMs) {
        await reconcile().catch(onError);
      }
      if (now() - forgotten >= forgetEveryMs) {
        forgotten = now();
        await forgetOld().catch(onError);
      }
    },
  };
};
