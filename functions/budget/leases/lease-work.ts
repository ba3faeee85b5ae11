/** Lease work: what the lease book asks of the store, all of it at once; and that statement on PostgreSQL. */
import type {Beside} from '../../../events/changes.ts';
import type {Queryable} from '../../../events/database.ts';

export type LeaseWork = Readonly<{
  /** Over: `total` is everything that was ever given back. */
  returns: ReadonlyArray<{lease: string; total: number}>;
  renewals: readonly string[];
  /** A slice as the store reckons it, at least `needed`, else at most `max`; in the window that follows `after`, or of now. */
  grants: ReadonlyArray<{budget: string; needed: number; max: number; after?: string}>;
}>;
export type LeaseAnswer = Readonly<{
  grants: ReadonlyArray<{
    budget: string;
    window: string;
    lease: string | null;
    granted: number | null;
    slice: number;
    /** Limit less what was charged, at most a safe integer. */
    remaining: number;
    /** Of it, what nobody has leased. */
    available: number;
    paused: boolean;
    /** Until the window begins; 0: it has. */
    startsInMs: number;
    /** Until the window ends; null: never. */
    endsInMs: number | null;
  }>;
  renewals: ReadonlyArray<{lease: string; granted: number; recalled: boolean}>;
  gateways: number;
}>;

export const createLeaseWork =
  ({
    client,
    gateway,
    environment,
    ttlMs,
  }: {
    client: Queryable;
    gateway: string;
    environment: string;
    ttlMs: number;
  }) =>
  async (work: LeaseWork): Promise<LeaseAnswer> => {
    const {rows} = await client.query<{answer: LeaseAnswer}>({
      name: 'lease-work',
      text: 'select lease_work($1, $2, $3, $4) as answer',
      values: [gateway, environment, ttlMs, JSON.stringify(work)],
    });
    return (rows[0] as {answer: LeaseAnswer}).answer;
  };

/** Read beside the changes, in their statement: which of a gateway's leases others lack. */
export const besideChanges = (
  gateway: string,
  onRecalled: (leases: readonly string[]) => void,
): Beside => ({
  expression: 'recalled_leases($2)',
  argument: gateway,
  onValue: leases => onRecalled(leases as readonly string[]),
});
